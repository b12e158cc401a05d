"""The ends of jobs: each is one guarded statement, and all that follows from it is written with it.

A batch ends with the last of its members.
"""

from typing import Any

from sqlalchemy import Connection, case, func, select, update

from flotilla.ledger.database import RawJSON, now
from flotilla.ledger.job_views import task_of
from flotilla.ledger.jobs import OPEN, get, lock, progress
from flotilla.ledger.tables import JOBS
from flotilla.schemas import Task, TaskError, TaskStatus

jobs = JOBS.c

# What has just been written does not need to be read and parsed again.
_WITHOUT_RESULT = tuple(column for column in JOBS.c if column.name != "result")


def complete(
    connection: Connection, job_id: str, result: Any, fence: int | None = None
) -> Task | None:
    """End the job well. None when it was over already, or when the fence has fallen.

    A result that is RawJSON is stored as it is, and is not in the returned task.
    """
    ended = _end(connection, job_id, fence, status=TaskStatus.COMPLETED.value, result=result)
    if ended is None or isinstance(result, RawJSON):
        return ended
    return ended.model_copy(update={"result": result})


def fail(
    connection: Connection, job_id: str, error: TaskError, fence: int | None = None
) -> Task | None:
    """End the job with its error. None when it was over already, or when the fence has fallen."""
    return _end(
        connection,
        job_id,
        fence,
        status=TaskStatus.FAILED.value,
        error_stage=error.stage,
        error_code=error.code,
        error_message=error.message,
        error_retryable=error.retryable,
    )


def cancel(connection: Connection, job_id: str) -> Task | None:
    """End the job as cancelled. None when it was over already."""
    return _end(connection, job_id, status=TaskStatus.CANCELLED.value, cancel_requested_at=now())


def _end(
    connection: Connection, job_id: str, fence: int | None = None, **values: Any
) -> Task | None:
    moment = now()
    # What an ingestion leaves behind is removed once nobody can be writing it any more.
    to_clean = (jobs.kind == "ingest") & (values["status"] == TaskStatus.CANCELLED.value)
    conditions = [jobs.id == job_id, jobs.status.in_(OPEN)]
    if fence is not None:
        conditions.append(jobs.fence == fence)
    row = connection.execute(
        update(JOBS)
        .where(*conditions)
        .values(
            finished_at=moment,
            cleaned_at=case((to_clean, None), else_=moment),
            lease_owner=None,
            lease_until=None,
            **values,
        )
        .returning(*_WITHOUT_RESULT)
    ).one_or_none()
    if row is None:
        return None
    # A source's password goes as soon as nothing can need it any more.
    if "password" in row.payload and row.status != TaskStatus.FAILED.value:
        kept = {key: value for key, value in row.payload.items() if key != "password"}
        connection.execute(update(JOBS).where(jobs.id == job_id).values(payload=kept))
    if row.parent_id is not None:
        settle(connection, row.parent_id)
    return task_of(row)


# --- batches -------------------------------------------------------------------------------


def children(connection: Connection, parent_id: str) -> dict[str, int]:
    """How many members of a batch are in each state."""
    rows = connection.execute(
        select(jobs.status, func.count()).where(jobs.parent_id == parent_id).group_by(jobs.status)
    )
    return {row[0]: row[1] for row in rows}


def settle(connection: Connection, batch_id: str) -> Task | None:
    """Count a batch's members anew, and end it when it is closed and all of them are over."""
    lock(connection, batch_id)
    batch = get(connection, batch_id)
    if batch is None or batch.status.final:
        return None
    counts = children(connection, batch_id)
    total = sum(counts.values())
    ended = total - sum(counts.get(state, 0) for state in OPEN)
    progress(connection, batch_id, ended, total, "documents")
    if not batch.payload.get("closed") or ended < total:
        return None
    completed = counts.get(TaskStatus.COMPLETED.value, 0)
    failed = counts.get(TaskStatus.FAILED.value, 0)
    if completed == total:
        status = TaskStatus.COMPLETED
    elif completed:
        status = TaskStatus.PARTIAL
    else:
        status = TaskStatus.FAILED if failed else TaskStatus.CANCELLED
    values: dict[str, Any] = {"result": batch_result(connection, batch_id, counts)}
    if status is TaskStatus.FAILED:
        values |= {
            "error_stage": batch.stage,
            "error_code": "batch_failed",
            "error_message": "No document of this batch could be ingested: each one's task says "
            "why.",
            "error_retryable": False,
        }
    return _end(connection, batch_id, status=status.value, **values)


LISTED_FAILURES = 100


def batch_result(connection: Connection, batch_id: str, counts: dict[str, int]) -> dict[str, Any]:
    """What a batch's task shows in the end: its counts, and those that failed by name."""
    rows = connection.execute(
        select(jobs.id, jobs.document_id, jobs.payload, jobs.error_code, jobs.error_message)
        .where(jobs.parent_id == batch_id, jobs.status == TaskStatus.FAILED.value)
        .order_by(jobs.id)
        .limit(LISTED_FAILURES)
    )
    return {
        "documents": sum(counts.values()),
        "completed": counts.get(TaskStatus.COMPLETED.value, 0),
        "failed": counts.get(TaskStatus.FAILED.value, 0),
        "cancelled": counts.get(TaskStatus.CANCELLED.value, 0),
        "failures": [
            {
                "name": row.payload.get("name"),
                "task_id": row.id,
                "document_id": row.document_id,
                "code": row.error_code,
                "message": row.error_message,
            }
            for row in rows
        ],
    }
