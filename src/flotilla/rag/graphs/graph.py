"""The graphs, by the mode that a request names."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from langgraph.graph import END, START, StateGraph

from flotilla.models import Mode
from flotilla.rag.graphs import answer_nodes, corrective_nodes, edges, web_nodes
from flotilla.rag.graphs.state import State, Tools
from flotilla.rag.graphs.steps import Node, traced

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver


Builder = StateGraph[State, Tools, State, State]


def _of(nodes: Mapping[str, Node]) -> Builder:
    graph: Builder = StateGraph(State, context_schema=Tools)
    for name, node in nodes.items():
        graph.add_node(name, traced(name, node))
    return graph


def _simple() -> Builder:
    graph = _of({"retrieve": answer_nodes.retrieve, "generate": answer_nodes.generate})
    graph.add_edge(START, "retrieve")
    graph.add_edge("retrieve", "generate")
    graph.add_edge("generate", END)
    return graph


def _crag() -> Builder:
    graph = _of(
        {
            "classify": corrective_nodes.classify,
            "retrieve": answer_nodes.retrieve,
            "grade": corrective_nodes.grade,
            "rewrite": corrective_nodes.rewrite,
            "search_web": web_nodes.search_web,
            "generate": answer_nodes.generate,
            "verify": corrective_nodes.verify,
        }
    )
    graph.add_edge(START, "classify")
    graph.add_conditional_edges(
        "classify", edges.after_classification, {"retrieve": "retrieve", "end": END}
    )
    graph.add_edge("retrieve", "grade")
    graph.add_conditional_edges("grade", edges.after_grading, ["rewrite", "search_web", "generate"])
    graph.add_edge("rewrite", "retrieve")
    graph.add_edge("search_web", "grade")
    graph.add_edge("generate", "verify")
    graph.add_edge("verify", END)
    return graph


def _react() -> Builder:
    # Imported here: agents take a while to import, which the other modes need not wait for.
    from flotilla.rag.graphs.research_nodes import research

    graph = _of(
        {
            "classify": corrective_nodes.classify,
            "research": research,
            "retrieve": answer_nodes.retrieve,
            "generate": answer_nodes.generate,
            "verify": corrective_nodes.verify,
        }
    )
    graph.add_edge(START, "classify")
    graph.add_conditional_edges(
        "classify",
        edges.after_classification_for_research,
        {"research": "research", "retrieve": "retrieve", "end": END},
    )
    graph.add_edge("research", "generate")
    graph.add_edge("retrieve", "generate")
    graph.add_edge("generate", "verify")
    graph.add_edge("verify", END)
    return graph


_GRAPHS = {Mode.SIMPLE: _simple, Mode.CRAG: _crag, Mode.REACT: _react}


@lru_cache
def small_talk_graph() -> Any:
    """The compiled graph of a message that the rule knows for small talk, in a mode that asks
    nobody what a message is."""
    graph = _of({"classify": corrective_nodes.classify})
    graph.add_edge(START, "classify")
    graph.add_edge("classify", END)
    return graph.compile()


@lru_cache
def graph_of(mode: Mode, saver: "BaseCheckpointSaver[Any] | None" = None) -> Any:
    """The compiled graph of a mode; it is run with a `State` and `Tools` as its context, and leaves
    its checkpoints with the saver, where there is one."""
    return _GRAPHS[mode]().compile(checkpointer=saver)
