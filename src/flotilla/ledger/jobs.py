"""Jobs: written before their message is sent, changed by guarded statements alone.

Each change of state is one UPDATE that names the states it may start from, so that of two workers
one wins and the other learns that it has lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, case, delete, func, insert, select, update

from flotilla.ledger.database import RawJSON, new_id, now
from flotilla.ledger.job_views import task_of
from flotilla.ledger.tables import DOCUMENTS, JOBS, VERSIONS
from flotilla.ledger.versions import LIVE, PENDING
from flotilla.schemas import Task, TaskError, TaskStatus

OPEN = (TaskStatus.PENDING.value, TaskStatus.PROCESSING.value)

jobs = JOBS.c


@dataclass(frozen=True, slots=True)
class NewJob:
    """A unit of work that is about to be written."""

    tenant_id: str
    kind: str
    queue: str
    stage: str
    payload: dict[str, Any]
    id: str = field(default_factory=new_id)
    parent_id: str | None = None
    document_id: str | None = None
    version_id: str | None = None
    collection_id: str | None = None
    collection: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker needs to know of its job."""

    id: str
    tenant_id: str
    kind: str
    status: TaskStatus
    stage: str
    payload: dict[str, Any]
    document_id: str | None
    version_id: str | None
    collection_id: str | None
    collection: str | None
    parent_id: str | None
    started_at: datetime | None


JOB_COLUMNS = (
    jobs.id,
    jobs.tenant_id,
    jobs.kind,
    jobs.status,
    jobs.stage,
    jobs.payload,
    jobs.document_id,
    jobs.version_id,
    jobs.collection_id,
    jobs.collection,
    jobs.parent_id,
    jobs.started_at,
)


# What has just been written does not need to be read and parsed again.
_WITHOUT_RESULT = tuple(column for column in JOBS.c if column.name != "result")


def job_of(row: Row[Any]) -> Job:
    """The job that a row of `JOB_COLUMNS` holds."""
    values = dict(row._mapping)
    values["status"] = TaskStatus(values["status"])
    return Job(**values)


def add(connection: Connection, new: Sequence[NewJob]) -> None:
    """Write jobs as pending, all or none."""
    if not new:
        return
    created_at = now()
    connection.execute(
        insert(JOBS),
        [
            {
                "id": job.id,
                "tenant_id": job.tenant_id,
                "parent_id": job.parent_id,
                "kind": job.kind,
                "status": TaskStatus.PENDING.value,
                "queue": job.queue,
                "stage": job.stage,
                "attempt": 1,
                "fence": 0,
                "payload": job.payload,
                "document_id": job.document_id,
                "version_id": job.version_id,
                "collection_id": job.collection_id,
                "collection": job.collection,
                "created_at": created_at,
            }
            for job in new
        ],
    )


def mark_sent(connection: Connection, job_ids: Sequence[str]) -> None:
    """Note that the jobs' first messages are in the broker."""
    connection.execute(update(JOBS).where(jobs.id.in_(job_ids)).values(sent_at=now()))


def get(connection: Connection, job_id: str) -> Job | None:
    row = connection.execute(select(*JOB_COLUMNS).where(jobs.id == job_id)).one_or_none()
    return job_of(row) if row is not None else None


def lock(connection: Connection, job_id: str) -> None:
    """Make the job's other writers wait until this transaction is over.

    SQLite has one writer at a time anyway; on PostgreSQL two parts of a stage that end at the
    same moment would otherwise not see one another, and their sum would be short.
    """
    connection.execute(select(jobs.id).where(jobs.id == job_id).with_for_update(key_share=True))


def claim(
    connection: Connection, job_id: str, stage: str, queue: str, attempt: int = 1
) -> Job | None:
    """Take the job for work at this stage.

    Returns None when the job is over, cancelled or unknown: the worker has nothing to do.
    """
    row = connection.execute(
        update(JOBS)
        .where(jobs.id == job_id, jobs.status.in_(OPEN), jobs.cancel_requested_at.is_(None))
        .values(
            status=TaskStatus.PROCESSING.value,
            stage=stage,
            queue=queue,
            attempt=attempt,
            started_at=func.coalesce(jobs.started_at, now()),
        )
        .returning(*JOB_COLUMNS)
    ).one_or_none()
    return job_of(row) if row is not None else None


def progress(connection: Connection, job_id: str, done: int, total: int | None, unit: str) -> None:
    """Set the job's progress; within one unit it never goes back."""
    same_unit_further = (jobs.progress_unit == unit) & (jobs.progress_done > done)
    connection.execute(
        update(JOBS)
        .where(jobs.id == job_id, jobs.status.in_(OPEN))
        .values(
            progress_done=case((same_unit_further, jobs.progress_done), else_=done),
            progress_total=total,
            progress_unit=unit,
        )
    )


def set_attempt(connection: Connection, job_id: str, attempt: int) -> None:
    """Show which attempt at its stage the job is at."""
    connection.execute(update(JOBS).where(jobs.id == job_id).values(attempt=attempt))


def complete(connection: Connection, job_id: str, result: Any) -> Task | None:
    """End the job well. None when it was over already.

    A result that is RawJSON is stored as it is, and is not in the returned task.
    """
    ended = _end(connection, job_id, status=TaskStatus.COMPLETED.value, result=result)
    if ended is None or isinstance(result, RawJSON):
        return ended
    return ended.model_copy(update={"result": result})


def fail(connection: Connection, job_id: str, error: TaskError) -> Task | None:
    """End the job with its error. None when it was over already."""
    return _end(
        connection,
        job_id,
        status=TaskStatus.FAILED.value,
        error_stage=error.stage,
        error_code=error.code,
        error_message=error.message,
        error_retryable=error.retryable,
    )


def cancel(connection: Connection, job_id: str) -> Task | None:
    """End the job as cancelled. None when it was over already."""
    return _end(connection, job_id, status=TaskStatus.CANCELLED.value, cancel_requested_at=now())


def _end(connection: Connection, job_id: str, **values: Any) -> Task | None:
    row = connection.execute(
        update(JOBS)
        .where(jobs.id == job_id, jobs.status.in_(OPEN))
        .values(finished_at=now(), lease_owner=None, lease_until=None, **values)
        .returning(*_WITHOUT_RESULT)
    ).one_or_none()
    if row is None:
        return None
    if "password" in row.payload:  # a source's password goes as soon as nothing needs it
        kept = {key: value for key, value in row.payload.items() if key != "password"}
        connection.execute(update(JOBS).where(jobs.id == job_id).values(payload=kept))
    return task_of(row)


def open_of_document(connection: Connection, document_id: str) -> list[str]:
    """Ids of the document's ingestions that are not over."""
    return list(
        connection.scalars(
            select(jobs.id).where(
                jobs.document_id == document_id, jobs.kind == "ingest", jobs.finished_at.is_(None)
            )
        )
    )


def purge(connection: Connection, older_than: timedelta, limit: int = 1000) -> int:
    """Forget ended jobs that nothing refers to any more; returns how many.

    A document refers to its newest job, which shows its error, and a version that is live or on
    its way to the job that ingested it.
    """
    versions = VERSIONS.c
    shown = select(DOCUMENTS.c.id).where(DOCUMENTS.c.job_id == jobs.id)
    needed = select(versions.id).where(
        versions.id == jobs.version_id, versions.state.in_((PENDING, LIVE))
    )
    old = (
        select(jobs.id)
        .where(jobs.finished_at < now() - older_than, ~shown.exists(), ~needed.exists())
        .limit(limit)
    )
    return connection.execute(delete(JOBS).where(jobs.id.in_(old))).rowcount
