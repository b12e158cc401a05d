"""What the attempts before this one have asked of language models: it counts, whether a checkpoint
keeps it or not."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flotilla.models import ModelCall, Step

if TYPE_CHECKING:
    from flotilla.rag.checkpoints import Checkpoints
    from flotilla.rag.graphs.state import State
    from flotilla.rag.llm import Meter

STEP = "earlier_attempts"
"""The step that has the calls of failed attempts."""


def kept_steps(saved: "State", thread: str | None, checkpoints: "Checkpoints") -> list[Step]:
    """The finished steps that a run's checkpoints keep."""
    from flotilla.rag.graphs.research_tools import steps_of

    steps = [*saved["steps"]]
    if thread is not None and all(step.name != "research" for step in steps):
        # An agent's steps come to the others with the end of its search.
        steps += steps_of(checkpoints.conversation(thread))
    return steps


def unkept_calls(calls: Sequence[ModelCall], kept: Sequence[Step]) -> list[dict[str, Any]]:
    """Those of a run's calls that stand in none of the kept steps, as JSON for the next attempt."""
    left = list(calls)
    for call in (call for step in kept for call in step.calls):
        if call in left:
            left.remove(call)
    return [call.model_dump(mode="json") for call in left]


def failed_attempts(calls: Sequence[dict[str, Any]], meter: "Meter") -> list[Step]:
    """The step of the calls that attempts have left to this one, of which the meter is told; none
    where there are none."""
    made = tuple(ModelCall.model_validate(call) for call in calls)
    if not made:
        return []
    for call in made:
        meter.record(call)
    took = round(sum(call.took for call in made), 2)
    saw = {"calls": len(made), "failed": sum(call.error is not None for call in made)}
    return [Step(name=STEP, started=0.0, took=took, saw=saw, calls=made)]
