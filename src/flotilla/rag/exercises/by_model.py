"""Exercises that a language model writes from passages."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from pydantic import BaseModel, Field

from flotilla.errors import BudgetSpent, ModelRejected, ModelUnavailable
from flotilla.logging import get_logger
from flotilla.models import Passage
from flotilla.rag.exercises.cloze import source_of
from flotilla.rag.exercises.exercise import CHOICES, Exercise
from flotilla.rag.generate import passages_as_data
from flotilla.rag.inactive import inactive
from flotilla.rag.numerals import numbers
from flotilla.rag.prompts import prompt
from flotilla.rag.untrusted import as_data

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

logger = get_logger(__name__)

PROMPT = "generate_questions.v1"

BATCH, QUIZ_BATCH = 8, 5
"""Exercises that are asked for at once: about 60 tokens each as JSON, and twice as many with wrong
answers, so that a reply of the usual length (FLOTILLA_LLM_MAX_TOKENS) holds them."""

PASSAGES = 8
"""Passages that are shown for a batch."""


class WrittenQuestion(BaseModel):
    """One question about a passage."""

    question: str = Field(description="The question, understood without seeing the passage.")
    answer: str = Field(description="The answer, short, as the passage has it.")
    passage: int = Field(description="The number of the passage that answers it.")
    wrong_answers: list[str] = Field(
        default_factory=list,
        description="Three wrong answers that are plausible and of the same kind as the right one.",
    )


class WrittenQuestions(BaseModel):
    """Questions about the passages."""

    questions: list[WrittenQuestion]


class AskStructured(Protocol):
    """A language model's reply of a form, such as `Models.structured` bound to its role, its meter
    and `PROMPT`."""

    def __call__(
        self, messages: "Sequence[BaseMessage]", schema: type[WrittenQuestions], /
    ) -> WrittenQuestions: ...


def written(
    ask: AskStructured,
    passages: Sequence[Passage],
    count: int,
    *,
    topic: str | None,
    choices: bool,
    checkpoint: Callable[[], None] | None = None,
) -> tuple[list[Exercise], str | None]:
    """At most `count` exercises, a few passages and a call of the model at a time.

    Kept are those that name one of the passages they were shown, whose numbers stand in it, and
    that have three wrong answers where choices are wanted; each question once. `checkpoint` is
    called before each call of the model, and what it raises ends the work.

    Returns:
        The exercises, and where the model wrote no more of them, a sentence that says why.

    Raises:
        BudgetSpent, ModelRejected, ModelUnavailable: before anything was written.
    """
    exercises: list[Exercise] = []
    seen: set[str] = set()
    most = QUIZ_BATCH if choices else BATCH
    for first in range(0, len(passages), PASSAGES):
        if len(exercises) >= count:
            break
        if checkpoint is not None:
            checkpoint()
        shown = passages[first : first + PASSAGES]
        wanted = min(most, count - len(exercises))
        try:
            reply = ask(_messages(shown, wanted, topic, choices), WrittenQuestions)
        except (BudgetSpent, ModelRejected, ModelUnavailable) as error:
            if not exercises:
                raise
            logger.warning("questions.cut_short", code=error.code, written=len(exercises))
            few = f"Of {count} questions asked for, the language model wrote {len(exercises)}"
            return exercises, f"{few}: {error.message}"
        for each in reply.questions:
            exercise = _exercise(each, shown, choices=choices)
            if exercise is not None and exercise.question.casefold() not in seen:
                seen.add(exercise.question.casefold())
                exercises.append(exercise)
    return exercises[:count], None


def _messages(
    passages: Sequence[Passage], count: int, topic: str | None, choices: bool
) -> "list[BaseMessage]":
    from langchain_core.messages import HumanMessage, SystemMessage

    lines = [passages_as_data(passages), "", f"Number of questions: {count}"]
    if topic:
        lines.append(f"Topic: {as_data(topic)}")
    lines.append(f"Wrong answers: {'three for each question' if choices else 'none'}")
    return [SystemMessage(prompt(PROMPT)), HumanMessage("\n".join(lines))]


def _exercise(
    found: WrittenQuestion, passages: Sequence[Passage], *, choices: bool
) -> Exercise | None:
    """The exercise, or None where it does not hold."""
    if not 1 <= found.passage <= len(passages):
        return None
    passage = passages[found.passage - 1]
    texts = (passage.text,)
    question, answer = (_plain(text, texts) for text in (found.question, found.answer))
    if not question or not answer or not numbers(answer) <= numbers(passage.text):
        return None
    wrong: list[str] = []
    for text in found.wrong_answers:
        other = _plain(text, texts)
        taken = {answer.casefold(), *(known.casefold() for known in wrong)}
        if other and other.casefold() not in taken:
            wrong.append(other)
    if choices and len(wrong) < CHOICES - 1:
        return None
    return Exercise(question, answer, source_of(passage), tuple(wrong[: CHOICES - 1]))


def _plain(text: str, vouched: Sequence[str]) -> str:
    return " ".join(inactive(text, vouched).split())
