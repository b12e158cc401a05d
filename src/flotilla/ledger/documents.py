"""Documents: how the API shows them, which version answers, and how they are deleted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, or_, select, update

from flotilla.errors import DocumentNotFound
from flotilla.ledger import generations, notes
from flotilla.ledger.database import now
from flotilla.ledger.job_views import error_of
from flotilla.ledger.locks import lock_documents
from flotilla.ledger.tables import COLLECTIONS, DOCUMENTS, JOBS, VERSIONS
from flotilla.schemas import Document, DocumentStatus

documents = DOCUMENTS.c
versions = VERSIONS.c
collections = COLLECTIONS.c
jobs = JOBS.c


@dataclass(frozen=True, slots=True)
class Live:
    """What of a document may answer: its live version, in the collection of this name."""

    version_id: str
    collection: str


def live(connection: Connection, document_ids: Iterable[str]) -> dict[str, Live]:
    """What may answer of each document, by its id; deleted ones are left out."""
    rows = connection.execute(
        select(documents.id, documents.live_version_id, collections.name)
        .join_from(DOCUMENTS, COLLECTIONS, collections.id == documents.collection_id)
        .where(
            documents.id.in_(set(document_ids)),
            documents.deleted_at.is_(None),
            documents.live_version_id.is_not(None),
        )
    )
    return {row.id: Live(row.live_version_id, row.name) for row in rows}


def live_version(connection: Connection, tenant_id: str, document_id: str) -> str | None:
    """Id of the live version, or None while there is none. Raises DocumentNotFound."""
    row = connection.execute(
        select(documents.live_version_id).where(
            documents.id == document_id,
            documents.tenant_id == tenant_id,
            documents.deleted_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        raise _missing(document_id)
    return None if row.live_version_id is None else str(row.live_version_id)


def count_live(connection: Connection) -> int:
    """How many documents of all tenants answer."""
    counted = select(func.count()).where(
        documents.live_version_id.is_not(None), documents.deleted_at.is_(None)
    )
    return int(connection.scalar(counted) or 0)


def mark_deleted(connection: Connection, tenant_id: str, document_id: str) -> str:
    """From this moment the document answers nothing; returns its collection's id.

    Raises:
        DocumentNotFound: the tenant has no such document.
    """
    there = (
        documents.id == document_id,
        documents.tenant_id == tenant_id,
        documents.deleted_at.is_(None),
    )
    # First, since a collection is locked before its documents.
    collection_id = connection.scalar(select(documents.collection_id).where(*there))
    if collection_id is None:
        raise _missing(document_id)
    generations.advance(connection, collection_id)
    moment = now()
    deleted = connection.execute(
        update(DOCUMENTS)
        .where(*there)
        .values(deleted_at=moment, updated_at=moment, status=DocumentStatus.DELETING.value)
    )
    if deleted.rowcount == 0:  # another has been quicker
        raise _missing(document_id)
    return str(collection_id)


def purge(connection: Connection, document_ids: Sequence[str]) -> None:
    """Remove deleted documents with their versions."""
    lock_documents(connection, document_ids)
    deleted = select(documents.id).where(
        documents.id.in_(document_ids), documents.deleted_at.is_not(None)
    )
    connection.execute(delete(VERSIONS).where(versions.document_id.in_(deleted)))
    connection.execute(delete(DOCUMENTS).where(documents.id.in_(deleted)))


# --- the API's view ------------------------------------------------------------------------


def _described(tenant_id: str) -> Select[Any]:
    # Until a version is live, its newest one says what is known of the document.
    newest = (
        select(versions.id)
        .where(versions.document_id == documents.id)
        .order_by(versions.number.desc())
        .limit(1)
        .correlate(DOCUMENTS)
        .scalar_subquery()
    )
    return (
        select(
            *DOCUMENTS.c,
            collections.name.label("collection"),
            versions.content_type,
            versions.size,
            versions.sha256,
            versions.title,
            versions.pages,
            versions.converter,
            versions.chunks,
            versions.number,
            jobs.error_stage,
            jobs.error_code,
            jobs.error_message,
            jobs.error_retryable,
            jobs.error_retry_after,
            jobs.notes,
        )
        .join_from(DOCUMENTS, COLLECTIONS, collections.id == documents.collection_id)
        .outerjoin(
            VERSIONS,
            or_(
                versions.id == documents.live_version_id,
                documents.live_version_id.is_(None) & (versions.id == newest),
            ),
        )
        .outerjoin(JOBS, jobs.id == documents.job_id)
        .where(documents.tenant_id == tenant_id, documents.deleted_at.is_(None))
    )


def _document(row: Row[Any]) -> Document:
    return Document(
        document_id=row.id,
        name=row.name,
        collection=row.collection,
        status=DocumentStatus(row.status),
        content_type=row.content_type,
        size=row.size,
        sha256=row.sha256,
        title=row.title,
        source_url=row.source_url,
        pages=row.pages,
        converter=row.converter,
        chunks=row.chunks,
        version=row.number if row.live_version_id is not None else None,
        metadata=row._mapping["metadata"],
        task_id=row.job_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
        error=error_of(row),
        notes=notes.shown(row.notes),
    )


def view(connection: Connection, tenant_id: str, document_id: str) -> Document:
    """Raises DocumentNotFound."""
    row = connection.execute(_described(tenant_id).where(documents.id == document_id)).one_or_none()
    if row is None:
        raise _missing(document_id)
    return _document(row)


def listing(
    connection: Connection,
    tenant_id: str,
    *,
    collection_id: str | None,
    status: DocumentStatus | None,
    before: str | None,
    limit: int,
) -> list[Document]:
    """The tenant's documents, newest first; `before` is the last id of the part before."""
    query = _described(tenant_id)
    if collection_id is not None:
        query = query.where(documents.collection_id == collection_id)
    if status is not None:
        query = query.where(documents.status == status.value)
    if before is not None:
        query = query.where(documents.id < before)
    rows = connection.execute(query.order_by(documents.id.desc()).limit(limit))
    return [_document(row) for row in rows]


def _missing(document_id: str) -> DocumentNotFound:
    return DocumentNotFound(
        f"There is no document {document_id!r}: GET /documents lists what there is."
    )
