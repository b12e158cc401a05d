"""Exercises on a topic, or on all that some collections hold: from passages to a sheet."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest

from flotilla.errors import BudgetSpent, ModelUnavailable
from flotilla.models import Passage
from flotilla.rag.exercises.by_model import AskStructured, written
from flotilla.rag.exercises.cloze import clozes
from flotilla.rag.exercises.exercise import Exercise, sheet, shortage
from flotilla.rag.terms import coverage, terms, weights
from flotilla.schemas import ExerciseMode, GenerateQuestionsResponse

PASSAGES_EACH = 4
"""Passages that are looked at for each exercise: not every one holds a sentence that is fit."""

NEAREST = 3
"""Passages that count as about a topic whatever their words, which may be of another language."""

ON_TOPIC = 0.5
"""Share of a topic's words, by weight, that any other passage needs."""

FEWEST_PASSAGES = 20
MOST_PASSAGES = 400


CLOZES = "No language model was used: these are sentences of the documents, each with a gap."


@dataclass(frozen=True, slots=True)
class Writer:
    """A language model that writes exercises, and whether sentences with gaps may stand in for it
    where it does not answer."""

    ask: AskStructured
    may_extract: bool = False


def passages_wanted(count: int) -> int:
    """How many passages to look at for so many exercises."""
    return min(MOST_PASSAGES, max(FEWEST_PASSAGES, PASSAGES_EACH * count))


def make(
    passages: Sequence[Passage],
    *,
    topic: str | None,
    count: int,
    mode: ExerciseMode,
    writer: Writer | None = None,
    checkpoint: Callable[[], None] | None = None,
) -> GenerateQuestionsResponse:
    """A sheet of at most `count` exercises on passages.

    Args:
        passages: nearest to the topic first; without a topic, in any order.
        topic: what they are about, if anything is asked for.
        count: how many are wanted.
        mode: what for.
        writer: the language model; sentences with gaps are made where there is none, and where
            its budget is spent before it has written anything.
        checkpoint: called before each call of the model; what it raises ends the work.

    Raises:
        ModelUnavailable: no model answers now, and nothing stands in for it.
        ModelRejected: the model's provider refuses this request, or it writes no exercises.
    """
    asked_of = on_topic(passages, topic) if topic else in_turn(passages)
    choices = mode is ExerciseMode.QUIZ
    exercises: list[Exercise] | None = None
    notes: list[str] = []
    cut_short: str | None = None
    if writer is not None:
        try:
            exercises, cut_short = written(
                writer.ask, asked_of, count, topic=topic, choices=choices, checkpoint=checkpoint
            )
        except (BudgetSpent, ModelUnavailable) as error:
            if isinstance(error, ModelUnavailable) and not writer.may_extract:
                raise
            notes.append(f"The language model wrote none: {error.message}")
    if exercises is None:
        exercises = clozes(asked_of, count, others=passages if choices else None)
        notes.append(CLOZES)
    if cut_short is not None:
        notes.append(cut_short)
    elif len(exercises) < count:
        notes.append(shortage(len(exercises), count, topic=topic))
    return GenerateQuestionsResponse(
        response=sheet(exercises, mode, topic=topic, notes=notes),
        timestamp=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def on_topic(passages: Sequence[Passage], topic: str) -> list[Passage]:
    """Those of retrieved passages that are about the topic: the nearest ones, and those that have
    half of its words. Retrieval finds as many as it is asked for, whatever they are about."""
    worded = [terms(p.text) for p in passages]
    around = [terms(" ".join((p.document_name, *p.heading_path))) for p in passages]
    weight = weights(worded)
    asked = terms(topic)
    return [
        passage
        for place, passage in enumerate(passages)
        if place < NEAREST or coverage(asked, worded[place], weight, around[place]) >= ON_TOPIC
    ]


def in_turn(passages: Sequence[Passage]) -> list[Passage]:
    """One passage of each document, then the next of each."""
    documents: dict[str, list[Passage]] = defaultdict(list)
    for passage in passages:
        documents[passage.document_id].append(passage)
    return [p for each in zip_longest(*documents.values()) for p in each if p is not None]
