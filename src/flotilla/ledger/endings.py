"""Ending jobs, with what hangs on them: the version, the members of a batch, and who waits."""

import time
from collections import Counter
from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from flotilla.errors import Conflict
from flotilla.ledger import (
    batch_cancellation,
    batches,
    job_ends,
    job_views,
    jobs,
    model_migrations,
    versions,
)
from flotilla.ledger.announce import announce
from flotilla.ledger.database import Database
from flotilla.ledger.locks import lock_jobs
from flotilla.schemas import Task, TaskError, TaskStatus


def fail(
    database: Database,
    job_id: str,
    error: TaskError,
    fence: int | None = None,
    reply_to: str | None = None,
) -> Task | None:
    """End a job with its error, and its version with it; None when it was over already. It is told
    on the channel `reply_to` too."""
    ended = _end(database, job_id, lambda connection: fail_in(connection, job_id, error, fence))
    if ended is not None and reply_to is not None:
        announce(ended, reply_to=reply_to)
    return ended


def fail_in(
    connection: Connection, job_id: str, error: TaskError, fence: int | None = None
) -> Task | None:
    """The same in a transaction that holds the job (`lock_jobs`), and that has seen, where there is
    no fence, that nobody else has begun what is said to have failed. The caller tells of it."""
    return _with_version(connection, job_ends.fail(connection, job_id, error, fence))


def cancel(database: Database, job_id: str) -> Task | None:
    """End a job that has turned out to be of no use as cancelled, and its version with it; None
    when it was over already."""
    return _end(
        database,
        job_id,
        lambda connection: _with_version(
            connection, job_ends.cancel(connection, job_id, by_itself=True)
        ),
    )


def cancel_in(connection: Connection, job_ids: Sequence[str]) -> list[Task]:
    """Cancel jobs that are no batches; returns those that this ended."""
    ended: list[Task] = []
    lock_jobs(connection, job_ids)
    for job_id in sorted(job_ids):
        cancelled = job_ends.cancel(connection, job_id, settle_parent=False)
        task = _with_version(connection, cancelled)
        if task is not None:
            ended.append(task)
    # After all of them: see `job_ends.settle`.
    left = Counter(task.parent_id for task in ended if task.parent_id is not None)
    for batch_id in sorted(left):
        job_ends.settle(connection, batch_id, left[batch_id])
    return ended


PIECE = 200
"""Members of a batch that one transaction cancels."""


def cancel_members(database: Database, batch_id: str, seconds: float) -> bool:
    """End the members of a batch whose cancellation was requested, for about so long.

    Those that are publishing their version go on, and the batch ends with the last of them.

    Returns whether all others have ended; the reaper goes on with the rest.
    """
    deadline = time.monotonic() + seconds
    last = ""
    while True:
        with database.writing() as connection:
            members = jobs.open_members(connection, batch_id, PIECE, last)
            ended = cancel_in(connection, members)
            if len(members) < PIECE:
                if not ended:
                    job_ends.settle(connection, batch_id)
                batch_cancellation.await_publishing(connection, batch_id)
        for task in ended:
            announce(task)
        if len(members) < PIECE:
            tell_batch(database, batch_id)
            return True
        last = members[-1]
        if time.monotonic() >= deadline:
            return False


def cancel_by_user(connection: Connection, tenant_id: str, job_id: str) -> list[Task]:
    """Cancel a tenant's job on request; returns what was ended with it.

    A batch only begins to end: `cancel_members` sees it through.

    Raises:
        TaskNotFound: the tenant has no such job.
        Conflict: it is over, or it cannot be taken back.
    """
    task = job_views.view(connection, tenant_id, job_id)
    if task is None:
        raise job_views.missing(job_id)
    if task.status.final:
        raise Conflict(f"This task is {task.status.value} already: there is nothing to cancel.")
    if task.kind == "drop":
        raise Conflict("Dropping a model cannot be cancelled: migrate to it again.")
    if task.kind == "delete":
        raise Conflict(
            "A deletion cannot be cancelled: its documents answer no more. Submit them again."
        )
    if task.kind == "forget":
        raise Conflict("A deletion cannot be cancelled: the conversation is gone.")
    if task.kind == batches.KIND:
        batch_cancellation.request_cancel(connection, job_id)
        return []
    ended = cancel_in(connection, [job_id])
    if not ended:
        raise Conflict(
            "This document is being published at this moment: delete it if it is not wanted."
        )
    return ended


def tell(database: Database, ended: Task) -> None:
    """Announce the end of a job, and of its batch where it was the last of it."""
    announce(ended)
    if ended.parent_id is not None:
        tell_batch(database, ended.parent_id)


def tell_batch(database: Database, batch_id: str) -> None:
    """Announce how far a batch is, or its end."""
    with database.reading() as connection:
        batch = job_views.find(connection, batch_id, result=True)
    if batch is not None:
        announce(batch)


def _end(database: Database, job_id: str, end: Callable[[Connection], Task | None]) -> Task | None:
    with database.writing() as connection:
        # With the document, which is written after the batch that the job's end is counted in.
        lock_jobs(connection, [job_id])
        ended = end(connection)
    if ended is not None:
        tell(database, ended)
    return ended


def _with_version(connection: Connection, ended: Task | None) -> Task | None:
    """A job that has just ended without success, once its version is given up with it."""
    if ended is None:
        return None
    job = jobs.get(connection, ended.task_id)
    if job is not None and job.kind == "ingest" and job.version_id and job.document_id:
        versions.fail(connection, job.document_id, job.version_id)
    if job is not None and job.kind == "migration" and job.status is TaskStatus.CANCELLED:
        model_migrations.give_up(connection, job)
    return ended
