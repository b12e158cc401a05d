"""Versions of documents: what a fleet works on, and which of them answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select, update

from flotilla.errors import DocumentNotFound
from flotilla.ledger import chunk_lengths, generations
from flotilla.ledger.database import now
from flotilla.ledger.locks import lock_documents
from flotilla.ledger.tables import DOCUMENTS, JOBS, VERSIONS
from flotilla.models import Metadata
from flotilla.schemas import DocumentStatus, TaskStatus

documents = DOCUMENTS.c
versions = VERSIONS.c
jobs = JOBS.c

# A version's states.
PENDING, LIVE, RETIRED, FAILED = "pending", "live", "retired", "failed"


@dataclass(frozen=True, slots=True)
class Version:
    """What a fleet needs to know of the version that it works on."""

    id: str
    document_id: str
    tenant_id: str
    collection_id: str
    document_name: str
    metadata: Metadata
    blob: str | None
    content_type: str | None
    title: str | None
    number: int
    pages: int | None
    chunks: int | None
    state: str
    sha256: str | None
    deleted: bool


def get(connection: Connection, version_id: str) -> Version:
    """A version with the name and the metadata that it was submitted with.

    Raises:
        DocumentNotFound: the version is gone.
    """
    row = connection.execute(
        select(
            *VERSIONS.c,
            documents.collection_id,
            documents.name,
            documents.metadata,
            documents.deleted_at,
            jobs.payload,
        )
        .join(DOCUMENTS, documents.id == versions.document_id)
        .outerjoin(JOBS, (jobs.version_id == versions.id) & (jobs.kind == "ingest"))
        .where(versions.id == version_id)
    ).one_or_none()
    if row is None:
        raise DocumentNotFound("The document was deleted while it was being ingested.")
    submitted = row.payload or {}
    return Version(
        id=row.id,
        document_id=row.document_id,
        tenant_id=row.tenant_id,
        collection_id=row.collection_id,
        document_name=submitted.get("name", row.name),
        metadata=submitted.get("metadata", row._mapping["metadata"]),
        blob=row.blob,
        content_type=row.content_type,
        title=row.title,
        number=row.number,
        pages=row.pages,
        chunks=row.chunks,
        state=row.state,
        sha256=row.sha256,
        deleted=row.deleted_at is not None,
    )


def is_live(connection: Connection, version_id: str) -> bool:
    """Whether the version is there, and is the one of its document that answers."""
    found = (
        select(versions.id)
        .join(DOCUMENTS, documents.id == versions.document_id)
        .where(versions.id == version_id, versions.state == LIVE, documents.deleted_at.is_(None))
    )
    return connection.scalar(found) is not None


def is_given_up(connection: Connection, version_id: str) -> bool:
    """Whether nothing of the version will ever be needed again; that never changes back.

    It is gone, its document is deleted, another has taken its place, or its ingestion was
    cancelled or ended as that of a duplicate. A version that failed may be retried, and then needs
    what there is of it, as long as no newer one is live.
    """
    newer = VERSIONS.alias()
    newer_is_live = select(newer.c.id).where(
        newer.c.document_id == versions.document_id,
        newer.c.number > versions.number,
        newer.c.state == LIVE,
    )
    row = connection.execute(
        select(
            versions.state,
            documents.deleted_at,
            jobs.status.label("job_status"),
            newer_is_live.exists().label("is_replaced"),
        )
        .join(DOCUMENTS, documents.id == versions.document_id)
        .outerjoin(JOBS, (jobs.version_id == versions.id) & (jobs.kind == "ingest"))
        .where(versions.id == version_id)
    ).one_or_none()
    if row is None or row.deleted_at is not None:
        return True
    if row.state == FAILED:
        over = (TaskStatus.CANCELLED.value, TaskStatus.COMPLETED.value)
        return row.job_status in over or row.is_replaced
    return bool(row.state == RETIRED)


def describe(connection: Connection, version_id: str, **values: Any) -> None:
    """Set what became known of a version: blob, sha256, size, content_type, title, pages,
    converter, chunks."""
    connection.execute(update(VERSIONS).where(versions.id == version_id).values(**values))


def publish(connection: Connection, document_id: str, version_id: str) -> bool:
    """Make a version the live one, and its name and metadata the document's.

    False when the document is deleted or has a newer one. Its collection has to be locked.
    """
    # In a statement of its own: one that waits for the document's row would go on with what it had
    # read of the other versions before.
    lock_documents(connection, [document_id])
    submitted = get(connection, version_id)
    this = select(versions.number).where(versions.id == version_id).scalar_subquery()
    newer = (
        select(versions.id)
        .where(versions.document_id == document_id, versions.state == LIVE, versions.number > this)
        .exists()
    )
    moment = now()
    changed = connection.execute(
        update(DOCUMENTS)
        .where(documents.id == document_id, documents.deleted_at.is_(None), ~newer)
        .values(
            live_version_id=version_id,
            name=submitted.document_name,
            metadata=submitted.metadata,
            status=DocumentStatus.READY.value,
            updated_at=moment,
        )
    )
    if changed.rowcount == 0:
        return False
    generations.advance(connection, submitted.collection_id)
    chunk_lengths.take_over(connection, submitted.collection_id, version_id)
    connection.execute(
        update(VERSIONS)
        .where(
            versions.document_id == document_id,
            versions.state == LIVE,
            versions.id != version_id,
        )
        .values(state=RETIRED)
    )
    connection.execute(
        update(VERSIONS).where(versions.id == version_id).values(state=LIVE, published_at=moment)
    )
    return True


def older(connection: Connection, document_id: str, number: int) -> list[str]:
    """Ids of the document's versions before `number`."""
    return list(
        connection.scalars(
            select(versions.id).where(versions.document_id == document_id, versions.number < number)
        )
    )


def given_up(connection: Connection, document_id: str, before: int) -> list[str]:
    """Ids of the document's versions before this number that will never answer again: replaced,
    or failed. One that failed after it may be retried."""
    return list(
        connection.scalars(
            select(versions.id).where(
                versions.document_id == document_id,
                versions.state.in_((RETIRED, FAILED)),
                versions.number < before,
            )
        )
    )


def forget(connection: Connection, version_ids: Sequence[str]) -> None:
    """Remove the rows of given-up versions of which no points and no blobs are left, so that they
    are not looked for again. One stays as long as a job may come back to it."""
    wanted = select(jobs.id).where(
        jobs.document_id == versions.document_id,
        jobs.version_id == versions.id,
        jobs.finished_at.is_(None)
        | ((jobs.kind == "reindex") & (jobs.status == TaskStatus.FAILED.value)),
    )
    connection.execute(
        delete(VERSIONS).where(
            versions.id.in_(version_ids),
            versions.state.in_((RETIRED, FAILED)),
            ~wanted.exists(),
        )
    )


def fail(connection: Connection, document_id: str, version_id: str) -> None:
    """Give a version up.

    The document stays ready where an older one is live, and goes on where a newer one is on its
    way.
    """
    lock_documents(connection, [document_id])  # of two that fail at once the second sees the first
    connection.execute(
        update(VERSIONS)
        .where(versions.id == version_id, versions.state == PENDING)
        .values(state=FAILED)
    )
    on_the_way = select(versions.id).where(
        versions.document_id == document_id, versions.state == PENDING
    )
    connection.execute(
        update(DOCUMENTS)
        .where(
            documents.id == document_id,
            documents.live_version_id.is_(None),
            documents.deleted_at.is_(None),
            ~on_the_way.exists(),
        )
        .values(status=DocumentStatus.FAILED.value, updated_at=now())
    )


def has_others(connection: Connection, version_id: str) -> bool:
    """Whether its document has another version that answers, is on its way, or is newer and can be
    retried."""
    this = VERSIONS.alias()
    retriable = select(jobs.id).where(
        jobs.document_id == versions.document_id,
        jobs.version_id == versions.id,
        jobs.kind == "ingest",
        jobs.status == TaskStatus.FAILED.value,
    )
    found = (
        select(versions.id)
        .join(this, this.c.document_id == versions.document_id)
        .where(
            this.c.id == version_id,
            versions.id != version_id,
            versions.state.in_((PENDING, LIVE))
            | ((versions.number > this.c.number) & retriable.exists()),
        )
    )
    return connection.scalar(found.limit(1)) is not None


def ids_of(connection: Connection, document_ids: Sequence[str]) -> list[str]:
    """Ids of all versions of the documents."""
    return list(
        connection.scalars(select(versions.id).where(versions.document_id.in_(document_ids)))
    )
