"""Jobs: written before their message is sent, changed by guarded statements alone.

Each change of state is one UPDATE that names the states it may start from, so that of two workers
one wins and the other learns that it has lost.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, case, func, insert, select, update

from flotilla.ledger.database import new_id, now
from flotilla.ledger.tables import JOBS
from flotilla.schemas import TaskStatus

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
    sent: bool = False  # its message follows this row at once
    document_id: str | None = None
    version_id: str | None = None
    collection_id: str | None = None
    collection: str | None = None
    conversation_id: str | None = None  # in which it answers
    callback_url: str | None = None  # who is told of its end


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
    conversation_id: str | None
    parent_id: str | None
    started_at: datetime | None


_JOB_FIELDS = tuple(each.name for each in fields(Job))

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
    jobs.conversation_id,
    jobs.parent_id,
    jobs.started_at,
)


def job_of(row: Row[Any]) -> Job:
    """The job that a row of `JOB_COLUMNS` holds."""
    values = {name: getattr(row, name) for name in _JOB_FIELDS}
    return Job(**values | {"status": TaskStatus(row.status)})


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
                "payload": job.payload
                if job.callback_url is None
                else job.payload | {"callback_url": job.callback_url},
                "sent_at": created_at if job.sent else None,
                "document_id": job.document_id,
                "version_id": job.version_id,
                "collection_id": job.collection_id,
                "collection": job.collection,
                "conversation_id": job.conversation_id,
                "created_at": created_at,
            }
            for job in new
        ],
    )


def get(connection: Connection, job_id: str) -> Job | None:
    row = connection.execute(select(*JOB_COLUMNS).where(jobs.id == job_id)).one_or_none()
    return job_of(row) if row is not None else None


def lock(connection: Connection, job_id: str) -> None:
    """Make the job's other writers wait until this transaction is over.

    SQLite has one writer at a time anyway; on PostgreSQL two parts of a stage that end at the
    same moment would otherwise not see one another, and their sum would be short.
    """
    connection.execute(select(jobs.id).where(jobs.id == job_id).with_for_update(key_share=True))


def is_open(connection: Connection, job_id: str) -> bool:
    """Whether the job may still be worked on: not over, and not about to be cancelled."""
    found = select(jobs.id).where(
        jobs.id == job_id, jobs.status.in_(OPEN), jobs.cancel_requested_at.is_(None)
    )
    return connection.scalar(found) is not None


def open_among(connection: Connection, job_ids: Collection[str]) -> set[str]:
    """Those of these jobs that are not over."""
    found = select(jobs.id).where(jobs.id.in_(job_ids), jobs.status.in_(OPEN))
    return set(connection.scalars(found))


WAITS_FOR = "waits_for"


def wait_for(connection: Connection, job: Job, other: str) -> None:
    """Note which job this one waits for before it goes on."""
    payload = job.payload | {WAITS_FOR: other}
    connection.execute(update(JOBS).where(jobs.id == job.id).values(payload=payload))


def remember(connection: Connection, job_id: str, name: str, value: Any) -> None:
    """Set one entry of a job's payload. The job has to be locked."""
    payload = connection.scalar(select(jobs.payload).where(jobs.id == job_id)) or {}
    connection.execute(
        update(JOBS).where(jobs.id == job_id).values(payload=payload | {name: value})
    )


def is_waiting(connection: Connection, job_id: str) -> bool:
    """Whether the job waits for another one that is not over."""
    job = get(connection, job_id)
    other = job.payload.get(WAITS_FOR) if job is not None else None
    return other is not None and bool(open_among(connection, [other]))


def was_ended_otherwise(connection: Connection, job_id: str) -> bool:
    """Whether the job has completed or failed: it is over, and nobody cancelled it."""
    ended = (TaskStatus.COMPLETED.value, TaskStatus.PARTIAL.value, TaskStatus.FAILED.value)
    found = select(jobs.id).where(jobs.id == job_id, jobs.status.in_(ended))
    return connection.scalar(found) is not None


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
    same_unit = func.coalesce(jobs.progress_unit, "") == unit
    same_unit_further = same_unit & (jobs.progress_done > done)
    connection.execute(
        update(JOBS)
        .where(jobs.id == job_id, jobs.status.in_(OPEN))
        .values(
            progress_done=case((same_unit_further, jobs.progress_done), else_=done),
            progress_total=total,
            progress_unit=unit,
            progress_since=case((same_unit, jobs.progress_since), else_=now()),
        )
    )


def open_members(connection: Connection, batch_id: str, limit: int, after: str = "") -> list[str]:
    """Ids of a batch's members that are not over, in order, from behind `after` on."""
    members = select(jobs.id).where(
        jobs.parent_id == batch_id, jobs.status.in_(OPEN), jobs.id > after
    )
    return list(connection.scalars(members.order_by(jobs.id).limit(limit)))


def open_of_documents(connection: Connection, document_ids: Collection[str]) -> list[str]:
    """Ids of the jobs that write the documents' points and are not over."""
    return list(
        connection.scalars(
            select(jobs.id)
            .where(
                jobs.document_id.in_(document_ids),
                jobs.kind.in_(("ingest", "reindex")),
                jobs.finished_at.is_(None),
            )
            .order_by(jobs.id)
        )
    )


def sent(
    connection: Connection, kinds: Sequence[str], before: datetime | None = None
) -> dict[str, str]:
    """The open jobs of these kinds that the fleets have on their hands: each one's id and tenant.

    With `before`, those that were last sent earlier than that.
    """
    rows = connection.execute(
        select(jobs.id, jobs.tenant_id).where(
            # As the index of sent jobs says it.
            jobs.finished_at.is_(None),
            jobs.sent_at.is_not(None) if before is None else jobs.sent_at < before,
            jobs.status.in_(OPEN),
            jobs.kind.in_(kinds),
        )
    )
    return {row.id: row.tenant_id for row in rows}
