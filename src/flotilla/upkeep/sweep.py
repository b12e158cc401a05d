"""The sweep's second half: blobs that nobody needs, and what deletions that failed have left.

It goes through the stored versions batch by batch. It may be killed at any moment: what it has
removed was nobody's, and the next attempt starts over and finds less.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import lru_cache
from itertools import islice

from flotilla import dispatch
from flotilla.blobs import BlobStore, version_prefix
from flotilla.broker import app
from flotilla.ledger import documents, job_ends, jobs
from flotilla.ledger import sweep as ledger_sweep
from flotilla.ledger.database import Database, get_database
from flotilla.ledger.endings import tell
from flotilla.ledger.runs import StageRun
from flotilla.ledger.stages import stage
from flotilla.ledger.sweep import GRACE, UPLOAD_GRACE, Judge
from flotilla.logging import get_logger
from flotilla.schemas.sweeps import BlobFindings, SweepReport
from flotilla.settings import get_settings

logger = get_logger(__name__)

BEGIN = "upkeep.begin_sweep"
"""The task that beat sends every night."""

BATCH = 500
"""Stored versions that are looked up in the ledger at once."""

Stored = tuple[str, str]
"""Tenant and version."""


class BlobSweep:
    """One sweep over the blobs.

    Args:
        database: the ledger.
        blobs: the store.
        checkpoint: called between batches; raises when the sweep is not wanted any more.
        dry_run: whether to report only.
        grace: how long nothing must have been written below a version.
        upload_grace: the same of a version without a row.
    """

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        checkpoint: Callable[[], None],
        *,
        dry_run: bool,
        grace: timedelta = GRACE,
        upload_grace: timedelta = UPLOAD_GRACE,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._checkpoint = checkpoint
        self._dry_run = dry_run
        self._grace = grace
        self._upload_grace = upload_grace

    def remove_orphans(self) -> BlobFindings:
        """Remove the blobs of versions that are orphaned, see `ledger.sweep`.

        An upload is written before the ledger knows of it, and it may take long. So blobs go
        only when the newest of a version's is older than its grace by the store's own clock.

        Raises:
            SweepRefused: the blobs are another ledger's.
            DependencyUnavailable: the blobs or the ledger are out of reach.
        """
        judge = Judge(self._grace)
        found = BlobFindings()
        moment = self._blobs.clock()
        for batch in _batches(self._blobs.versions()):
            self._checkpoint()
            with self._database.reading() as connection:
                judgement = judge.judge(connection, {version_id for _, version_id in batch})
            found.versions_looked_at += len(batch)
            found.foreign_versions += len(judgement.foreign)
            for tenant_id, version_id in batch:
                if version_id in judgement.orphaned:
                    self._checkpoint()
                    unknown = version_id in judgement.unknown
                    grace = self._upload_grace if unknown else self._grace
                    before = moment - grace.total_seconds()
                    self._remove(tenant_id, version_id, before, found)
        return found

    def _remove(self, tenant_id: str, version_id: str, before: float, found: BlobFindings) -> None:
        prefix = version_prefix(tenant_id, version_id)
        usage = self._blobs.usage(prefix)
        # An upload makes its folder first: one that is empty may be filled in the next moment.
        if usage.blobs == 0 or usage.written_at >= before:
            return
        blobs, size = usage.blobs, usage.size
        if not self._dry_run:
            blobs, size = self._blobs.delete(prefix)
            logger.info("sweep.blobs_removed", version_id=version_id, blobs=blobs, bytes=size)
        found.orphaned_versions += 1
        found.orphaned += blobs
        found.orphaned_bytes += size

    def finish_deletions(self, found: BlobFindings) -> None:
        """Remove the rows of deleted documents whose deletion has failed; their points and blobs
        are orphaned, and gone by now."""
        after = ""
        while True:
            self._checkpoint()
            with self._database.reading() as connection:
                left = ledger_sweep.leftover_deletions(connection, after)
            if not left:
                return
            after = left[-1]
            found.deleted_documents += len(left)
            if not self._dry_run:
                with self._database.writing() as connection:
                    documents.purge(connection, left)
                logger.info("sweep.rows_removed", documents=len(left))


def _batches(stored: Iterable[Stored]) -> Iterator[list[Stored]]:
    iterator = iter(stored)
    while batch := list(islice(iterator, BATCH)):
        yield batch


# --- the task ------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _blobs() -> BlobStore:
    return BlobStore(get_settings().blobs_url)


@app.task(name=BEGIN)
def begin() -> str:
    """Start a sweep, unless one is under way; its task's id."""
    return start(get_database(), dry_run=False)


def start(database: Database, *, dry_run: bool) -> str:
    """Write a sweep's job and send it, unless one is under way; the id of the one or the other.

    What cannot be sent now, since the broker does not answer, the reaper sends.
    """
    with database.writing() as connection:
        job_id, new = ledger_sweep.submit(connection, dry_run=dry_run)
        job = jobs.get(connection, job_id)
    if new and job is not None:
        dispatch.send(database, job)
    return job_id


@stage(ledger_sweep.BLOBS_STAGE)
def sweep(run: StageRun) -> None:
    """Remove blobs that nobody needs, and end the sweep with its report."""
    dry_run = bool(run.job.payload.get("dry_run"))
    half = BlobSweep(run.database, _blobs(), run.checkpoint, dry_run=dry_run)
    found = half.remove_orphans()
    half.finish_deletions(found)
    payload = run.job.payload
    report = SweepReport(
        dry_run=dry_run,
        points=payload.get("points", {}),
        documents=payload.get("documents", {}),
        turns=payload.get("turns", {}),
        blobs=found,
    )
    with run.writing() as connection:
        ended = job_ends.complete(connection, run.job.id, report.model_dump(mode="json"))
    if ended is not None:
        tell(run.database, ended)
