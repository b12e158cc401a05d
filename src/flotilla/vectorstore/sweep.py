"""The sweep's first half: points that nobody needs, and documents that lack points.

It goes through the points page by page and holds one page at a time. It may be killed at any
moment: what it has removed was nobody's, and the next attempt starts over and finds less.
"""

from collections.abc import Callable

from flotilla.errors import Conflict, DocumentNotFound
from flotilla.ledger import reindexing
from flotilla.ledger import sweep as ledger_sweep
from flotilla.ledger.database import Database
from flotilla.ledger.runs import StageRun
from flotilla.ledger.spaces import SpaceState
from flotilla.ledger.stages import stage
from flotilla.ledger.sweep import Judge, LiveVersion
from flotilla.logging import get_logger
from flotilla.schemas.sweeps import (
    LISTED_DOCUMENTS,
    DocumentFindings,
    IncompleteDocument,
    PointFindings,
)
from flotilla.vectorstore.census import Origin, PointCensus
from flotilla.vectorstore.forgetting import TurnSweep
from flotilla.vectorstore.loaded import get_spaces
from flotilla.vectorstore.points import PointStore

logger = get_logger(__name__)

Reindex = Callable[[LiveVersion], str | None]
"""Has a document indexed anew from its stored chunks; the task's id, or None if it is not to be."""


class PointSweep:
    """One sweep over a Qdrant collection.

    Args:
        database: the ledger.
        census: of the collection.
        points: the same collection's store.
        reindex: called for each document that lacks points.
        checkpoint: called between pages; raises when the sweep is not wanted any more.
        dry_run: whether to report only.
    """

    def __init__(
        self,
        database: Database,
        census: PointCensus,
        points: PointStore,
        reindex: Reindex,
        checkpoint: Callable[[], None],
        *,
        dry_run: bool,
    ) -> None:
        self._database = database
        self._census = census
        self._points = points
        self._reindex = reindex
        self._checkpoint = checkpoint
        self._dry_run = dry_run

    def remove_orphans(self) -> PointFindings:
        """Remove the points of versions that are orphaned, see `ledger.sweep`.

        Raises:
            SweepRefused: the points are another ledger's.
            DependencyUnavailable: Qdrant or the ledger is out of reach.
        """
        judge = Judge()
        looked_at = orphaned = foreign = 0
        versions: set[str] = set()
        for page in self._census.pages():
            self._checkpoint()
            with self._database.reading() as connection:
                judgement = judge.judge(connection, {origin.version_id for origin in page})
            for origin in dict.fromkeys(page):
                if origin.version_id in judgement.orphaned:
                    orphaned += self._remove(origin, page.count(origin))
                    versions.add(origin.version_id)
            looked_at += len(page)
            foreign += sum(origin.version_id in judgement.foreign for origin in page)
        return PointFindings(
            looked_at=looked_at,
            orphaned=orphaned,
            orphaned_versions=len(versions),
            foreign=foreign,
        )

    def _remove(self, origin: Origin, on_page: int) -> int:
        if self._dry_run:
            return on_page
        removed = self._points.remove_version(*origin)
        logger.info("sweep.points_removed", **origin._asdict(), points=removed)
        return removed

    def mend_documents(self) -> DocumentFindings:
        """Compare the documents that are ready with their points, and index anew what lacks some.

        Raises:
            DependencyUnavailable: Qdrant or the ledger is out of reach.
        """
        found = DocumentFindings()
        after = ""
        while True:
            self._checkpoint()
            with self._database.reading() as connection:
                page = ledger_sweep.live_versions(connection, after)
            if not page:
                return found
            after = page[-1].id
            found.looked_at += len(page)
            for version, counted in self._incomplete(page):
                task_id = None if self._dry_run else self._reindex(version)
                found.incomplete += 1
                if len(found.listed) < LISTED_DOCUMENTS:
                    found.listed.append(
                        IncompleteDocument(
                            document_id=version.document_id,
                            chunks=version.chunks,
                            points=counted,
                            task_id=task_id,
                        )
                    )

    def _incomplete(self, page: list[LiveVersion]) -> list[tuple[LiveVersion, int]]:
        chunks = {version.id: version.chunks for version in page}
        counts = self._census.live_counts(list(chunks))
        short = [version for version in chunks if counts[version] < chunks[version]]
        if short:  # a point that was just being rewritten may have been missed
            counts = self._census.live_counts(short)
            short = [version for version in short if counts[version] < chunks[version]]
        if not short:
            return []
        # Some may have been replaced or deleted between the two looks.
        with self._database.reading() as connection:
            return ledger_sweep.still_incomplete(connection, {v: counts[v] for v in short})


# --- the task ------------------------------------------------------------------------------


@stage(ledger_sweep.POINTS_STAGE)
def sweep(run: StageRun) -> None:
    """Remove points that nobody needs, and have documents that lack points indexed anew."""
    dry_run = bool(run.job.payload.get("dry_run"))
    points = PointFindings()
    documents = DocumentFindings()
    for space in get_spaces().writable(fresh=True):
        half = PointSweep(
            run.database,
            space.census,
            space.points,
            lambda version: _reindex(run.database, version),
            run.checkpoint,
            dry_run=dry_run,
        )
        points = _both_points(points, half.remove_orphans())
        # What a space that is being filled lacks, its migration writes.
        if space.row.state is not SpaceState.FILLING:
            documents = _both_documents(documents, half.mend_documents())
    spaces = get_spaces().writable(fresh=True)
    turns = TurnSweep(run.database, spaces, run.checkpoint, dry_run=dry_run).sweep()
    if not dry_run:
        get_spaces().delete_dropped()
    with run.writing() as connection:
        ledger_sweep.note(
            connection,
            run.job.id,
            points=points.model_dump(mode="json"),
            documents=documents.model_dump(mode="json"),
            turns=turns.model_dump(mode="json"),
        )


def _both_points(one: PointFindings, other: PointFindings) -> PointFindings:
    return PointFindings(
        **{name: getattr(one, name) + getattr(other, name) for name in PointFindings.model_fields}
    )


def _both_documents(one: DocumentFindings, other: DocumentFindings) -> DocumentFindings:
    """Of two spaces: the documents are the same ones, what they lack is not."""
    return DocumentFindings(
        looked_at=max(one.looked_at, other.looked_at),
        incomplete=one.incomplete + other.incomplete,
        listed=[*one.listed, *other.listed][:LISTED_DOCUMENTS],
    )


def _reindex(database: Database, version: LiveVersion) -> str | None:
    """Write the job that indexes a document anew; the ledger releases it in its turn."""
    try:
        with database.writing() as connection:
            return reindexing.reindex(connection, version.tenant_id, version.document_id)
    except (Conflict, DocumentNotFound):  # deleted since it was looked at
        return None
