"""What ends an answer's stream, as the ledger has it."""

import json
from collections.abc import Sequence
from typing import Any

from flotilla.answer_streams.entries import Entry, Kind, common_length, fold, token
from flotilla.errors import Cancelled, FlotillaError
from flotilla.gateway.problems import from_task
from flotilla.schemas import AnswerEventName, Problem, Task, TaskStatus


def closing_entries(task: Task, told: Sequence[Entry] | None) -> list[Entry]:
    """What follows on what was told of a task that is over; the last is `done` or `error`.

    An answer that was told in part is told to its end, and one that was not, as a whole: the text
    in one piece, then its citations. So all that was told comes to what `done` has.

    Args:
        task: the task, with its result.
        told: all that its stream holds, or None where that is not known.
    """
    if task.status is not TaskStatus.COMPLETED:
        closing = [(AnswerEventName.ERROR.value, _problem(task).model_dump_json(exclude_none=True))]
    else:
        answer = {"task_id": task.task_id, **(task.result or {})}
        closing = [] if told is None else _untold(answer, told)
        closing.append((AnswerEventName.DONE.value, _json(answer)))
    first = told[-1].number + 1 if told else 1
    return [Entry(number, kind, data) for number, (kind, data) in enumerate(closing, first)]


def _untold(answer: dict[str, Any], told: Sequence[Entry]) -> list[tuple[str, str]]:
    written, text = fold(told), answer["text"]
    found = [] if told else [(Kind.TRACE.value, _json(step)) for step in answer.get("trace", ())]
    start = common_length(written.text, text)
    if start < max(len(written.text), len(text)):
        found.append((Kind.TOKEN.value, token(text[start:], start)))
    found += [
        (Kind.CITATION.value, _json(citation))
        for citation in answer["citations"]
        if citation not in written.citations
    ]
    return found


def _problem(task: Task) -> Problem:
    if task.error is not None:
        error = from_task(task.error, task.task_id)
    else:
        error = Cancelled("The task was cancelled before it had an answer.", task_id=task.task_id)
    return problem_of(error)


def problem_of(error: FlotillaError) -> Problem:
    """An error as a problem document, outside of a request."""
    return Problem(
        title=error.title(),
        status=error.status,
        detail=error.message,
        code=error.code,
        retryable=error.retryable,
        retry_after=error.retry_after,
        **error.details,
    )


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
