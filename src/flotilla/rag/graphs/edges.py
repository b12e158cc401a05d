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


def after_grading(state: State, runtime: Runtime[Tools]) -> Literal["rewrite", "generate"]:
    """Another search, while too little is left and the question may still be put otherwise."""
    tools = runtime.context
    enough = len(state["passages"]) >= FEWEST_PASSAGES
    again = state.get("searches", 0) <= tools.rewrites and tools.meter.remaining_seconds() > 0
    return "rewrite" if not enough and again and models_for(tools, Role.REWRITE) else "generate"
