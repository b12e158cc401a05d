"""The ends of jobs: each is one guarded statement, and all that follows from it is written with it.

A batch ends with the last of its members.
"""

from typing import Any

from sqlalchemy import ColumnElement, Connection, case, select, update

from flotilla.ledger import batch_counts, documents, ended_members, versions, webhooks
from flotilla.ledger.database import RawJSON, now
from flotilla.ledger.job_views import task_of
from flotilla.ledger.jobs import OPEN, Job, lock
from flotilla.ledger.steps import StepState
from flotilla.ledger.tables import DOCUMENTS, JOBS, STEPS
from flotilla.schemas import Task, TaskError, TaskStatus

jobs = JOBS.c

# What has just been written does not need to be read and parsed again.
_WITHOUT_RESULT = tuple(column for column in JOBS.c if column.name != "result")


def complete(
    connection: Connection,
    job_id: str,
    result: Any,
    fence: int | None = None,
    *,
    settle_parent: bool = True,
) -> Task | None:
    """End the job well. None when it was over already, or when the fence has fallen.

    A result that is RawJSON is stored as it is, and is not in the returned task.
    """
    ended = _end(
        connection,
        job_id,
        fence,
        settle_parent=settle_parent,
        status=TaskStatus.COMPLETED.value,
        result=result,
    )
    if ended is None or isinstance(result, RawJSON):
        return ended
    return ended.model_copy(update={"result": result})


def complete_as_duplicate(
    connection: Connection, job: Job, duplicate_of: str, *, begun: bool = False
) -> Task | None:
    """End an ingestion whose bytes turned out to be those of a document that is there.

    Its version is given up, and its document too where no other version of it is there, is on its
    way, or could be retried.

    Args:
        connection: a writing transaction that holds the document and its collection.
        job: the ingestion.
        duplicate_of: the document that has the same bytes.
        begun: whether it may have left more than the bytes, which are the caller's to remove. The
            document is then marked as deleted, and the sweep removes what is left of it; and the
            batch is the caller's to settle.
    """
    assert job.document_id is not None  # noqa: S101 - ingestions have one
    assert job.version_id is not None  # noqa: S101
    versions.fail(connection, job.document_id, job.version_id)
    if not versions.has_others(connection, job.version_id):
        documents.mark_deleted(connection, job.tenant_id, job.document_id)
        if not begun:
            documents.purge(connection, [job.document_id])
    result = {"document_id": duplicate_of, "duplicate_of": duplicate_of}
    return complete(connection, job.id, result, settle_parent=not begun)


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
        error_retry_after=error.retry_after,
    )


def cancel(
    connection: Connection, job_id: str, *, settle_parent: bool = True, by_itself: bool = False
) -> Task | None:
    """End the job as cancelled.

    None when it was over already, and for an ingestion that has begun to publish its version: the
    one before may be gone by then. It goes on, unless its document is deleted or it ends
    `by_itself`. Without `settle_parent`, the batch that it is a member of is the caller's to
    settle.
    """
    lock(connection, job_id)
    if not by_itself and _is_publishing(connection, job_id):
        return None
    return _end(
        connection,
        job_id,
        settle_parent=settle_parent,
        status=TaskStatus.CANCELLED.value,
        cancel_requested_at=now(),
    )


PUBLISH = "vectorstore.publish"


def publishing() -> ColumnElement[bool]:
    """Of an ingestion: it publishes its version or has done so, and its document is not deleted.

    One that waits for another attempt does not, as long as its version is not live: the one before
    answers until it is.
    """
    begun = (
        select(STEPS.c.part)
        .where(
            STEPS.c.job_id == jobs.id,
            STEPS.c.stage == PUBLISH,
            (STEPS.c.state != StepState.WAITING.value)
            | (DOCUMENTS.c.live_version_id == jobs.version_id),
        )
        .correlate(JOBS, DOCUMENTS)
    )
    there = (
        select(DOCUMENTS.c.id)
        .where(DOCUMENTS.c.id == jobs.document_id, DOCUMENTS.c.deleted_at.is_(None), begun.exists())
        .correlate(JOBS)
    )
    return there.exists()


def _is_publishing(connection: Connection, job_id: str) -> bool:
    return connection.scalar(select(jobs.id).where(jobs.id == job_id, publishing())) is not None


def _end(
    connection: Connection,
    job_id: str,
    fence: int | None = None,
    *,
    settle_parent: bool = True,
    **values: Any,
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
    webhooks.note_end(
        connection,
        tenant_id=row.tenant_id,
        job_id=row.id,
        kind=row.kind,
        status=row.status,
        payload=row.payload,
    )
    # A source's password goes as soon as nothing can need it any more.
    if "password" in row.payload and row.status != TaskStatus.FAILED.value:
        kept = {key: value for key, value in row.payload.items() if key != "password"}
        connection.execute(update(JOBS).where(jobs.id == job_id).values(payload=kept))
    if row.parent_id is not None and settle_parent:
        settle(connection, row.parent_id, ended=1)
    return task_of(row)


def settle(connection: Connection, batch_id: str, ended: int = 0) -> Task | None:
    """Count so many more members of a batch as over; end it when it is closed, all of them are, and
    none is about to be tried again.

    A transaction that ends several jobs does so first, and settles their batches after that, in
    the order of their ids: two of them could otherwise wait for one another.
    """
    batch = batch_counts.count(connection, batch_id, ended)
    if batch is None or not batch.payload.get("closed") or "retry" in batch.payload:
        return None
    if batch_counts.any_open(connection, batch_id):
        return None
    if batch.cancel_requested_at is None and not ended_members.follow(connection, batch_id):
        batch_counts.look_again(connection, batch_id)
        return None
    outcome = batch_counts.outcome(connection, batch_id, batch)
    values: dict[str, Any] = {
        "status": outcome.status.value,
        "result": outcome.result.model_dump(mode="json"),
        "progress_done": outcome.documents,
        "progress_total": outcome.documents,
    }
    if outcome.status is TaskStatus.FAILED:
        values |= {
            "error_stage": batch.stage,
            "error_code": "batch_failed",
            "error_message": "No document of this batch got through: each one's task says why.",
            "error_retryable": False,
        }
    return _end(connection, batch_id, **values)
