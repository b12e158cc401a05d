"""Ending jobs, with what hangs on them: the version, the members of a batch, and who waits."""

from collections.abc import Callable

from sqlalchemy import Connection

from flotilla.errors import Conflict, TaskNotFound
from flotilla.ledger import job_ends, job_views, jobs, versions
from flotilla.ledger.announce import announce
from flotilla.ledger.database import Database
from flotilla.schemas import Task, TaskError


def fail(
    database: Database, job_id: str, error: TaskError, fence: int | None = None
) -> Task | None:
    """End a job with its error, and its version with it; None when it was over already."""
    return _give_up(
        database, job_id, lambda connection: job_ends.fail(connection, job_id, error, fence)
    )


def cancel(database: Database, job_id: str) -> Task | None:
    """End a job as cancelled, and its version with it; None when it was over already."""
    return _give_up(database, job_id, lambda connection: job_ends.cancel(connection, job_id))


def cancel_in(connection: Connection, job_id: str) -> list[Task]:
    """Cancel a job and, where it is a batch, all its open members; returns those that it ended."""
    ended: list[Task] = []
    for each in (*jobs.open_members(connection, job_id), job_id):
        task = job_ends.cancel(connection, each)
        if task is not None:
            ended.append(task)
            _give_version_up(connection, each)
    return ended


def cancel_by_user(connection: Connection, tenant_id: str, job_id: str) -> list[Task]:
    """Cancel a tenant's job on request; returns what was ended with it.

    Raises:
        TaskNotFound: the tenant has no such job.
        Conflict: it is over, or it cannot be taken back.
    """
    task = job_views.view(connection, tenant_id, job_id)
    if task is None:
        raise TaskNotFound(f"There is no task {job_id[:80]!r}: GET /tasks lists what there is.")
    if task.status.final:
        raise Conflict(f"This task is {task.status.value} already: there is nothing to cancel.")
    if task.kind == "delete":
        raise Conflict(
            "A deletion cannot be cancelled: its documents answer no more. Submit them again."
        )
    return cancel_in(connection, job_id)


def tell(database: Database, ended: Task) -> None:
    """Announce the end of a job, and of its batch where it was the last of it."""
    announce(ended)
    if ended.parent_id is not None:
        with database.reading() as connection:
            batch = job_views.find(connection, ended.parent_id)
        if batch is not None:
            announce(batch)


def _give_up(
    database: Database, job_id: str, end: Callable[[Connection], Task | None]
) -> Task | None:
    with database.writing() as connection:
        ended = end(connection)
        if ended is not None:
            _give_version_up(connection, job_id)
    if ended is not None:
        tell(database, ended)
    return ended


def _give_version_up(connection: Connection, job_id: str) -> None:
    job = jobs.get(connection, job_id)
    if job is not None and job.kind == "ingest" and job.version_id and job.document_id:
        versions.fail(connection, job.document_id, job.version_id)
