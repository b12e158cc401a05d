"""What a run of a graph comes to: the answer, its trace, and what it took."""

from typing import TYPE_CHECKING, Any

from flotilla.models import Answer, Mode, ModelCall, Query, Step
from flotilla.rag.citations import by_chunk

if TYPE_CHECKING:
    from flotilla.rag.llm import Meter


def calls_before(calls: list[ModelCall]) -> list[Step]:
    """The step of the calls that were made before the graph began: those for a follow-up."""
    if not calls:
        return []
    took = round(sum(call.took for call in calls), 2)
    return [Step(name="follow_up", started=0.0, took=took, calls=tuple(calls))]


def answer_of(
    query: Query,
    mode: Mode,
    state: dict[str, Any],
    meter: "Meter",
    notes: list[str],
    failed: list[Step],
) -> Answer:
    """The answer with its trace and what it took.

    Args:
        query: what was asked.
        mode: the graph that was run.
        state: with which the graph ended.
        meter: has counted the run's model calls, and those of attempts before it.
        notes: what a reader should know beside what the steps have noted.
        failed: the steps of attempts that failed as a whole.
    """
    draft, steps = state["draft"], state["steps"]
    spent = {
        name: round(sum(step.took for step in steps if step.name == name), 2)
        for name in ("retrieve", "generate")
    }
    cited = {citation.chunk_id for citation in draft.citations}
    noted = [*notes, *state["notes"]] if "small_talk" not in state else state["notes"]
    overspent = meter.overspent()
    # A refusal shows what was found nearby too, also where a grader has set it aside.
    shown = list(state.get("passages", []))
    if not draft.answerable or not shown:
        shown += [each for each in state.get("found", []) if each not in shown]
    return Answer(
        question=query.question,
        text=draft.text,
        answerable=draft.answerable,
        citations=draft.citations,
        passages=tuple(
            each
            for place, each in enumerate(shown)
            if place < query.top_k or by_chunk([each]).keys() & cited
        ),
        model=draft.model,
        mode=mode,
        unsupported=tuple(state.get("unsupported", [])),
        notes=(*noted, overspent) if overspent is not None else tuple(noted),
        fallback_used=state.get("fallback") or meter.fallback_used,
        trace=(*failed, *steps),
        usage=meter.usage(),
        timings=spent,
    )
