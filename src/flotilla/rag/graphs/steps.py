"""Nodes as they are run: timed, written into the trace, and told."""

from collections.abc import Callable
from typing import Any, Protocol

from langgraph.runtime import Runtime

from flotilla.models import Step
from flotilla.rag.graphs.state import State, Tools

Update = dict[str, Any]
Node = Callable[[State, Tools], tuple[Update, dict[str, Any]]]
"""What a node changes of the state, and what it saw, for the trace."""


class GraphNode(Protocol):
    """A node as LangGraph calls it."""

    def __call__(self, state: State, *, runtime: Runtime[Tools]) -> Update: ...


def traced(name: str, node: Node) -> GraphNode:
    """A node as the graph calls it: its step, with the model calls it made, goes into the trace."""

    def run(state: State, *, runtime: Runtime[Tools]) -> Update:
        tools = runtime.context
        began = tools.clock()
        calls = len(tools.meter.calls)
        update, saw = node(state, tools)
        if tools.models is not None:
            # Who has lost the run leaves no state, or whoever has it now might go on from that.
            tools.checkpoint()
        inner = update.get("steps", [])
        counted = sum(len(step.calls) for step in inner)
        step = step_since(tools, name, began, calls + counted, saw)
        # Those within a node were told as they came.
        tools.told.tell(step)
        return update | {"steps": [*inner, step]}

    return run


def step_since(tools: Tools, name: str, began: float, calls: int, saw: dict[str, Any]) -> Step:
    """The step that began at `began` of the run's clock, when so many model calls were made."""
    return Step(
        name=name,
        started=round(1000 * began, 2),
        took=round(1000 * (tools.clock() - began), 2),
        saw=saw,
        calls=tuple(tools.meter.calls[calls:]),
    )
