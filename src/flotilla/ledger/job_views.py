"""Jobs as the API shows them: tasks."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, literal, select

from flotilla.errors import TaskNotFound
from flotilla.ledger import notes
from flotilla.ledger.clock import now
from flotilla.ledger.tables import CONVERSATIONS, FAILURES, JOBS
from flotilla.schemas import Progress, Task, TaskError, TaskFailure, TaskStatus

jobs = JOBS.c

PROGRESS_COLUMNS = (
    jobs.progress_done,
    jobs.progress_total,
    jobs.progress_unit,
    jobs.progress_since,
)
EARLIEST_ETA = 0.5  # seconds; less is the time of one step alone
SURE_ETA = 2.0  # seconds


def view(connection: Connection, tenant_id: str, job_id: str) -> Task | None:
    """The job as the API shows it, or None where the tenant has none of this id."""
    row = connection.execute(
        select(*JOBS.c).where(jobs.id == job_id, jobs.tenant_id == tenant_id)
    ).one_or_none()
    if row is None or _is_of_deleted_conversation(connection, row):
        return None
    position = _queue_position(connection, row) if row.status == TaskStatus.PENDING else None
    task = task_of(row, position)
    return task.model_copy(update={"failures": _failures(connection, job_id)})


def missing(job_id: str) -> TaskNotFound:
    """The error for a task that the tenant does not have."""
    return TaskNotFound(f"There is no task {job_id[:80]!r}: GET /tasks lists what there is.")


def _is_of_deleted_conversation(connection: Connection, row: Row[Any]) -> bool:
    """Whether it holds the answer to a turn of a conversation that is deleted, and is about to go
    itself. One that was cancelled by that stays, so that its readers learn of it."""
    answered = row.kind == "query" and row.status == TaskStatus.COMPLETED
    if row.conversation_id is None or not answered:
        return False
    conversations = CONVERSATIONS.c
    deleted = select(conversations.id).where(
        conversations.id == row.conversation_id, conversations.deleted_at.is_not(None)
    )
    return connection.scalar(deleted) is not None


SHOWN_FAILURES = 50


def _failures(connection: Connection, job_id: str) -> list[TaskFailure]:
    failures = FAILURES.c
    rows = connection.execute(
        select(*FAILURES.c)
        .where(failures.job_id == job_id)
        .order_by(failures.id.desc())
        .limit(SHOWN_FAILURES)
    )
    return [TaskFailure.model_validate(dict(row._mapping)) for row in rows]


def find(connection: Connection, job_id: str, *, result: bool = False) -> Task | None:
    """The job as the API shows it, whoever it belongs to; its result only if that is wanted."""
    columns = (column for column in JOBS.c if result or column.name != "result")
    row = connection.execute(select(*columns).where(jobs.id == job_id)).one_or_none()
    return task_of(row) if row is not None else None


def listing(
    connection: Connection,
    tenant_id: str,
    *,
    status: TaskStatus | None,
    kind: str | None,
    before: str | None,
    limit: int,
    parent_id: str | None = None,
    collection: str | None = None,
    stage: str | None = None,
    code: str | None = None,
) -> list[Task]:
    """The tenant's jobs, newest first; `before` is the last id of the part before.

    `stage` is the one that a job is at, or ended in; `code` is that of its error.
    """
    # A batch's members are found by the batch: said so, SQLite does not read all that the tenant
    # ever submitted instead.
    owner = jobs.tenant_id if parent_id is None else func.coalesce(jobs.tenant_id, "")
    query = select(*JOBS.c).where(owner == tenant_id)
    if status is not None:
        query = query.where(is_in(status))
    if kind is not None:
        query = query.where(jobs.kind == kind)
    wanted = {
        jobs.parent_id: parent_id,
        jobs.collection: collection,
        jobs.stage: stage,
        jobs.error_code: code,
    }
    for column, value in wanted.items():
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(jobs.id < before)
    rows = connection.execute(query.order_by(jobs.id.desc()).limit(limit))
    return [task_of(row) for row in rows]


def is_in(status: TaskStatus) -> ColumnElement[bool]:
    """Whether a job is in this state, written so that the index of failed jobs can be used."""
    return jobs.status == literal(status.value, literal_execute=True)


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
    return Task(
        task_id=row.id,
        name=row.payload.get("name"),
        kind=row.kind,
        status=TaskStatus(row.status),
        stage=row.stage,
        progress=progress_of(row),
        attempt=row.attempt,
        queue=row.queue,
        queue_position=position,
        parent_id=row.parent_id,
        document_id=row.document_id,
        collection=row.collection,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        result=row._mapping.get("result"),
        error=error_of(row),
        notes=notes.shown(row._mapping.get("notes")),
    )


def progress_of(row: Row[Any]) -> Progress | None:
    """The progress in a row of `PROGRESS_COLUMNS` and `status`, with the time that is left."""
    if row.progress_unit is None:
        return None
    return Progress(
        done=row.progress_done,
        total=row.progress_total,
        unit=row.progress_unit,
        eta_seconds=_eta(row) if row.status == TaskStatus.PROCESSING.value else None,
    )


def _eta(row: Row[Any]) -> float | None:
    """Seconds until the present unit is done, at the rate since its count began.

    The rate over all of it is as smooth as a rate can be, and says nothing at first: None until
    EARLIEST_ETA seconds and a twentieth of the work, or SURE_ETA seconds, have been seen.
    """
    done, total, since = row.progress_done, row.progress_total, row.progress_since
    if total is None or since is None or done <= 0:
        return None
    elapsed = (now() - since).total_seconds()
    if elapsed < EARLIEST_ETA or (elapsed < SURE_ETA and done * 20 < total):
        return None
    return float(round(max(0.0, (total - done) * elapsed / done), 1))


def error_of(row: Row[Any]) -> TaskError | None:
    """The error in a row that has a job's error columns, or None where the job did not fail."""
    if row.error_code is None:
        return None
    return TaskError(
        stage=row.error_stage,
        code=row.error_code,
        message=row.error_message,
        retryable=row.error_retryable,
        retry_after=row.error_retry_after,
    )
