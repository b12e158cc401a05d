"""Documents: list, look at, index anew, delete."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlalchemy import Connection

from flotilla.blobs import chunks_ref
from flotilla.errors import (
    InvalidRequest,
)
from flotilla.gateway import examples, problems
from flotilla.gateway.dependencies import CallbackDep, PartDep, ServicesDep, TenantDep
from flotilla.gateway.removals import start_removal
from flotilla.ledger import (
    collections,
    documents,
    job_views,
    reindexing,
    removals,
)
from flotilla.models import Chunk
from flotilla.pages import MOST_CHARACTERS, list_pages, read_page
from flotilla.schemas import (
    Document,
    DocumentChunk,
    DocumentPage,
    DocumentState,
    DocumentStatus,
    Listing,
    PageEntry,
    Task,
    TaskAccepted,
)

router = APIRouter(tags=["documents"])


@router.get(
    "/documents",
    summary="List documents, newest first",
    responses=problems.responses(examples.NO_COLLECTION, examples.BAD_PARAMETER),
)
async def list_documents(
    services: ServicesDep,
    tenant: TenantDep,
    part: PartDep,
    collection: Annotated[str | None, Query(description="Of this collection alone.")] = None,
    status: Annotated[DocumentStatus | None, Query(description="In this state alone.")] = None,
) -> Listing[Document]:
    def read(connection: Connection) -> list[Document]:
        collection_id = (
            collections.resolve(connection, tenant, [collection])[collection]
            if collection is not None
            else None
        )
        return documents.listing(
            connection,
            tenant,
            collection_id=collection_id,
            status=status,
            before=part.after,
            limit=part.wanted,
        )

    items = await services.read(read)
    return part.listing(items, lambda item: item.document_id)


@router.get(
    "/documents/{document_id}",
    summary="Look at a document",
    responses=problems.responses(examples.NO_DOCUMENT),
)
async def get_document(document_id: str, services: ServicesDep, tenant: TenantDep) -> Document:
    return await services.read(documents.view, tenant, document_id)


@router.get(
    "/documents/{document_id}/status",
    summary="Poll a document's state",
    responses=problems.responses(examples.NO_DOCUMENT),
)
async def get_document_status(
    document_id: str, services: ServicesDep, tenant: TenantDep
) -> DocumentState:
    def read(connection: Connection) -> DocumentState:
        document = documents.view(connection, tenant, document_id)
        task: Task | None = None
        if document.task_id is not None:
            task = job_views.view(connection, tenant, document.task_id)
        return DocumentState(document_id=document_id, status=document.status, task=task)

    return await services.read(read)


@router.get(
    "/documents/{document_id}/chunks",
    summary="Read a document's chunks",
    responses=problems.responses(examples.NO_DOCUMENT, examples.BAD_PARAMETER),
)
async def list_chunks(
    document_id: str, services: ServicesDep, tenant: TenantDep, part: PartDep
) -> Listing[DocumentChunk]:
    """The live version's chunks in reading order; none while no version is live."""

    def read() -> list[DocumentChunk]:
        with services.database.reading() as connection:
            version_id = documents.live_version(connection, tenant, document_id)
        if version_id is None:
            return []
        first = _position(part.after) if part.after is not None else 0
        found: list[DocumentChunk] = []
        batch = 0
        seen = 0
        while len(found) < part.wanted:
            ref = chunks_ref(tenant, version_id, batch)
            if not services.blobs.exists(ref):
                break
            for chunk in services.blobs.values(ref, Chunk):
                if seen >= first and len(found) < part.wanted:
                    found.append(_chunk(chunk))
                seen += 1
            batch += 1
        return found

    items = await services.in_thread(read)
    return part.listing(items, lambda item: str(item.position + 1))


@router.get(
    "/documents/{document_id}/pages",
    summary="List a document's pages",
    responses=problems.responses(examples.NO_DOCUMENT, examples.BAD_PARAMETER),
)
async def list_document_pages(
    document_id: str, services: ServicesDep, tenant: TenantDep, part: PartDep
) -> Listing[PageEntry]:
    """Where each page of the live version stands; none while no version is live.

    A document without pages is one, or several without numbers where it is made of parts.
    """
    first = _position(part.after) + 1 if part.after is not None else 1
    items = await services.in_thread(
        list_pages, services.database, services.blobs, tenant, document_id, first, part.wanted
    )
    return part.listing(items, lambda item: str(item.page))


@router.get(
    "/documents/{document_id}/pages/{page}",
    summary="Read a page",
    responses=problems.responses(examples.NO_DOCUMENT, examples.NO_PAGE, examples.OFF_THE_PAGE),
)
async def get_page(
    document_id: str,
    services: ServicesDep,
    tenant: TenantDep,
    page: Annotated[int, Path(ge=1, description="Its place in the document, from 1.")],
    start: Annotated[
        int | None,
        Query(
            ge=0,
            description="Offset in the document's text to read from; the page's start by default.",
        ),
    ] = None,
    limit: Annotated[
        int, Query(ge=1, le=MOST_CHARACTERS, description="Most characters to return.")
    ] = MOST_CHARACTERS,
) -> DocumentPage:
    """The text of a page of the live version, in which citations can be checked.

    A citation's `quote` is `text[citation.start - start : citation.end - start]` where it lies on
    this page. A document without pages is its page 1; a long one is read in parts, the next from
    `next_start` on.
    """
    return await services.in_thread(
        read_page,
        services.database,
        services.blobs,
        tenant,
        document_id,
        page,
        start=start,
        limit=limit,
    )


@router.post(
    "/documents/{document_id}/reindex",
    status_code=202,
    summary="Index a document anew",
    responses=problems.responses(
        examples.NO_DOCUMENT, examples.NOT_LIVE, examples.PRIVATE_CALLBACK, examples.FULL
    ),
)
async def reindex_document(
    document_id: str, services: ServicesDep, tenant: TenantDep, callback_url: CallbackDep
) -> TaskAccepted:
    """Embed its stored chunks again and write its points in their old place, without parsing.

    It goes on answering meanwhile. While one is on its way, the reply names that one, whose own
    `callback_url` is told alone.
    """
    task_id = await services.write(reindexing.reindex, tenant, document_id, callback_url)
    await services.release()
    return TaskAccepted(task_id=task_id)


def _position(cursor: str) -> int:
    if not cursor.isascii() or not cursor.isdigit():
        raise InvalidRequest("The cursor is not one that this list has given.", field="cursor")
    return int(cursor)


def _chunk(chunk: Chunk) -> DocumentChunk:
    values = chunk.model_dump(exclude={"id", "document_id", "version_id", "vector_of"})
    return DocumentChunk(chunk_id=chunk.id, **values)


@router.delete(
    "/documents/{document_id}",
    status_code=202,
    summary="Delete a document",
    responses=problems.responses(
        examples.NO_DOCUMENT, examples.PRIVATE_CALLBACK, examples.DELETION_UNSENT
    ),
)
async def delete_document(
    document_id: str, services: ServicesDep, tenant: TenantDep, callback_url: CallbackDep
) -> TaskAccepted:
    """From the reply on the document answers nothing; its parts are removed by a task."""

    def write(connection: Connection) -> str:
        documents.mark_deleted(connection, tenant, document_id)
        which = removals.of_ids(document_id)
        return removals.add(connection, tenant, callback_url, **which)

    return await start_removal(services, await services.write(write))
