"""The tasks of the fleet `default`."""

from datetime import timedelta
from functools import lru_cache
from typing import Any

from flotilla import pipelines
from flotilla.blobs import BlobStore, version_prefix
from flotilla.broker import app, get_redis, queue_of
from flotilla.errors import DependencyUnavailable, WorkerLost
from flotilla.ledger import backlog, documents, jobs, versions
from flotilla.ledger.announce import announce
from flotilla.ledger.database import get_database
from flotilla.ledger.stages import StageRun, as_task_error, fail, stage
from flotilla.logging import get_logger
from flotilla.schemas import TaskStatus
from flotilla.settings import get_settings
from flotilla.upkeep import smoke  # noqa: F401 - registers the smoke tests' tasks

logger = get_logger(__name__)

# A message is sent right after its row is written; this much later it was not.
UNSENT_AFTER = timedelta(seconds=15)
# Longer than the moment in which a worker has taken a message and not yet noted that it has.
STALLED_AFTER = timedelta(seconds=60)
DOCUMENT_JOBS = ("ingest", "delete")
DOCUMENT_FLEETS = ("document", "vectorstore", "default")
# A question that nobody has begun to answer by then has nobody waiting for it either.
QUESTION_EXPIRES = timedelta(minutes=10)

# These end jobs: while the ledger or the blobs are out of reach they come back, for ever.
PERSISTENT: dict[str, Any] = {
    "autoretry_for": (DependencyUnavailable,),
    "retry_backoff": True,
    "retry_backoff_max": 60,
    "max_retries": None,
}


@lru_cache(maxsize=1)
def _blobs() -> BlobStore:
    return BlobStore(get_settings().blobs_url)


@app.task(name=pipelines.FINISH, throws=(), **PERSISTENT)
def finish(job_id: str) -> None:
    """End an ingestion well: its version is live."""
    database = get_database()
    with database.writing() as connection:
        job = jobs.get(connection, job_id)
        if job is None or job.version_id is None:
            return
        version = versions.get(connection, job.version_id)
        result = {
            "document_id": version.document_id,
            "version": version.number,
            "pages": version.pages,
            "chunks": version.chunks,
            "content_type": version.content_type,
        }
        ended = jobs.complete(connection, job_id, result)
        replaced = versions.given_up(connection, version.document_id)
    if ended is not None:
        announce(ended)
    for version_id in replaced:
        _blobs().delete(version_prefix(job.tenant_id, version_id))


@app.task(name=pipelines.FAIL, **PERSISTENT)
def fail_job(job_id: str) -> None:
    """Clean up after a job that failed; end it where the failing worker could not.

    A worker that is killed, at the hard time limit or by a fault in a library, writes nothing.
    """
    database = get_database()
    with database.reading() as connection:
        job = jobs.get(connection, job_id)
    if job is None:
        return
    if not job.status.final:
        error = WorkerLost(
            "The process that worked on this stage was ended, by its time limit or by a crash: "
            "the worker's log says which."
        )
        fail(database, job_id, as_task_error(job.stage, error))
    if job.kind != "ingest" or job.version_id is None or job.document_id is None:
        return
    with database.reading() as connection:
        abandoned = job.version_id in versions.given_up(connection, job.document_id)
    if abandoned:
        pipelines.discard(job.tenant_id, job.document_id, job.version_id)
        _blobs().delete(version_prefix(job.tenant_id, job.version_id))


@stage(pipelines.GATHER)
def gather(run: StageRun) -> None:
    """The end of a fan-out: nothing is left to do but to go on."""


@stage(pipelines.PURGE)
def purge(run: StageRun) -> None:
    """Remove deleted documents' blobs and rows; their points are gone already."""
    document_ids = run.job.payload["document_ids"]
    with run.database.reading() as connection:
        version_ids = versions.ids_of(connection, document_ids)
    for version_id in version_ids:
        _blobs().delete(version_prefix(run.job.tenant_id, version_id))
    with run.database.writing() as connection:
        documents.purge(connection, document_ids)
        ended = jobs.complete(
            connection,
            run.job.id,
            {"documents": len(document_ids), "versions": len(version_ids)},
        )
    if ended is not None:
        announce(ended)


@app.task(name="upkeep.reap")
def reap() -> int:
    """Send what was written and never sent, since its gateway died between the two, and what
    was sent and got lost with the broker's memory."""
    database = get_database()
    with database.reading() as connection:
        waiting = backlog.unsent(connection, DOCUMENT_JOBS, UNSENT_AFTER)
        if not waiting and _nothing_on_its_way():
            waiting = backlog.stalled(connection, DOCUMENT_JOBS, STALLED_AFTER)
    for job in waiting:
        _send_again(job)
        with database.writing() as connection:
            jobs.mark_sent(connection, [job.id])
    if waiting:
        logger.info("reap.sent_again", jobs=len(waiting))
    expire_questions()
    return len(waiting)


def _send_again(job: jobs.Job) -> None:
    """From the beginning: steps that are done are passed over, whatever is missing is done."""
    if job.kind == "delete":
        pipelines.remove(job.id)
    else:
        pipelines.ingest(job.id, pipelines.FETCH if "url" in job.payload else pipelines.CONVERT)


def _nothing_on_its_way() -> bool:
    """Whether no message of a document is in the broker, neither waiting nor with a worker.

    A message is acknowledged after the next one is sent, so a job that is open has at least one.
    """
    with get_redis().pipeline() as pipe:
        for fleet in DOCUMENT_FLEETS:
            pipe.llen(fleet)
            pipe.hlen(f"unacked:{fleet}")
        # The one that may be left is the message of this very task.
        return sum(map(int, pipe.execute())) <= 1


def expire_questions() -> None:
    """End questions and smoke tests that nobody began, or whose worker vanished."""
    database = get_database()
    with database.reading() as connection:
        old = backlog.overdue(connection, ("query", "search", "demo"), QUESTION_EXPIRES)
    for job in old:
        pending = job.status is TaskStatus.PENDING
        error = WorkerLost(
            f"Nobody {'began' if pending else 'ended'} this task in time: check that workers of "
            f"the fleet {queue_of(job.stage)!r} are up, then send it again."
        )
        fail(database, job.id, as_task_error(job.stage, error))


@app.task(name="upkeep.retain")
def retain() -> int:
    """Forget ended jobs that are older than the retention."""
    with get_database().writing() as connection:
        return jobs.purge(connection, timedelta(days=get_settings().job.retention_days))
