"""Jobs as the API shows them: tasks."""

from typing import Any

from sqlalchemy import Connection, Row, func, select

from flotilla.ledger.tables import JOBS
from flotilla.schemas import Progress, Task, TaskError, TaskStatus

jobs = JOBS.c


def view(connection: Connection, tenant_id: str, job_id: str) -> Task | None:
    """The job as the API shows it, or None where the tenant has none of this id."""
    row = connection.execute(
        select(*JOBS.c).where(jobs.id == job_id, jobs.tenant_id == tenant_id)
    ).one_or_none()
    if row is None:
        return None
    position = _queue_position(connection, row) if row.status == TaskStatus.PENDING else None
    return task_of(row, position)


def listing(
    connection: Connection,
    tenant_id: str,
    *,
    status: TaskStatus | None,
    kind: str | None,
    before: str | None,
    limit: int,
) -> list[Task]:
    """The tenant's jobs, newest first; `before` is the last id of the part before."""
    query = select(*JOBS.c).where(jobs.tenant_id == tenant_id)
    if status is not None:
        query = query.where(jobs.status == status.value)
    if kind is not None:
        query = query.where(jobs.kind == kind)
    if before is not None:
        query = query.where(jobs.id < before)
    rows = connection.execute(query.order_by(jobs.id.desc()).limit(limit))
    return [task_of(row) for row in rows]


def _queue_position(connection: Connection, row: Row[Any]) -> int:
    """How many pending jobs of the same queue were written no later than this one."""
    return int(
        connection.scalar(
            select(func.count())
            .select_from(JOBS)
            .where(
                jobs.status == TaskStatus.PENDING.value,
                jobs.finished_at.is_(None),
                jobs.queue == row.queue,
                jobs.id <= row.id,
            )
        )
        or 0
    )


def task_of(row: Row[Any], position: int | None = None) -> Task:
    """The task that a row of all columns shows; without the column `result` it has none.

    `position` is its place in its queue.
    """
    progress = (
        Progress(done=row.progress_done, total=row.progress_total, unit=row.progress_unit)
        if row.progress_unit is not None
        else None
    )
    return Task(
        task_id=row.id,
        kind=row.kind,
        status=TaskStatus(row.status),
        stage=row.stage,
        progress=progress,
        attempt=row.attempt,
        queue=row.queue,
        queue_position=position,
        document_id=row.document_id,
        collection=row.collection,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        result=row._mapping.get("result"),
        error=error_of(row),
    )


def error_of(row: Row[Any]) -> TaskError | None:
    """The error in a row that has a job's error columns, or None where the job did not fail."""
    if row.error_code is None:
        return None
    return TaskError(
        stage=row.error_stage,
        code=row.error_code,
        message=row.error_message,
        retryable=row.error_retryable,
    )
