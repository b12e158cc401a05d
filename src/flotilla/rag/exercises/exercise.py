"""An exercise, and the sheet on which several of them are handed out."""

import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from flotilla.rag.inactive import inactive
from flotilla.schemas import ExerciseMode

CHOICES = 4
"""Answers to choose from in a quiz, the right one among them."""


@dataclass(frozen=True, slots=True)
class Exercise:
    """A question with its answer, where the answer stands, and wrong answers for a quiz."""

    question: str
    answer: str
    source: str
    wrong: tuple[str, ...] = ()


def sheet(
    exercises: Sequence[Exercise],
    mode: ExerciseMode,
    *,
    topic: str | None,
    notes: Sequence[str] = (),
) -> str:
    """The exercises as a text of numbered lines.

    For practice each has its answer and its source below; for a quiz each has the answers to
    choose from, and the right ones stand at the end. `notes` are what a reader has to know of how
    they were made.
    """
    lines = [_title(len(exercises), mode, topic), *notes]
    key = []
    for number, exercise in enumerate(exercises, 1):
        lines += ["", f"{number}. {_shown(exercise.question)}"]
        if mode is ExerciseMode.PRACTICE:
            lines.append(f"   Answer: {_shown(exercise.answer)}")
            lines.append(f"   Source: {_shown(exercise.source)}")
            continue
        choices = [exercise.answer, *exercise.wrong[: CHOICES - 1]]
        # The same exercise has its answers in the same order always.
        random.Random(zlib.crc32(exercise.question.encode())).shuffle(choices)
        letters = dict(zip(choices, ascii_uppercase, strict=False))
        lines += [f"   {letter}) {_shown(choice)}" for choice, letter in letters.items()]
        right = f"{letters[exercise.answer]}) {_shown(exercise.answer)}"
        key.append(f"{number}. {right} ({_shown(exercise.source)})")
    if key:
        lines += ["", "Answers", *key]
    return "\n".join(lines)


def _title(number: int, mode: ExerciseMode, topic: str | None) -> str:
    what = "Quiz" if mode is ExerciseMode.QUIZ else "Practice questions"
    about = f" on {_shown(topic)}" if topic else ""
    return f"{what}{about}: {number} question{'' if number == 1 else 's'}"


def shortage(number: int, wanted: int, *, topic: str | None) -> str:
    """The sentence that says how few exercises the documents gave without a language model."""
    where = "what the documents say of it" if topic else "the documents"
    if number == 0:
        gave = f"{where} gave none: add documents, or ask for another topic or collection."
    else:
        gave = f"{where} gave {number}."
    return f"Of {wanted} questions asked for, {gave}"


def off_topic(wanted: int) -> str:
    """The sentence that says that the documents do not have the topic."""
    return (
        f"Of {wanted} questions asked for, none was made: the documents say nothing of it, or say "
        "it in other words. Ask in the documents' words, or for another topic or collection."
    )


def _shown(text: str) -> str:
    return inactive(" ".join(text.split()), (text,))
