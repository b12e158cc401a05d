"""Submissions: new sources become documents, versions and jobs, all or none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, func, insert, select, update

from flotilla.ledger import batches, ended_members
from flotilla.ledger.collections import resolve
from flotilla.ledger.database import new_id, now
from flotilla.ledger.ended_members import EndedMember
from flotilla.ledger.jobs import NewJob
from flotilla.ledger.jobs import add as add_jobs
from flotilla.ledger.locks import lock_documents
from flotilla.ledger.same_bytes import asked, duplicate, find_same, is_read_anew
from flotilla.ledger.tables import DOCUMENTS, JOBS, VERSIONS
from flotilla.ledger.versions import PENDING, Version
from flotilla.models import ConverterName, Metadata
from flotilla.schemas import DocumentAccepted, DocumentStatus

documents = DOCUMENTS.c
versions = VERSIONS.c
jobs = JOBS.c


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
    converter: ConverterName = ConverterName.AUTO
    callback_url: str | None = None


def submit(
    connection: Connection,
    tenant_id: str,
    collection: str,
    sources: Sequence[NewSource],
    parent_id: str | None = None,
) -> list[DocumentAccepted]:
    """Write documents, versions and jobs for new sources, all or none.

    With `parent_id` they are members of this open batch, also those that are duplicates.

    Bytes that the collection holds already make no second document: the reply names the first.
    A known source with other bytes gets a new version, and the old one answers until it is live.

    Raises:
        CollectionNotFound: there is no such collection.
        TaskNotFound: there is no such batch.
        BatchClosed: the batch takes no more members.
    """
    if parent_id is not None:
        batches.check_open(connection, tenant_id, parent_id)
    # Two submissions of the same bytes at once: the second has to see the first.
    found = resolve(connection, tenant_id, [collection], lock=True)
    collection_id = found[collection]
    _lock_known(connection, collection_id, sources)
    accepted = [
        _submit_one(connection, tenant_id, collection_id, collection, source, parent_id)
        for source in sources
    ]
    if parent_id is not None:
        there = [
            EndedMember(
                name=source.name,
                duplicate_of=same.duplicate_of,
                original_task=same.task_id,
                collection_id=collection_id,
                collection=collection,
            )
            for source, same in zip(sources, accepted, strict=True)
            if same.duplicate_of is not None
        ]
        ended_members.add(connection, tenant_id, parent_id, there)
        batches.admit(connection, tenant_id, parent_id, ended=len(there))
    return accepted


def _lock_known(connection: Connection, collection_id: str, sources: Sequence[NewSource]) -> None:
    # Several documents that are there already are taken in the order of their ids, not in that of
    # the request.
    if len(sources) < 2:
        return
    known = select(documents.id).where(
        documents.collection_id == collection_id,
        documents.source.in_({source.source for source in sources}),
        documents.deleted_at.is_(None),
    )
    lock_documents(connection, set(connection.scalars(known)))


def _submit_one(
    connection: Connection,
    tenant_id: str,
    collection_id: str,
    collection: str,
    source: NewSource,
    parent_id: str | None,
) -> DocumentAccepted:
    if source.sha256 is not None:
        same = find_same(connection, collection_id, source.sha256)
        if same is not None and not is_read_anew(same, source.source, source.converter):
            return duplicate(same)
    moment = now()
    job_id = new_id()
    document_id = _write_document(connection, tenant_id, collection_id, source, job_id, moment)
    _write_version(connection, tenant_id, document_id, source, moment)
    payload: dict[str, Any] = {"name": source.name, "metadata": source.metadata}
    if source.password:
        payload["password"] = source.password
    if source.converter is not ConverterName.AUTO:
        payload["converter"] = source.converter.value
    if source.source_url is not None:
        payload["url"] = source.source_url
    job = NewJob(
        id=job_id,
        tenant_id=tenant_id,
        kind="ingest",
        queue="document",
        stage=source.first_stage,
        payload=payload,
        parent_id=parent_id,
        document_id=document_id,
        version_id=source.version_id,
        collection_id=collection_id,
        collection=collection,
        callback_url=source.callback_url,
    )
    add_jobs(connection, [job])
    return DocumentAccepted(document_id=document_id, task_id=job_id, name=source.name)


def _write_document(
    connection: Connection,
    tenant_id: str,
    collection_id: str,
    source: NewSource,
    job_id: str,
    moment: datetime,
) -> str:
    """The id of the source's document: a known one, now shown with this job, or a new one."""
    known = connection.execute(
        update(DOCUMENTS)
        .where(
            documents.collection_id == collection_id,
            documents.source == source.source,
            documents.deleted_at.is_(None),
        )
        .values(
            job_id=job_id,
            updated_at=moment,
            status=case(
                (documents.live_version_id.is_(None), DocumentStatus.PROCESSING.value),
                else_=documents.status,
            ),
        )
        .returning(documents.id)
    ).one_or_none()
    if known is not None:
        return str(known.id)
    document_id = new_id()
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
            job_id=job_id,
            created_at=moment,
            updated_at=moment,
        )
    )
    return document_id


def _write_version(
    connection: Connection, tenant_id: str, document_id: str, source: NewSource, moment: datetime
) -> None:
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


def same_as_retried(connection: Connection, version: Version) -> DocumentAccepted | None:
    """The document that has got the bytes of a version since it failed, or None.

    The collection has to be locked, as in `same_as_fetched`.
    """
    if version.sha256 is None:
        return None  # it was not fetched yet
    same = find_same(connection, version.collection_id, version.sha256, except_version=version.id)
    return None if same is None else duplicate(same)


def same_as_fetched(
    connection: Connection, version: Version, sha256: str
) -> DocumentAccepted | None:
    """The document that already has the bytes which a version's address turned out to give.

    That is the version's own document, where they have not changed since, or another one, where
    its own is new and would be a second of the same. The collection has to be locked, so that of
    two that are fetched at once the second sees the first.
    """
    row = find_same(connection, version.collection_id, sha256, except_version=version.id)
    if row is None:
        return None
    same = duplicate(row)
    if same.document_id == version.document_id:
        submitted = select(documents.source, jobs.payload).join_from(
            JOBS, DOCUMENTS, documents.id == jobs.document_id
        )
        own = connection.execute(
            submitted.where(jobs.version_id == version.id, jobs.kind == "ingest")
        ).one_or_none()
        if own is not None and is_read_anew(row, own.source, asked(own.payload)):
            return None
        return same
    answering = connection.scalar(
        select(documents.live_version_id).where(documents.id == version.document_id)
    )
    return same if answering is None else None
