"""Which node comes next, where that depends on what came of the one before."""

from typing import Literal

from langgraph.runtime import Runtime

from flotilla.rag.graphs.answer_nodes import models_for
from flotilla.rag.graphs.state import State, Tools
from flotilla.rag.llm.roles import Role

FEWEST_PASSAGES = 1
"""Passages that a grader has to leave, or the question is searched for in other words."""


def after_classification(state: State) -> Literal["retrieve", "end"]:
    """Small talk is answered already."""
    return "end" if "small_talk" in state else "retrieve"


def after_classification_for_research(
    state: State, runtime: Runtime[Tools]
) -> Literal["research", "retrieve", "end"]:
    """Small talk is answered already; without a model there is nobody to search with tools."""
    if "small_talk" in state:
        return "end"
    return "research" if models_for(runtime.context, Role.ANSWER) else "retrieve"


def after_grading(
    state: State, runtime: Runtime[Tools]
) -> Literal["rewrite", "search_web", "generate"]:
    """Another search while too little is left: in other words while the question may still be put
    so, and then on the web, once."""
    tools = runtime.context
    if len(state["passages"]) >= FEWEST_PASSAGES or tools.meter.remaining_seconds() <= 0:
        return "generate"
    searched_web = state.get("searched_web", False)
    again = state.get("searches", 0) <= tools.rewrites and not searched_web
    if again and models_for(tools, Role.REWRITE):
        return "rewrite"
    return "search_web" if tools.search_web is not None and not searched_web else "generate"
