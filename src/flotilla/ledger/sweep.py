"""What the ledger knows about points and blobs: which of them nobody can need any more.

A version is orphaned when its row is gone, when a newer one has replaced it, when its ingestion was
cancelled or can be retried no more, or when its document's deletion has failed. Each of these is
for ever: no worker that is in the right writes to such a version again, so that whoever removes
what is left of it cannot be in the way of a running ingestion, whatever happens in between. A
version that is on its way, that is live, or that failed and may be retried is never orphaned.

What is younger than the grace is left alone all the same. Of an upload there is no row until the
whole request has arrived, however slowly: what has none is left alone for longer.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, select, update

from flotilla.errors import SweepRefused
from flotilla.ledger import jobs as ledger_jobs
from flotilla.ledger import removals
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import now
from flotilla.ledger.tables import DOCUMENTS, JOBS, TENANTS, VERSIONS
from flotilla.ledger.versions import FAILED, LIVE, RETIRED
from flotilla.schemas import TaskStatus

KIND = "sweep"
POINTS_STAGE = "vectorstore.sweep"
BLOBS_STAGE = "upkeep.sweep"

GRACE = timedelta(hours=1)

UPLOAD_GRACE = timedelta(days=1)
"""For which the blobs of a version without a row may be those of a request that is still arriving.
Nothing bounds how long that takes: a gateway looks whether all is there before it takes it."""

MOST_UNKNOWN = 20
"""Versions without a row beyond which they must be fewer than those with one."""

tenants = TENANTS.c
documents = DOCUMENTS.c
versions = VERSIONS.c
jobs = JOBS.c


def submit(
    connection: Connection, *, dry_run: bool = False, callback_url: str | None = None
) -> tuple[str, bool]:
    """Write a job that sweeps, unless there is one that is not over.

    It is of the default tenant's, though it looks at what all tenants have. It counts as sent,
    since it does not wait for admission.

    Returns:
        the job's id, and whether it is new and has to be sent.
    """
    # Two that ask at once: the second has to see the first's job.
    this_one = select(tenants.id).where(tenants.id == DEFAULT_TENANT)
    connection.execute(this_one.with_for_update(key_share=True))
    known = connection.scalar(
        select(jobs.id).where(jobs.kind == KIND, jobs.finished_at.is_(None)).limit(1)
    )
    if known is not None:
        return str(known), False
    job = ledger_jobs.NewJob(
        tenant_id=DEFAULT_TENANT,
        kind=KIND,
        queue="vectorstore",
        stage=POINTS_STAGE,
        payload={"dry_run": dry_run},
        sent=True,
        callback_url=callback_url,
    )
    ledger_jobs.add(connection, [job])
    return job.id, True


def note(connection: Connection, job_id: str, **values: Any) -> None:
    """Keep what one half of a sweep has found for the other, in the job's payload."""
    payload = connection.scalar(select(jobs.payload).where(jobs.id == job_id).with_for_update())
    connection.execute(
        update(JOBS).where(jobs.id == job_id).values(payload=(payload or {}) | values)
    )


# --- which versions are orphaned -----------------------------------------------------------


def made_at(version_id: str) -> datetime | None:
    """When a version's id was made, as a UUID7 says (RFC 9562, section 5.7); None for others."""
    try:
        made = UUID(version_id)
    except ValueError:
        return None
    if made.version != 7:
        return None
    return datetime.fromtimestamp((made.int >> 80) / 1000, UTC)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to become of some versions' points or blobs.

    `foreign` are versions that are older than this ledger, or have ids that it does not make;
    `unknown` are those of the orphaned that have no row.
    """

    orphaned: frozenset[str]
    foreign: frozenset[str]
    unknown: frozenset[str]


@dataclass(slots=True)
class Judge:
    """Tells versions that nobody can need any more from all others.

    Args:
        grace: how old a version must be to be orphaned.
    """

    grace: timedelta = GRACE
    _known: int = 0
    _unknown: int = 0

    def judge(self, connection: Connection, version_ids: Collection[str]) -> Judgement:
        """Which of the versions are orphaned.

        They must have been found before this is called: what is found later may be newer.

        Raises:
            SweepRefused: the ledger knows so few of the versions that it cannot be the one that
                they were written under.
        """
        moment = now()
        birth = connection.scalar(select(func.min(tenants.created_at)))
        orphaned: set[str] = set()
        foreign: set[str] = set()
        known = _known(connection, version_ids)
        for version_id in set(version_ids):
            made = made_at(version_id)
            if version_id in known:
                if made is not None and moment - made > self.grace and known[version_id]:
                    orphaned.add(version_id)
            elif made is None or birth is None or made < birth:
                foreign.add(version_id)
            elif moment - made > self.grace:
                orphaned.add(version_id)
        unknown = orphaned - known.keys()
        self._weigh(len(known), len(unknown))
        return Judgement(frozenset(orphaned), frozenset(foreign), frozenset(unknown))

    def _weigh(self, known: int, unknown: int) -> None:
        self._known += known
        self._unknown += unknown
        if self._unknown > max(MOST_UNKNOWN, self._known):
            raise SweepRefused(
                f"Of {self._known + self._unknown:,} stored versions the ledger does not know "
                f"{self._unknown:,}: it seems to be another ledger than the one they were written "
                "under, so nothing more is removed. Check DATABASE_URL, QDRANT_URL and "
                "FLOTILLA_BLOB_URL."
            )


def _known(connection: Connection, version_ids: Collection[str]) -> dict[str, bool]:
    """The versions that have a row, and whether they are over for good."""
    if not version_ids:
        return {}
    # A failed ingestion may be retried as long as its job is there and nothing newer has come;
    # one that was cancelled, or ended as that of a duplicate, may not.
    newer = VERSIONS.alias()
    superseded = (
        select(newer.c.id)
        .where(
            newer.c.document_id == versions.document_id,
            newer.c.number > versions.number,
            newer.c.state.in_((LIVE, RETIRED)),
        )
        .exists()
    )
    retriable = ~superseded & (
        select(jobs.id)
        .where(
            jobs.version_id == versions.id,
            jobs.kind == "ingest",
            jobs.status.not_in((TaskStatus.CANCELLED.value, TaskStatus.COMPLETED.value)),
        )
        .exists()
    )
    rows = connection.execute(
        select(
            versions.id,
            versions.state,
            versions.document_id,
            documents.collection_id,
            documents.deleted_at,
            retriable.label("retriable"),
        )
        .join_from(VERSIONS, DOCUMENTS, documents.id == versions.document_id)
        .where(versions.id.in_(set(version_ids)))
    ).all()
    deleted = any(_long_ago(row.deleted_at) for row in rows)
    leaving = removals.leaving(connection) if deleted else ()
    return {
        row.id: row.state == RETIRED
        or (row.state == FAILED and not row.retriable)
        or (_long_ago(row.deleted_at) and row not in leaving)
        for row in rows
    }


def _long_ago(moment: datetime | None) -> bool:
    return moment is not None and now() - moment > GRACE


def leftover_deletions(connection: Connection, after: str = "", limit: int = 500) -> list[str]:
    """Ids of documents that were deleted a while ago, and that no deletion is going to remove, in
    their order, from behind `after` on."""
    leaving = removals.leaving(connection)
    found: list[str] = []
    while len(found) < limit:
        rows = connection.execute(
            select(documents.id.label("document_id"), documents.collection_id, documents.deleted_at)
            .where(documents.deleted_at < now() - GRACE, documents.id > after)
            .order_by(documents.id)
            .limit(limit)
        ).all()
        found += [row.document_id for row in rows if row not in leaving]
        if len(rows) < limit:
            break
        after = rows[-1].document_id
    return found[:limit]


# --- which documents should have points ----------------------------------------------------


@dataclass(frozen=True, slots=True)
class LiveVersion:
    """A version that answers, with the chunks that it should have as points."""

    id: str
    tenant_id: str
    document_id: str
    chunks: int


def live_versions(connection: Connection, after: str = "", limit: int = 500) -> list[LiveVersion]:
    """Versions that answer, in the order of their ids, from behind `after` on."""
    return _live(connection, versions.id > after, limit=limit)


def still_incomplete(
    connection: Connection, counted: Mapping[str, int]
) -> list[tuple[LiveVersion, int]]:
    """Of versions with the points that were counted, those that still answer with too few, and
    that no job is about to index anew."""
    busy = select(jobs.document_id).where(
        jobs.finished_at.is_(None),
        jobs.kind.in_(("ingest", "reindex")),
        jobs.document_id.is_not(None),
    )
    found = _live(
        connection, versions.id.in_(counted), documents.id.not_in(busy), limit=len(counted)
    )
    return [
        (version, counted[version.id]) for version in found if counted[version.id] < version.chunks
    ]


def _live(connection: Connection, *conditions: Any, limit: int) -> list[LiveVersion]:
    rows = connection.execute(
        select(versions.id, versions.tenant_id, versions.document_id, versions.chunks)
        .join_from(VERSIONS, DOCUMENTS, documents.id == versions.document_id)
        .where(
            versions.state == LIVE,
            versions.chunks > 0,
            documents.live_version_id == versions.id,
            documents.deleted_at.is_(None),
            *conditions,
        )
        .order_by(versions.id)
        .limit(limit)
    )
    return [LiveVersion(*row) for row in rows]
