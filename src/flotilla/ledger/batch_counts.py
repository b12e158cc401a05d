"""Counting a batch's members: how many are over, whether all are, and how the batch ends then.

A member's end adds one to what the batch shows as done. Its members are counted anew only once, at
its end: a batch of a hundred thousand must not be counted a hundred thousand times.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, case, func, select, update

from flotilla.ledger.database import now
from flotilla.ledger.jobs import OPEN
from flotilla.ledger.tables import JOBS
from flotilla.schemas import BatchResult, DuplicateMember, FailedMember, TaskStatus

jobs = JOBS.c

UNIT = "documents"
OTHERS_PAUSE = timedelta(seconds=5)
"""After which a batch that waits for other tasks is looked at again."""

LISTED = 100
"""Failed members, and duplicates, that a batch's result names; `GET /tasks?parent=` lists all."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a batch ends."""

    status: TaskStatus
    documents: int
    result: BatchResult


def count(connection: Connection, batch_id: str, ended: int) -> Row[Any] | None:
    """Show that so many more members are over; nobody else counts until this transaction is over.

    Returns the batch's `stage`, `payload` and `cancel_requested_at`, or None when it is over.
    """
    done = func.coalesce(jobs.progress_done, 0) + ended
    return connection.execute(
        update(JOBS)
        .where(jobs.id == batch_id, jobs.kind == "batch", jobs.status.in_(OPEN))
        .values(
            progress_done=done,
            # More have come than were announced.
            progress_total=case((jobs.progress_total < done, done), else_=jobs.progress_total),
            progress_unit=UNIT,
            progress_since=func.coalesce(jobs.progress_since, now()),
        )
        .returning(jobs.stage, jobs.payload, jobs.cancel_requested_at)
    ).one_or_none()


def look_again(connection: Connection, batch_id: str) -> None:
    """Have a closed batch looked at a little later: it waits for tasks that are not its members."""
    connection.execute(
        update(JOBS).where(jobs.id == batch_id).values(lease_until=now() + OTHERS_PAUSE)
    )


def any_open(connection: Connection, batch_id: str) -> bool:
    """Whether a member is not over."""
    found = select(jobs.id).where(jobs.parent_id == batch_id, jobs.status.in_(OPEN)).limit(1)
    return connection.scalar(found) is not None


def members(connection: Connection, batch_id: str) -> dict[str, int]:
    """How many members are in each state."""
    rows = connection.execute(
        select(jobs.status, func.count()).where(jobs.parent_id == batch_id).group_by(jobs.status)
    )
    return {row[0]: row[1] for row in rows}


def outcome(connection: Connection, batch_id: str, batch: Row[Any]) -> Outcome:
    """How a batch ends whose members are all over.

    A re-indexing that was cancelled because its document is gone, or has a newer version, is not
    missed; an ingestion is.
    """
    counts = members(connection, batch_id)
    total = sum(counts.values())
    completed = counts.get(TaskStatus.COMPLETED.value, 0)
    failed = counts.get(TaskStatus.FAILED.value, 0)
    cancelled = counts.get(TaskStatus.CANCELLED.value, 0)
    missed = failed if "reindex" in batch.payload else failed + cancelled
    if batch.cancel_requested_at is not None:
        status = TaskStatus.CANCELLED
    elif not missed:
        status = TaskStatus.COMPLETED
    elif completed:
        status = TaskStatus.PARTIAL
    else:
        status = TaskStatus.FAILED if failed else TaskStatus.CANCELLED
    result = BatchResult(
        documents=total,
        completed=completed,
        failed=failed,
        cancelled=cancelled,
        duplicates=_duplicate_count(connection, batch_id) if completed else 0,
        failures=_failures(connection, batch_id) if failed else [],
        duplicate_documents=_duplicates(connection, batch_id) if completed else [],
    )
    return Outcome(status, total, result)


def _failures(connection: Connection, batch_id: str) -> list[FailedMember]:
    rows = connection.execute(
        select(jobs.id, jobs.document_id, jobs.payload, jobs.error_code, jobs.error_message)
        .where(jobs.parent_id == batch_id, jobs.status == TaskStatus.FAILED.value)
        .order_by(jobs.id)
        .limit(LISTED)
    )
    return [
        FailedMember(
            name=row.payload.get("name"),
            task_id=row.id,
            document_id=row.document_id,
            code=row.error_code,
            message=row.error_message,
        )
        for row in rows
    ]


_is_duplicate = (
    (jobs.status == TaskStatus.COMPLETED.value)
    & (jobs.kind == "ingest")
    & jobs.result["duplicate_of"].as_string().is_not(None)
)


def _duplicate_count(connection: Connection, batch_id: str) -> int:
    query = select(func.count()).select_from(JOBS)
    return int(connection.scalar(query.where(jobs.parent_id == batch_id, _is_duplicate)) or 0)


def _duplicates(connection: Connection, batch_id: str) -> list[DuplicateMember]:
    rows = connection.execute(
        select(jobs.id, jobs.payload, jobs.result)
        .where(jobs.parent_id == batch_id, _is_duplicate)
        .order_by(jobs.id)
        .limit(LISTED)
    )
    return [
        DuplicateMember(
            name=row.payload.get("name"), task_id=row.id, duplicate_of=row.result["duplicate_of"]
        )
        for row in rows
    ]
