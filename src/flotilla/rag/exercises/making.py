"""Exercises on a topic, or on all that some collections hold: from passages to a sheet."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from typing import TYPE_CHECKING

from flotilla.errors import BudgetSpent, ModelRejected, ModelUnavailable
from flotilla.models import Passage
from flotilla.rag.exercises.by_model import AskStructured, written
from flotilla.rag.exercises.cloze import clozes
from flotilla.rag.exercises.exercise import Exercise, off_topic, sheet, shortage
from flotilla.rag.exercises.topics import NEAREST, on_topic
from flotilla.schemas import ExerciseMode, GenerateQuestionsResponse

if TYPE_CHECKING:
    from flotilla.rag.extractive.generator import ExtractiveGenerator

PASSAGES_EACH = 4
"""Passages that are looked at for each exercise: not every one holds a sentence that is fit."""

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
    sentences: "ExtractiveGenerator | None" = None,
    writer: Writer | None = None,
    checkpoint: Callable[[], None] | None = None,
) -> GenerateQuestionsResponse:
    """A sheet of at most `count` exercises on passages.

    Args:
        passages: nearest to the topic first; without a topic, in any order.
        topic: what they are about, if anything is asked for.
        count: how many are wanted.
        mode: what for.
        sentences: tells passages that have the topic in other words; without it, its own words
            count alone.
        writer: the language model; sentences with gaps are made where there is none, where its
            budget is spent before it has written anything, and, if they may stand in for it,
            where it fails before that.
        checkpoint: called before each call of the model; what it raises ends the work.

    Raises:
        ModelUnavailable: no model answers now, and nothing stands in for it.
        ModelRejected: the model's provider refuses this request, or it writes no exercises, and
            nothing stands in for it.
    """
    about = on_topic(passages, topic, sentences) if topic else in_turn(passages)
    # A model leaves out what is about something else, and reads other languages.
    shown = _with_nearest(passages, about) if topic else about
    choices = mode is ExerciseMode.QUIZ
    exercises: list[Exercise] | None = None
    notes: list[str] = []
    few: str | None = None
    if writer is not None and shown:
        try:
            exercises, few = written(
                writer.ask, shown, count, topic=topic, choices=choices, checkpoint=checkpoint
            )
        except (BudgetSpent, ModelRejected, ModelUnavailable) as error:
            if not isinstance(error, BudgetSpent) and not writer.may_extract:
                raise
            notes.append(f"The language model wrote none: {error.message}")
    if exercises is None:
        exercises = clozes(about, count, others=passages if choices else None)
        notes.append(CLOZES)
        if topic and passages and not about:
            few = off_topic(count)
        elif len(exercises) < count:
            few = shortage(len(exercises), count, topic=topic)
    if few is not None:
        notes.append(few)
    return GenerateQuestionsResponse(
        response=sheet(exercises, mode, topic=topic, notes=notes),
        timestamp=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _with_nearest(passages: Sequence[Passage], about: Sequence[Passage]) -> list[Passage]:
    kept = {passage.chunk_id for passage in (*passages[:NEAREST], *about)}
    return [passage for passage in passages if passage.chunk_id in kept]


def in_turn(passages: Sequence[Passage]) -> list[Passage]:
    """One passage of each document, then the next of each."""
    documents: dict[str, list[Passage]] = defaultdict(list)
    for passage in passages:
        documents[passage.document_id].append(passage)
    return [p for each in zip_longest(*documents.values()) for p in each if p is not None]
