"""Whoever has waited in vain for an answer is told what the task last failed with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from flotilla.errors import AnswerTimeout
from flotilla.gateway.routes.questions import awaited
from flotilla.schemas import Task, TaskFailure, TaskStatus

HANGS = "The embedding model's server did not reply in time."


def task(*failures: TaskFailure) -> Task:
    return Task(
        task_id="t",
        kind="query",
        status=TaskStatus.PROCESSING,
        queue="rag",
        created_at=datetime.now(UTC),
        failures=list(failures),
    )


def failure(message: str) -> TaskFailure:
    return TaskFailure(
        stage="rag.answer",
        code="dependency_unavailable",
        message=message,
        retryable=True,
        part=0,
        attempt=1,
        worker="w",
        failed_at=datetime.now(UTC),
    )


class Services:
    """A gateway whose fleet does not come to an end."""

    settings = SimpleNamespace(gateway=SimpleNamespace(sync_timeout=60.0))

    def __init__(self, seen: Task | None) -> None:
        self._seen = seen
        self.replies = self.submissions = self
        self.address = "a"

    @asynccontextmanager
    async def expect(self, job_id: str) -> AsyncIterator["Services"]:
        yield self

    async def wait(self, *_: object) -> None:
        return None

    async def submit(self, *_: object) -> None:
        return None

    async def read(self, *_: object) -> Task | None:
        return self._seen


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (task(failure(HANGS), failure("Another.")), f". Its last attempt failed: {HANGS}"),
        (task(), "/tasks/t."),
        (None, "/tasks/t."),
    ],
)
async def test_a_late_answer_says_why_it_is_late(seen: Task | None, told: str) -> None:
    services: Any = Services(seen)
    with pytest.raises(AnswerTimeout) as caught:
        await awaited(services, "t", "t", lambda _: None, lambda *_: None, 1.0)  # type: ignore[arg-type, return-value]
    assert caught.value.message.endswith(told)
    assert caught.value.retry_after is None


@pytest.mark.parametrize(("asked", "least", "most"), [(90.0, 80.0, 90.0), (0.001, 1.0, 1.0)])
async def test_it_says_how_long_its_task_was_told_to_wait(
    asked: float, least: float, most: float
) -> None:
    waiting = failure(HANGS).model_copy(update={"retry_after": asked})
    services: Any = Services(task(waiting))
    with pytest.raises(AnswerTimeout) as caught:
        await awaited(services, "t", "t", lambda _: None, lambda *_: None, 1.0)  # type: ignore[arg-type, return-value]
    assert caught.value.retry_after is not None
    assert least <= caught.value.retry_after <= most
