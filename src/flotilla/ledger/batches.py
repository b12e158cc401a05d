"""Batches: jobs without work of their own, whose members are the jobs that bear their id.

A batch is open while members may still come, and ends when it is closed and all of them are over.
Of a batch's row, `lease_until` is when it needs to be looked at: an open one that nobody adds to is
closed then, and one whose members are still being written, cancelled or tried again goes on.

A file that was refused, or whose bytes were there already, is a member too: a job that is over as
soon as it is written, so that everything in the batch is found by its name.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, case, func, null, select, update

from flotilla.errors import BatchClosed, TaskNotFound
from flotilla.ledger import ended_members, job_ends, job_views, jobs
from flotilla.ledger.batch_counts import UNIT, count
from flotilla.ledger.database import now
from flotilla.ledger.ended_members import EndedMember
from flotilla.ledger.jobs import Job, NewJob
from flotilla.ledger.tables import JOBS
from flotilla.schemas import Refusal, Task, TaskStatus

columns = JOBS.c

KIND = "batch"
STAGE = "batch"
QUEUE = "default"
IDLE = timedelta(minutes=10)
"""How long an open batch waits for its next member before it is closed."""

UNFILLED = timedelta(hours=1)
"""How long it waits for its first one. A file that is large, or a gateway that has too much to do,
may take its time, and a batch that is closed as empty would leave all of its files without one."""

IDLED = "closed_as_idle"
"""Of a batch that was closed since nothing came for it; so a problem's member is called, too."""

BUSY = timedelta(minutes=1)
"""After which one that is idle while its members are worked on is looked at again."""

AT_ONCE = timedelta(0)
"""Of a batch whose members the ledger itself has to write: it is looked at until they are."""


def open_batch(
    connection: Connection,
    tenant_id: str,
    *,
    name: str | None = None,
    total: int | None = None,
    idle: timedelta = UNFILLED,
    callback_url: str | None = None,
    collection_id: str | None = None,
    collection: str | None = None,
    **payload: Any,
) -> str:
    """Write a batch that takes members; returns its id.

    Args:
        connection: a writing transaction.
        tenant_id: whose it is.
        name: what it is called.
        total: how many members will come, where that is known.
        idle: for how long it is left alone.
        callback_url: who is told of its end.
        collection_id: of the collection whose documents it re-indexes.
        collection: that one's name.
        payload: what else is to be known of it.
    """
    if name is not None:
        payload["name"] = name
    batch = NewJob(
        tenant_id=tenant_id,
        kind=KIND,
        queue=QUEUE,
        stage=STAGE,
        payload=payload | {"closed": False},
        sent=True,
        collection_id=collection_id,
        collection=collection,
        callback_url=callback_url,
    )
    jobs.add(connection, [batch])
    moment = now()
    connection.execute(
        update(JOBS)
        .where(columns.id == batch.id)
        .values(
            status=TaskStatus.PROCESSING.value,
            started_at=moment,
            lease_until=moment + idle,
            progress_done=0,
            progress_total=total,
            progress_unit=UNIT,
        )
    )
    return batch.id


def check_open(connection: Connection, tenant_id: str, batch_id: str, field: str = "batch") -> None:
    """Refuse at once what `admit` would refuse in the end.

    Raises:
        TaskNotFound: the tenant has no such batch.
        BatchClosed: it takes no more members.
    """
    job = jobs.get(connection, batch_id)
    if job is None or job.tenant_id != tenant_id or job.kind != KIND:
        raise TaskNotFound(
            f"There is no batch {batch_id[:80]!r}: open one with POST /batches.", field=field
        )
    if job.status.final or job.payload.get("closed"):
        raise BatchClosed(
            "This batch is closed and takes no more documents: open another with POST /batches.",
            field=field,
            **({IDLED: True} if _is_idled(connection, job) else {}),
        )


def _is_idled(connection: Connection, batch: Job) -> bool:
    """Whether a batch takes no more members for no other reason than that none came."""
    cancelled = select(columns.id).where(
        columns.id == batch.id, columns.cancel_requested_at.is_not(None)
    )
    return (
        bool(batch.payload.get(IDLED))
        and batch.status is not TaskStatus.CANCELLED
        and connection.scalar(cancelled) is None
    )


def admit(connection: Connection, tenant_id: str, batch_id: str, ended: int = 0) -> None:
    """Take the members in that this transaction has written; `ended` of them are over already.

    It comes last in its transaction: batches are last in the order of locks.

    Raises:
        TaskNotFound: the tenant has no such batch.
        BatchClosed: it takes no more members, and the transaction is to be rolled back.
    """
    # The count makes its other writers wait: what is read after it stays so until the end.
    batch = count(connection, batch_id, ended)
    check_open(connection, tenant_id, batch_id)
    if batch is not None and "retry" in batch.payload:
        return  # it is looked at before that
    connection.execute(update(JOBS).where(columns.id == batch_id).values(lease_until=now() + IDLE))


def is_nearly_idle(connection: Connection, tenant_id: str, batch_id: str) -> bool:
    """Whether `keep_open` has something to do for an open batch.

    Raises:
        TaskNotFound: the tenant has no such batch.
        BatchClosed: it takes no more members.
    """
    check_open(connection, tenant_id, batch_id)
    row = connection.execute(
        select(columns.lease_until, columns.payload).where(columns.id == batch_id)
    ).one()
    if "retry" in row.payload:
        return False  # it is not closed before that is done
    return row.lease_until is None or row.lease_until < now() + IDLE - BUSY


def keep_open(connection: Connection, tenant_id: str, batch_id: str) -> None:
    """Let a batch wait once more for its next member, which is on its way.

    Raises:
        TaskNotFound: the tenant has no such batch.
        BatchClosed: it takes no more members.
    """
    later = now() + IDLE
    batch = count(connection, batch_id, 0)
    if batch is not None and "retry" not in batch.payload:  # else it is looked at before that
        connection.execute(
            update(JOBS)
            .where(columns.id == batch_id, columns.lease_until < later)
            .values(lease_until=later)
        )
    # With the row held, so that what takes no more, as one that is being cancelled, is not changed.
    check_open(connection, tenant_id, batch_id)


def refuse(
    connection: Connection, tenant_id: str, batch_id: str, refusals: Sequence[Refusal]
) -> Task:
    """Add files that could not be submitted, as failed members; returns the batch.

    Raises:
        TaskNotFound: the tenant has no such batch.
        BatchClosed: it takes no more members.
    """
    check_open(connection, tenant_id, batch_id, field="batch_id")
    members = [EndedMember(refusal.name, refusal) for refusal in refusals]
    ended_members.add(connection, tenant_id, batch_id, members)
    admit(connection, tenant_id, batch_id, ended=len(members))
    return _shown(connection, tenant_id, batch_id)


def close(connection: Connection, tenant_id: str, batch_id: str) -> Task:
    """Let no more members come; the batch ends with the last of those that it has.

    To close one that is closed changes nothing.

    Raises:
        TaskNotFound: the tenant has no such batch.
    """
    count(connection, batch_id, 0)  # its other writers wait from here on
    job = jobs.get(connection, batch_id)
    if job is None or job.tenant_id != tenant_id or job.kind != KIND:
        raise TaskNotFound(f"There is no batch {batch_id[:80]!r}: GET /tasks?kind=batch lists all.")
    if not job.status.final and not job.payload.get("closed"):
        shut(connection, job)
    return _shown(connection, tenant_id, batch_id)


def shut(connection: Connection, batch: Job, **payload: Any) -> None:
    """Close an open batch whose row this transaction holds, and end it if nothing is left to do."""
    members = select(func.count()).select_from(JOBS).where(columns.parent_id == batch.id)
    connection.execute(
        update(JOBS)
        .where(columns.id == batch.id)
        .values(
            payload=batch.payload | payload | {"closed": True},
            progress_total=connection.scalar(members),
            lease_until=now() if "retry" in batch.payload else None,
        )
    )
    job_ends.settle(connection, batch.id)


def reopen(connection: Connection, retried: dict[str, int]) -> None:
    """Batches of which so many ended members are tried again are not over.

    Like `job_ends.settle` this comes after all that is done to jobs in its transaction.
    """
    ended = columns.finished_at.is_not(None)
    left = {"result", "error_stage", "error_code", "error_message", "error_retryable"}
    left |= {"error_retry_after"}
    for batch_id in sorted(retried):
        done = func.coalesce(columns.progress_done, 0) - retried[batch_id]
        connection.execute(
            update(JOBS)
            .where(columns.id == batch_id)
            .values(
                dict.fromkeys(left)
                | {
                    "status": TaskStatus.PROCESSING.value,
                    "attempt": columns.attempt + case((ended, 1), else_=0),
                    "progress_done": case((done < 0, 0), else_=done),
                    "progress_since": case((ended, now()), else_=columns.progress_since),
                    "cancel_requested_at": case((ended, null()), else_=columns.cancel_requested_at),
                    "finished_at": None,
                    "cleaned_at": None,
                }
            )
        )


def _shown(connection: Connection, tenant_id: str, batch_id: str) -> Task:
    task = job_views.view(connection, tenant_id, batch_id)
    assert task is not None  # noqa: S101 - written or read in this transaction
    return task
