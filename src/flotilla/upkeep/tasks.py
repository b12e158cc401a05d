"""The tasks of the fleet `default`."""

from datetime import timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from flotilla import dispatch, pipelines
from flotilla.blobs import BlobStore, version_prefix
from flotilla.broker import app
from flotilla.errors import DependencyUnavailable, WorkerLost
from flotilla.ledger import (
    deliveries,
    documents,
    fan_outs,
    job_ends,
    jobs,
    recovery,
    removals,
    retention,
    spaces,
    steps,
    versions,
)
from flotilla.ledger.attempts import as_task_error
from flotilla.ledger.database import get_database
from flotilla.ledger.endings import fail, tell
from flotilla.ledger.runs import StageRun
from flotilla.ledger.stages import stage
from flotilla.settings import get_settings
from flotilla.upkeep import reaper, smoke, stand_in, sweep  # noqa: F401 - register their tasks

# While the ledger or the blobs are out of reach, the reaper sends these again and again: what it
# does not know of is tried a few times more.
AGAIN: dict[str, Any] = {
    "autoretry_for": (DependencyUnavailable,),
    "retry_backoff": True,
    "max_retries": 3,
}


@lru_cache(maxsize=1)
def _blobs() -> BlobStore:
    return BlobStore(get_settings().blobs_url)


def _is_published(connection: Connection, job_id: str) -> bool:
    return steps.any_done(connection, job_id, (pipelines.PUBLISH, pipelines.CONFIRM))


@stage(pipelines.FINISH, when=_is_published)
def finish(run: StageRun) -> None:
    """End an ingestion or a re-indexing well: its version is live."""
    version = run.version()
    with run.database.reading() as connection:
        replaced = versions.given_up(connection, version.document_id, before=version.number)
    # Before the end is written: whoever is killed here is followed by another.
    for version_id in replaced:
        _blobs().delete(version_prefix(run.job.tenant_id, version_id))
    result = {
        "document_id": version.document_id,
        "version": version.number,
        "pages": version.pages,
        "chunks": version.chunks,
        "content_type": version.content_type,
    }
    with run.writing() as connection:
        # Publishing has removed their points. What a migration still writes of them it removes
        # itself, as long as it can see that they have been replaced.
        if run.job.kind == "ingest" and not spaces.any_being_filled(connection):
            versions.forget(connection, replaced)
        ended = job_ends.complete(connection, run.job.id, result)
    if ended is not None:
        tell(run.database, ended)
    dispatch.release(run.database)


@app.task(name=pipelines.FAIL, **AGAIN)
def fail_job(job_id: str) -> None:
    """Clean up after a job that was cancelled; end one whose canvas ended without it."""
    database = get_database()
    with database.reading() as connection:
        job = jobs.get(connection, job_id)
        to_clean = recovery.is_uncleaned(connection, job_id)
    if job is None:
        return
    if not job.status.final:
        error = WorkerLost("The process that worked on this stage was ended from outside.")
        fail(database, job_id, as_task_error(job.stage, error))
    elif to_clean and job.version_id is not None:
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

    def prefixes(document_ids: list[str]) -> list[str]:
        with run.database.reading() as connection:
            version_ids = versions.ids_of(connection, document_ids)
        return [version_prefix(run.job.tenant_id, version_id) for version_id in version_ids]

    def count(document_ids: list[str]) -> removals.Counts:
        there = []
        for prefix in prefixes(document_ids):
            there.append(_blobs().usage(prefix))
            run.lease.alive()
        return {
            "documents": len(document_ids),
            "versions": len(there),
            "blobs": sum(usage.blobs for usage in there),
            "bytes": sum(usage.size for usage in there),
        }

    def remove(document_ids: list[str]) -> None:
        for prefix in prefixes(document_ids):
            _blobs().delete(prefix)
            run.lease.alive()

    found = removals.carry_out(run, count, remove, documents.purge)
    with run.database.reading() as connection:
        points = fan_outs.units_done(connection, run.job.id, pipelines.REMOVE)
    receipt = {name: found.get(name, 0) for name in ("documents", "versions")} | {
        "points": points,
        "blobs": found.get("blobs", 0),
        "bytes": found.get("bytes", 0),
    }
    with run.writing() as connection:
        ended = job_ends.complete(connection, run.job.id, receipt)
    if ended is not None:
        tell(run.database, ended)


@app.task(name="upkeep.retain")
def retain() -> int:
    """Forget ended jobs that are older than the retention, and ended pings, a few at a time."""
    kept = timedelta(days=get_settings().job.retention_days)
    database = get_database()
    forgotten = retention.forget_ended(database, kept)
    while True:
        with database.writing() as connection:
            purged = deliveries.purge(connection, kept)
        forgotten += purged
        if purged == 0:
            return forgotten
