"""Exercises that a language model writes from passages."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pydantic import BaseModel, Field

from flotilla.errors import BudgetSpent, ModelRejected, ModelUnavailable
from flotilla.logging import get_logger
from flotilla.models import Passage
from flotilla.rag.claims import Claim
from flotilla.rag.exercises.cloze import source_of
from flotilla.rag.exercises.exercise import CHOICES, Exercise
from flotilla.rag.generate import passages_as_data
from flotilla.rag.inactive import inactive
from flotilla.rag.prompts import prompt
from flotilla.rag.refusals import ENGLISH, tongue_of
from flotilla.rag.support import lacking
from flotilla.rag.text.numerals import numbers
from flotilla.rag.text.terms import terms
from flotilla.rag.untrusted import as_data

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

logger = get_logger(__name__)

PROMPT = "generate_questions.v2"

BATCH, QUIZ_BATCH = 8, 5
"""Exercises that are asked for at once: about 60 tokens each as JSON, and twice as many with wrong
answers, so that a reply of the usual length (FLOTILLA_LLM_MAX_TOKENS) holds them."""

PASSAGES = 8
"""Passages that are shown for a batch."""

REPEATED = 0.8
"""Share of the terms of the shorter question from which on two with one answer ask the same."""

OFTEN = "it was asked as often as it may be, and wrote few each time."

_WORD = re.compile(r"\w+")
_NO_NAMES = frozenset({"yes", "no", "true", "false", "ja", "nein", "oui", "non", "sí"})


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


@dataclass(slots=True)
class _Sheet:
    """What was written so far, each question once."""

    exercises: list[Exercise] = field(default_factory=list)
    _seen: set[tuple[str, ...]] = field(default_factory=set)
    _asked: dict[str, list[frozenset[str]]] = field(default_factory=dict)

    def add(self, exercise: Exercise) -> bool:
        """Keep it, unless it is there already, in other words perhaps; whether it was kept."""
        words = tuple(_WORD.findall(exercise.question.casefold()))
        mine = frozenset(terms(exercise.question))
        alike = self._asked.setdefault(exercise.answer.casefold(), [])
        repeats = any(
            mine and other and len(mine & other) >= REPEATED * min(len(mine), len(other))
            for other in alike
        )
        if words in self._seen or repeats:
            return False
        self._seen.add(words)
        alike.append(mine)
        self.exercises.append(exercise)
        return True


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

    Where all passages were shown and there are too few, the model is asked for further ones on the
    same passages, and told which are there. Passages that brought nothing new are not shown again,
    and no more calls are made than `most_calls`.

    Kept are those that name one of the passages they were shown, the numbers and names of whose
    answers stand in it, and that have three wrong answers where choices are wanted; each question
    once. `checkpoint` is called before each call of the model, and what it raises ends the work.

    Returns:
        The exercises, and where there are fewer than `count`, a sentence that says why.

    Raises:
        BudgetSpent, ModelRejected, ModelUnavailable: before anything was written.
    """
    made = _Sheet()
    most = QUIZ_BATCH if choices else BATCH
    batches = [passages[first : first + PASSAGES] for first in range(0, len(passages), PASSAGES)]
    calls_left = most_calls(len(batches), count, most)
    while batches and len(made.exercises) < count:
        fruitful = []
        for shown in batches:
            missing = count - len(made.exercises)
            if missing <= 0:
                break
            if calls_left == 0:
                return made.exercises, _few(made, count, OFTEN)
            calls_left -= 1
            if checkpoint is not None:
                checkpoint()
            messages = _messages(shown, min(most, missing), topic, choices, made.exercises)
            try:
                reply = ask(messages, WrittenQuestions)
            except (BudgetSpent, ModelRejected, ModelUnavailable) as error:
                if not made.exercises:
                    raise
                logger.warning("questions.cut_short", code=error.code, written=len(made.exercises))
                return made.exercises[:count], _few(made, count, error.message)
            found = [_exercise(each, shown, choices=choices) for each in reply.questions]
            if sum(made.add(exercise) for exercise in found if exercise is not None):
                fruitful.append(shown)
        batches = fruitful
    if len(made.exercises) >= count:
        return made.exercises[:count], None
    return made.exercises, _few(made, count, _exhausted(len(passages), topic))


def most_calls(batches: int, count: int, most: int) -> int:
    """How often the model is asked at most: once for each batch of passages, and twice as often as
    a model needs that writes as many as it is asked for."""
    return batches + 2 * -(-count // most)


def _few(made: _Sheet, count: int, why: str) -> str:
    wrote = f"the language model wrote {len(made.exercises) or 'none'}"
    return f"Of {count} questions asked for, {wrote}: {why}"


def _exhausted(passages: int, topic: str | None) -> str:
    """Why there are fewer where the model was asked about all passages until it had no more."""
    shown = "the passage" if passages == 1 else f"the {passages} passages"
    which = "nearest to the topic" if topic else "that were looked at"
    return f"it brought no more that {shown} {which} {'bears' if passages == 1 else 'bear'} out."


def _messages(
    passages: Sequence[Passage],
    count: int,
    topic: str | None,
    choices: bool,
    there: Sequence[Exercise],
) -> "list[BaseMessage]":
    from langchain_core.messages import HumanMessage, SystemMessage

    lines = [passages_as_data(passages), "", f"Number of questions: {count}"]
    if topic:
        lines.append(f"Topic: {as_data(topic)}")
    lines.append(f"Wrong answers: {'three for each question' if choices else 'none'}")
    if there:
        lines += ["Questions that are there already:", *(f"- {as_data(e.question)}" for e in there)]
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
    if _strange(question, answer, passage):
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


def _strange(question: str, answer: str, passage: Passage) -> bool:
    """Whether an answer has a name that its passage lacks; in a language whose names are not told
    from other words, whether it is written large and has no word of the passage."""
    if answer.casefold().rstrip(".!") in _NO_NAMES:
        return False
    first, *others = answer.split()
    if tongue_of(question) != ENGLISH:
        known = terms(" ".join((passage.document_name, *passage.heading_path, passage.text)))
        return first[0].isupper() and not numbers(answer) and not {*terms(answer)} & {*known}
    # The first word is written large whatever it is: "Every Monday".
    if others:
        first = first[0].lower() + first[1:]
    said = " ".join(("so that it is this one:", "it is", first, *others))
    return lacking(Claim(said, 0, len(said), ()), [passage], "") is not None


def _plain(text: str, vouched: Sequence[str]) -> str:
    return " ".join(inactive(text, vouched).split())
