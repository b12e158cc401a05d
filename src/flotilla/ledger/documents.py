"""Documents and their versions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, Select, case, delete, func, insert, or_, select, update

from flotilla.errors import DocumentNotFound
from flotilla.ledger import collections as collection_rows
from flotilla.ledger import jobs as job_rows
from flotilla.ledger.database import new_id, now
from flotilla.ledger.tables import COLLECTIONS, DOCUMENTS, JOBS, VERSIONS
from flotilla.models import Metadata
from flotilla.schemas import Document, DocumentAccepted, DocumentStatus, TaskError

documents = DOCUMENTS.c
versions = VERSIONS.c
collections = COLLECTIONS.c
jobs = JOBS.c

# A version's states.
PENDING, LIVE, RETIRED, FAILED = "pending", "live", "retired", "failed"


@dataclass(frozen=True, slots=True)
class NewSource:
    """A source that is about to be ingested.

    `blob`, `sha256` and `size` are None for a URL, which is fetched by the fleet; `first_stage`
    is where its job begins.
    """

    version_id: str
    source: str
    name: str
    metadata: Metadata
    first_stage: str
    blob: str | None = None
    sha256: str | None = None
    size: int | None = None
    content_type: str | None = None
    source_url: str | None = None
    password: str | None = None


def submit(
    connection: Connection, tenant_id: str, collection: str, sources: Sequence[NewSource]
) -> list[DocumentAccepted]:
    """Write documents, versions and jobs for new sources, all or none.

    Bytes that the collection holds already make no second document: the reply names the first.
    A known source with other bytes gets a new version, and the old one answers until it is live.

    Raises:
        CollectionNotFound: there is no such collection.
    """
    # Two submissions of the same bytes at once: the second has to see the first.
    found = collection_rows.resolve(connection, tenant_id, [collection], lock=True)
    collection_id = found[collection]
    return [
        _submit_one(connection, tenant_id, collection_id, collection, source) for source in sources
    ]


def _submit_one(
    connection: Connection, tenant_id: str, collection_id: str, collection: str, source: NewSource
) -> DocumentAccepted:
    if source.sha256 is not None:
        same = _same_bytes(connection, collection_id, source.sha256)
        if same is not None:
            return same.model_copy(update={"name": source.name})
    moment = now()
    job = job_rows.NewJob(
        tenant_id=tenant_id,
        kind="ingest",
        queue="document",
        stage=source.first_stage,
        payload={"password": source.password} if source.password else {},
        version_id=source.version_id,
        collection_id=collection_id,
        collection=collection,
    )
    known = connection.execute(
        update(DOCUMENTS)
        .where(
            documents.collection_id == collection_id,
            documents.source == source.source,
            documents.deleted_at.is_(None),
        )
        .values(
            job_id=job.id,
            updated_at=moment,
            status=case(
                (documents.live_version_id.is_(None), DocumentStatus.PROCESSING.value),
                else_=documents.status,
            ),
        )
        .returning(documents.id)
    ).one_or_none()
    document_id = known.id if known is not None else new_id()
    if known is None:
        connection.execute(
            insert(DOCUMENTS).values(
                id=document_id,
                tenant_id=tenant_id,
                collection_id=collection_id,
                source=source.source,
                name=source.name,
                source_url=source.source_url,
                metadata=source.metadata,
                status=DocumentStatus.PROCESSING.value,
                job_id=job.id,
                created_at=moment,
                updated_at=moment,
            )
        )
    number = connection.scalar(
        select(func.coalesce(func.max(versions.number), 0) + 1).where(
            versions.document_id == document_id
        )
    )
    connection.execute(
        insert(VERSIONS).values(
            id=source.version_id,
            tenant_id=tenant_id,
            document_id=document_id,
            number=number,
            state=PENDING,
            blob=source.blob,
            sha256=source.sha256,
            size=source.size,
            content_type=source.content_type,
            created_at=moment,
        )
    )
    payload = job.payload | {"name": source.name, "metadata": source.metadata}
    if source.source_url is not None:
        payload["url"] = source.source_url
    job_rows.add(
        connection,
        [replace(job, document_id=document_id, payload=payload)],
    )
    return DocumentAccepted(document_id=document_id, task_id=job.id, name=source.name)


def _same_bytes(connection: Connection, collection_id: str, sha256: str) -> DocumentAccepted | None:
    """The collection's document that these bytes are, as a live version or on the way.

    Not so where a newer version with other bytes is on the way to take their place.
    """
    later = VERSIONS.alias()
    superseded = select(later.c.id).where(
        later.c.document_id == versions.document_id,
        later.c.number > versions.number,
        later.c.state == PENDING,
    )
    row = connection.execute(
        select(documents.id, documents.name, jobs.id.label("job_id"), jobs.status)
        .join_from(VERSIONS, DOCUMENTS, documents.id == versions.document_id)
        .join(JOBS, jobs.version_id == versions.id)
        .where(
            versions.sha256 == sha256,
            versions.state.in_((PENDING, LIVE)),
            documents.collection_id == collection_id,
            documents.deleted_at.is_(None),
            jobs.kind == "ingest",
            ~superseded.exists(),
        )
        .order_by(jobs.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    return DocumentAccepted(
        document_id=row.id,
        task_id=row.job_id,
        name=row.name,
        status=row.status,
        duplicate_of=row.id,
    )


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
    number: int
    pages: int | None
    chunks: int | None
    state: str
    deleted: bool


def version(connection: Connection, version_id: str) -> Version:
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
        number=row.number,
        pages=row.pages,
        chunks=row.chunks,
        state=row.state,
        deleted=row.deleted_at is not None,
    )


def describe_version(connection: Connection, version_id: str, **values: Any) -> None:
    """Set what became known of a version: blob, sha256, size, content_type, pages, chunks."""
    connection.execute(update(VERSIONS).where(versions.id == version_id).values(**values))


def publish(connection: Connection, document_id: str, version_id: str) -> bool:
    """Make a version the live one, and its name and metadata the document's.

    False when the document is deleted or has a newer one.
    """
    submitted = version(connection, version_id)
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


def older_versions(connection: Connection, document_id: str, number: int) -> list[str]:
    """Ids of the document's versions before `number`."""
    return list(
        connection.scalars(
            select(versions.id).where(versions.document_id == document_id, versions.number < number)
        )
    )


def given_up(connection: Connection, document_id: str) -> list[str]:
    """Ids of the document's versions that will never answer again: replaced or failed."""
    return list(
        connection.scalars(
            select(versions.id).where(
                versions.document_id == document_id, versions.state.in_((RETIRED, FAILED))
            )
        )
    )


def fail_version(connection: Connection, document_id: str, version_id: str) -> None:
    """Give a version up.

    The document stays ready where an older one is live, and goes on where a newer one is on its
    way.
    """
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


def live_versions(connection: Connection, document_ids: Iterable[str]) -> dict[str, str]:
    """The live version of each document that may answer; deleted ones are left out."""
    rows = connection.execute(
        select(documents.id, documents.live_version_id).where(
            documents.id.in_(set(document_ids)),
            documents.deleted_at.is_(None),
            documents.live_version_id.is_not(None),
        )
    )
    return {row.id: row.live_version_id for row in rows}


def mark_deleted(connection: Connection, tenant_id: str, document_id: str) -> str:
    """From this moment the document answers nothing; returns its collection's id.

    Raises:
        DocumentNotFound: the tenant has no such document.
    """
    moment = now()
    row = connection.execute(
        update(DOCUMENTS)
        .where(
            documents.id == document_id,
            documents.tenant_id == tenant_id,
            documents.deleted_at.is_(None),
        )
        .values(deleted_at=moment, updated_at=moment, status=DocumentStatus.DELETING.value)
        .returning(documents.collection_id)
    ).one_or_none()
    if row is None:
        raise _missing(document_id)
    return str(row.collection_id)


def version_ids(connection: Connection, document_ids: Sequence[str]) -> list[str]:
    """Ids of all versions of the documents."""
    return list(
        connection.scalars(select(versions.id).where(versions.document_id.in_(document_ids)))
    )


def purge(connection: Connection, document_ids: Sequence[str]) -> None:
    """Remove deleted documents with their versions."""
    deleted = select(documents.id).where(
        documents.id.in_(document_ids), documents.deleted_at.is_not(None)
    )
    connection.execute(delete(VERSIONS).where(versions.document_id.in_(deleted)))
    connection.execute(delete(DOCUMENTS).where(documents.id.in_(deleted)))


def deleted_in(connection: Connection, collection_id: str) -> list[str]:
    """Ids of the collection's documents that are marked deleted."""
    return list(
        connection.scalars(
            select(documents.id).where(
                documents.collection_id == collection_id, documents.deleted_at.is_not(None)
            )
        )
    )


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
            versions.pages,
            versions.chunks,
            versions.number,
            jobs.error_stage,
            jobs.error_code,
            jobs.error_message,
            jobs.error_retryable,
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
    error = (
        TaskError(
            stage=row.error_stage,
            code=row.error_code,
            message=row.error_message,
            retryable=row.error_retryable,
        )
        if row.error_code is not None
        else None
    )
    return Document(
        document_id=row.id,
        name=row.name,
        collection=row.collection,
        status=DocumentStatus(row.status),
        content_type=row.content_type,
        size=row.size,
        sha256=row.sha256,
        source_url=row.source_url,
        pages=row.pages,
        chunks=row.chunks,
        version=row.number if row.live_version_id is not None else None,
        metadata=row._mapping["metadata"],
        task_id=row.job_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
        error=error,
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


def _missing(document_id: str) -> DocumentNotFound:
    return DocumentNotFound(
        f"There is no document {document_id!r}: GET /documents lists what there is."
    )
