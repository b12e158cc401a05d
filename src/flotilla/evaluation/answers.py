"""Asks a data set's questions for answers, and measures those that come."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from flotilla.client import ClientError, Flotilla
from flotilla.evaluation import checks
from flotilla.evaluation.data_sets import DataSet, Question
from flotilla.evaluation.gold import Gold
from flotilla.evaluation.judge import Judge
from flotilla.evaluation.retrieval import UNCACHED
from flotilla.evaluation.significance import Estimate, estimate
from flotilla.models import Answer, Mode

LONGEST_ANSWER = 300.0
"""Seconds that an answer may take."""

BY_CHECKS = "strings and quotes"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and what came of it: an answer, or the reason why there is none."""

    question: Question
    text: str
    answer: Answer | None
    took_ms: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """A mean over those questions that it can be told of, and who has judged."""

    estimate: Estimate
    questions: int
    judged_by: str


@dataclass(frozen=True, slots=True)
class AnswersReport:
    """How good the answers are.

    `model` names what wrote them; `errors` are questions that got no answer, with the reason;
    `unjudged` counts what the judge did not judge, since it did not reply as it has to.
    """

    model: str
    mode: str
    asked: int
    p50_ms: float
    p95_ms: float
    measures: dict[str, Measured]
    errors: Sequence[str] = ()
    unjudged: int = 0
    notes: Sequence[str] = field(default=())


def with_answers(data_set: DataSet) -> list[Question]:
    """The questions of which it is known what is right: an answer, a passage, or that there is
    none."""
    judged = {each.id for each in data_set.judged}
    return [
        each
        for each in data_set.questions
        if each.answer is not None or each.answerable is not None or each.id in judged
    ]


def ask(
    flotilla: Flotilla,
    collection: str,
    questions: Sequence[Question],
    form: str,
    mode: Mode | None,
    report: Callable[[int, int], None],
) -> list[Asked]:
    """Ask each question, past the caches; one that fails does not keep the others from it."""
    asked: list[Asked] = []
    for number, question in enumerate(questions, start=1):
        text = question.form(form)
        began = time.perf_counter()
        answer, error = None, None
        try:
            answer = flotilla.ask(
                text,
                collections=[collection],
                mode=mode,
                timeout=LONGEST_ANSWER,
                cache_control=UNCACHED,
            )
        except ClientError as failure:
            error = f"{question.id}: {failure}"
        asked.append(Asked(question, text, answer, 1000 * (time.perf_counter() - began), error))
        report(number, len(questions))
    return asked


def measure(
    asked: Sequence[Asked],
    gold: Gold,
    judge: Judge | None,
    mode: Mode | None,
    report: Callable[[int, int], None],
) -> AnswersReport:
    """Refusals, groundedness and correctness of the answers.

    A refusal of a question that has an answer counts as an answer that has nothing of it.
    Groundedness is of answers alone, not of refusals.
    """
    values: dict[tuple[str, str], list[float]] = {}
    answered = [each for each in asked if each.answer is not None]
    unjudged = 0
    for number, each in enumerate(answered, start=1):
        assert each.answer is not None  # noqa: S101 - these are the answered ones
        for name, value in _checked(each.question, each.answer, gold).items():
            values.setdefault((name, BY_CHECKS), []).append(value)
        if judge is not None:
            verdicts = _judged(judge, each, each.answer, gold)
            for name, verdict in verdicts.items():
                if verdict is None:
                    unjudged += 1
                else:
                    values.setdefault((name, judge.name), []).append(verdict)
        report(number, len(answered))
    times = [each.took_ms for each in answered] or [0.0]
    p50, p95 = np.percentile(times, (50, 95))
    models = sorted({each.answer.model for each in answered if each.answer is not None})
    return AnswersReport(
        model=", ".join(models),
        mode=mode.value if mode is not None else "as configured",
        asked=len(asked),
        p50_ms=float(p50),
        p95_ms=float(p95),
        measures={
            name: Measured(estimate(np.array(found)), len(found), by)
            for (name, by), found in values.items()
        },
        errors=[each.error for each in asked if each.error is not None],
        unjudged=unjudged,
        notes=[_note(judge)],
    )


def _note(judge: Judge | None) -> str:
    if judge is None:
        return (
            "Judged by strings and quotes alone, since no judge model is configured: words say "
            "little of whether an answer is right. Set LLM_MODEL, or give --judge MODEL."
        )
    return (
        f"Correctness and groundedness are judged by {judge.name} with the prompts of openevals, "
        "what is named after words and quotes by strings."
    )


def _has_answer(question: Question, gold: Gold) -> bool:
    """Whether there is an answer to it, as its label says, or else the gold."""
    if question.answerable is not None:
        return question.answerable
    return question.answer is not None or gold.knows(question.id)


def _checked(question: Question, answer: Answer, gold: Gold) -> dict[str, float]:
    if not _has_answer(question, gold):
        return {"refused, where there is no answer": float(not answer.answerable)}
    found = {"answered, where there is an answer": float(answer.answerable)}
    text = answer.text if answer.answerable else ""
    if question.answer is not None:
        found |= checks.against_right_answer(text, question.answer)
    if answer.answerable:
        found |= checks.against_passages(answer)
        if gold.knows(question.id):
            found |= {
                "quotes from what is right": gold.share(question.id, answer.citations),
                "a quote from what is right": float(gold.share(question.id, answer.citations) > 0),
            }
    return found


def _judged(judge: Judge, asked: Asked, answer: Answer, gold: Gold) -> dict[str, float | None]:
    question = asked.question
    if not _has_answer(question, gold):
        return {}
    if not answer.answerable:
        return {"correct": 0.0} if question.answer is not None else {}
    found: dict[str, float | None] = {
        "grounded": judge.grounded(answer.text, [each.text for each in answer.passages])
    }
    if question.answer is not None:
        found["correct"] = judge.correct(asked.text, answer.text, question.answer)
    return found
