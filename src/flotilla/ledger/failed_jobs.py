"""The dead letters: which failed jobs can be tried again, found by what they have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, select

from flotilla import errors
from flotilla.ledger.job_views import is_in
from flotilla.ledger.tables import DOCUMENTS, JOBS, VERSIONS
from flotilla.ledger.versions import FAILED, LIVE, PENDING
from flotilla.schemas import TaskStatus

jobs = JOBS.c
documents = DOCUMENTS.c
versions = VERSIONS.c

# A smoke test shows what a failure looks like, and a batch has no work but its members'.
RETRIED_KINDS = (
    "ingest",
    "reindex",
    "delete",
    "forget",
    "migration",
    "drop",
    "query",
    "search",
    "questions",
    "warm",
)

USUAL_KINDS = ("ingest", "reindex", "delete", "forget")
"""Those of them that are meant where no kind is named: nobody waits for an old question any more,
and the embedding model is not changed by whoever thinks of documents."""


OF_THE_FILE = tuple(
    error.code
    for error in (
        errors.ArchiveTooLarge,
        errors.EmptyFile,
        errors.FileCorrupt,
        errors.FileEncrypted,
        errors.InvalidEncoding,
        errors.NoText,
        errors.Quarantined,
        errors.TooManyPages,
        errors.UnsupportedType,
        errors.WrongPassword,
    )
)
"""Codes of failures that lie in the file itself: it would fail again, and one that was quarantined
would end two more workers. They are meant where the code or the batch is named, as after a setting
was raised."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which failed jobs; what is None does not matter, but for the kind (see USUAL_KINDS), and for
    code and batch (see OF_THE_FILE)."""

    kind: str | None = None
    stage: str | None = None
    code: str | None = None
    collection: str | None = None
    parent_id: str | None = None
    created_after: datetime | None = None


PAGE = 500
"""Failed jobs that are looked at together."""


def failed(
    connection: Connection, tenant_id: str, wanted: Filter, limit: int, after: str = ""
) -> list[str]:
    """Ids of the tenant's failed jobs that the filter names and that can be retried, oldest first,
    from behind `after` on."""
    given = {
        jobs.error_stage: wanted.stage,
        jobs.error_code: wanted.code,
        jobs.collection: wanted.collection,
        jobs.parent_id: wanted.parent_id,
    }
    conditions: list[ColumnElement[bool]] = [
        column == value for column, value in given.items() if value is not None
    ]
    if wanted.code is None and wanted.parent_id is None:
        conditions.append(jobs.error_code.not_in(OF_THE_FILE))
    if wanted.created_after is not None:
        conditions.append(jobs.created_at > wanted.created_after)
    query = (
        select(jobs.id, jobs.kind)
        .where(
            jobs.tenant_id == tenant_id,
            is_in(TaskStatus.FAILED),
            jobs.kind.in_(_kinds(wanted)),
            *conditions,
        )
        .order_by(jobs.id)
        .limit(PAGE)
    )
    found: list[str] = []
    while len(found) < limit:
        page = connection.execute(query.where(jobs.id > after)).all()
        ready = _with_a_place(connection, [row.id for row in page if row.kind == "ingest"])
        # What would be refused must not stand before what would not: it never goes away.
        found += [row.id for row in page if row.kind != "ingest" or row.id in ready]
        if len(page) < PAGE:
            break
        after = page[-1].id
    return found[:limit]


def _kinds(wanted: Filter) -> Sequence[str]:
    if wanted.kind is None:
        return USUAL_KINDS
    return [wanted.kind] if wanted.kind in RETRIED_KINDS else []


def _with_a_place(connection: Connection, job_ids: Sequence[str]) -> set[str]:
    """Those of the ingestions that have a version, which what was refused at its submission has
    not, and one that can be revived.

    Asked of each job in the one query that finds them, PostgreSQL would read all versions for it.
    """
    revived = select(jobs.id).join_from(JOBS, VERSIONS, versions.id == jobs.version_id)
    return set(connection.scalars(revived.where(jobs.id.in_(job_ids), revivable())))


def revivable() -> ColumnElement[bool]:
    """Of a version: work on it can go on, since its document is there and no newer version has
    taken its place, or is about to."""
    newer = VERSIONS.alias()
    replaced = select(newer.c.id).where(
        newer.c.document_id == versions.document_id,
        newer.c.number > versions.number,
        newer.c.state.in_((PENDING, LIVE)),
    )
    alive = select(documents.id).where(
        documents.id == versions.document_id, documents.deleted_at.is_(None)
    )
    return versions.state.in_((FAILED, LIVE)) & ~replaced.exists() & alive.exists()
