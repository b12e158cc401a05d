"""What tests of batches do with them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import update

from flotilla.ledger import (
    batches,
    job_ends,
    job_views,
    submissions,
)
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, now
from flotilla.ledger.submissions import NewSource
from flotilla.ledger.tables import JOBS
from flotilla.schemas import DocumentAccepted, Refusal, Task, TaskError, TaskStatus

Source = Callable[..., NewSource]
ERROR = TaskError(
    stage="document.convert", code="file_corrupt", message="It is damaged.", retryable=False
)
REFUSAL = Refusal(name="large.pdf", code="file_too_large", message="large.pdf is too large.")


def open_batch(ledger: Database, **values: Any) -> str:
    with ledger.writing() as connection:
        return batches.open_batch(connection, DEFAULT_TENANT, **values)


def close(ledger: Database, batch_id: str) -> Task:
    with ledger.writing() as connection:
        return batches.close(connection, DEFAULT_TENANT, batch_id)


def submit(ledger: Database, batch_id: str | None, *sources: NewSource) -> list[DocumentAccepted]:
    with ledger.writing() as connection:
        return submissions.submit(connection, DEFAULT_TENANT, "default", sources, batch_id)


def many(source: Source, number: int) -> list[NewSource]:
    return [source(f"{at:03}.txt", f"text {at}".encode()) for at in range(number)]


def a_closed_batch(ledger: Database, source: Source, members: int) -> tuple[str, list[str]]:
    batch_id = open_batch(ledger, name="papers")
    accepted = submit(ledger, batch_id, *many(source, members))
    close(ledger, batch_id)
    return batch_id, [each.task_id for each in accepted]


def complete(ledger: Database, job_id: str) -> None:
    with ledger.writing() as connection:
        assert job_ends.complete(connection, job_id, {}) is not None


def shown(ledger: Database, job_id: str) -> Task:
    with ledger.reading() as connection:
        task = job_views.view(connection, DEFAULT_TENANT, job_id)
    assert task is not None
    return task


def members(ledger: Database, batch_id: str, status: TaskStatus | None = None) -> list[Task]:
    with ledger.reading() as connection:
        return job_views.listing(
            connection,
            DEFAULT_TENANT,
            status=status,
            kind=None,
            before=None,
            limit=1000,
            parent_id=batch_id,
        )


def progress(ledger: Database, batch_id: str) -> tuple[int, int | None]:
    found = shown(ledger, batch_id).progress
    assert found is not None
    assert found.unit == "documents"
    return found.done, found.total


def set_due(ledger: Database, *batch_ids: str) -> None:
    """Let the time pass for which a batch is left alone."""
    past = now() - timedelta(seconds=1)
    with ledger.writing() as connection:
        connection.execute(update(JOBS).where(JOBS.c.id.in_(batch_ids)).values(lease_until=past))
