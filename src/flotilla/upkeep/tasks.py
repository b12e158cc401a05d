"""The tasks of the fleet `default`."""

from datetime import timedelta
from functools import lru_cache
from typing import Any

from flotilla import dispatch, pipelines
from flotilla.blobs import BlobStore, version_prefix
from flotilla.broker import app
from flotilla.errors import DependencyUnavailable, WorkerLost
from flotilla.ledger import documents, job_ends, jobs, steps, versions
from flotilla.ledger.attempts import as_task_error
from flotilla.ledger.database import get_database
from flotilla.ledger.endings import fail, tell
from flotilla.ledger.runs import StageRun
from flotilla.ledger.stages import stage
from flotilla.settings import get_settings
from flotilla.upkeep import reaper, smoke  # noqa: F401 - register their tasks

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
    """End an ingestion or a re-indexing well: its version is live."""
    database = get_database()
    with database.reading() as connection:
        job = jobs.get(connection, job_id)
        if job is None or job.version_id is None or job.status.final:
            return
        version = versions.get(connection, job.version_id)
        if version.state != versions.LIVE:
            return  # a message that was delivered twice; the other one brings another after it
        replaced = versions.given_up(connection, version.document_id)
    # Before the end is written: whoever is killed here is followed by another.
    for version_id in replaced:
        _blobs().delete(version_prefix(job.tenant_id, version_id))
    result = {
        "document_id": version.document_id,
        "version": version.number,
        "pages": version.pages,
        "chunks": version.chunks,
        "content_type": version.content_type,
    }
    with database.writing() as connection:
        ended = job_ends.complete(connection, job_id, result)
    if ended is not None:
        tell(database, ended)
    dispatch.release(database)


@app.task(name=pipelines.FAIL, **PERSISTENT)
def fail_job(job_id: str) -> None:
    """Clean up after a job that was cancelled; end one whose canvas ended without it."""
    database = get_database()
    with database.reading() as connection:
        job = jobs.get(connection, job_id)
    if job is None:
        return
    if not job.status.final:
        error = WorkerLost("The process that worked on this stage was ended from outside.")
        fail(database, job_id, as_task_error(job.stage, error))
    elif job.kind == "ingest" and job.version_id is not None:
        # Its points are removed by their fleet, which then notes that nothing is left.
        _blobs().delete(version_prefix(job.tenant_id, job.version_id))
        pipelines.discard(job_id)
    dispatch.release(database)


@stage(pipelines.GATHER, after=pipelines.CONVERT_RANGE, wave=pipelines.convert_ranges)
def gather(run: StageRun) -> None:
    """The end of a fan-out: nothing is left to do but to go on."""


@stage(pipelines.PURGE)
def purge(run: StageRun) -> None:
    """Remove deleted documents' blobs and rows; their points are gone already."""
    document_ids = run.job.payload["document_ids"]
    with run.database.reading() as connection:
        version_ids = versions.ids_of(connection, document_ids)
        points = steps.units_done(connection, run.job.id, pipelines.REMOVE)
    blobs = size = 0
    for version_id in version_ids:
        removed = _blobs().delete(version_prefix(run.job.tenant_id, version_id))
        blobs += removed.blobs
        size += removed.size
    receipt = {
        "documents": len(document_ids),
        "versions": len(version_ids),
        "points": points,
        "blobs": blobs,
        "bytes": size,
    }
    with run.writing() as connection:
        documents.purge(connection, document_ids)
        ended = job_ends.complete(connection, run.job.id, receipt)
    if ended is not None:
        tell(run.database, ended)


@app.task(name="upkeep.retain")
def retain() -> int:
    """Forget ended jobs that are older than the retention."""
    with get_database().writing() as connection:
        return jobs.purge(connection, timedelta(days=get_settings().job.retention_days))
