"""Documents: upload, list, look at, delete."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy import Connection

from flotilla import dispatch, pipelines
from flotilla.blobs import chunks_ref
from flotilla.errors import (
    DependencyUnavailable,
    InvalidRequest,
)
from flotilla.gateway import examples, problems
from flotilla.gateway.dependencies import CallbackDep, PartDep, Services, ServicesDep, TenantDep
from flotilla.gateway.uploads import discard, receive_upload
from flotilla.ledger import (
    batches,
    collections,
    documents,
    endings,
    job_views,
    jobs,
    reindexing,
    submissions,
)
from flotilla.ledger.submissions import NewSource
from flotilla.models import Chunk
from flotilla.schemas import (
    DEFAULT_COLLECTION,
    Document,
    DocumentChunk,
    DocumentsAccepted,
    DocumentState,
    DocumentStatus,
    Listing,
    Task,
    TaskAccepted,
)

router = APIRouter(tags=["documents"])

UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "example": {
                    "files": ["terms-of-use.pdf", "faq.docx"],
                    "collection": "default",
                    "metadata": '{"year": 2026, "kind": "terms"}',
                },
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "PDF, DOCX, HTML, Markdown or TXT.",
                        },
                        "collection": {"type": "string", "default": "default"},
                        "metadata": {
                            "type": "string",
                            "description": "A JSON object, kept with each of the documents.",
                            "example": '{"year": 2026}',
                        },
                        "password": {"type": "string", "description": "Opens encrypted PDFs."},
                        "callback_url": {
                            "type": "string",
                            "description": "Address that is told by POST when a file's task has "
                            "ended.",
                        },
                        "batch": {
                            "type": "string",
                            "description": "Task of the open batch that they are to be members "
                            "of. Without it, several files make a batch of their own.",
                        },
                    },
                },
            }
        },
    }
}


@router.post(
    "/documents",
    status_code=202,
    response_model=DocumentsAccepted,
    openapi_extra=UPLOAD_BODY,
    summary="Submit one or many files",
    responses=problems.responses(
        examples.NO_COLLECTION,
        examples.NO_BATCH,
        examples.BATCH_CLOSED,
        examples.UPLOAD_TOO_LARGE,
        examples.NO_FILE,
        examples.PRIVATE_CALLBACK,
        examples.FULL,
    ),
)
async def upload_documents(
    request: Request, services: ServicesDep, tenant: TenantDep
) -> DocumentsAccepted:
    """Stream files into the store and enqueue their ingestion.

    The reply comes when the bytes are safe; each document's progress is at its task id, and that
    of all of them at the batch's.
    """
    upload = await receive_upload(request, services.blobs, tenant, services.settings.gateway)
    password = upload.fields.get("password")
    try:
        metadata = upload.metadata()
        callback_url = upload.fields.get("callback_url") or None
        if callback_url is not None:
            callback_url = await services.callbacks.check(callback_url)
        sources = [
            NewSource(
                version_id=file.version_id,
                source=file.name,
                name=file.name,
                metadata=metadata,
                first_stage=pipelines.CONVERT,
                blob=file.ref,
                sha256=file.sha256,
                size=file.size,
                content_type=file.content_type,
                password=password,
                callback_url=callback_url,
            )
            for file in upload.files
        ]
        collection = upload.fields.get("collection") or DEFAULT_COLLECTION
        reply = await services.write(
            _submit, tenant, collection, sources, upload.fields.get("batch") or None, callback_url
        )
    except BaseException:
        await services.in_thread(discard, services.blobs, upload)
        raise
    for file, entry in zip(upload.files, reply.documents, strict=True):
        if entry.duplicate_of is not None:
            await services.in_thread(services.blobs.delete, file.ref.rpartition("/")[0])
    await release(services)
    return reply


def _submit(
    connection: Connection,
    tenant: str,
    collection: str,
    sources: list[NewSource],
    batch_id: str | None,
    callback_url: str | None,
) -> DocumentsAccepted:
    """Write the files' jobs; several files are a batch, their own where none was named."""
    own = batch_id is None and len(sources) > 1
    if own:
        batch_id = batches.open_batch(
            connection, tenant, total=len(sources), callback_url=callback_url
        )
    accepted = submissions.submit(connection, tenant, collection, sources, batch_id)
    if own and batch_id is not None:
        batches.close(connection, tenant, batch_id)
    return DocumentsAccepted(documents=accepted, batch_id=batch_id)


async def release(services: Services) -> None:
    """Send what has its turn. The rest waits in the ledger, and so does all of it while the broker
    is out of reach."""
    await services.in_thread(dispatch.release, services.database)


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

    It goes on answering meanwhile. While one is on its way, the reply names that one.
    """
    task_id = await services.write(reindexing.reindex, tenant, document_id, callback_url)
    await release(services)
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

    def write(connection: Connection) -> tuple[str, list[Task]]:
        documents.mark_deleted(connection, tenant, document_id)
        return remove_documents(connection, tenant, [document_id], callback_url)

    return await start_removal(services, *await services.write(write))


def remove_documents(
    connection: Connection, tenant: str, document_ids: list[str], callback_url: str | None = None
) -> tuple[str, list[Task]]:
    """Write the job that removes deleted documents' parts, and cancel their ingestions.

    Returns the job's id and the cancelled jobs.
    """
    open_jobs = [
        job_id
        for document_id in document_ids
        for job_id in jobs.open_of_document(connection, document_id)
    ]
    cancelled = endings.cancel_in(connection, open_jobs)
    job = jobs.NewJob(
        tenant_id=tenant,
        kind="delete",
        queue="vectorstore",
        stage=pipelines.REMOVE,
        payload={"document_ids": document_ids}
        | ({} if callback_url is None else {"callback_url": callback_url}),
        sent=True,
    )
    jobs.add(connection, [job])
    return job.id, cancelled


async def start_removal(services: Services, job_id: str, cancelled: list[Task]) -> TaskAccepted:
    """Tell the cancelled jobs' waiters, and send the removal on its way."""

    def send() -> None:
        for task in cancelled:
            endings.tell(services.database, task)
        try:
            pipelines.begin("delete", job_id, pipelines.REMOVE)
        except Exception as error:
            raise DependencyUnavailable(
                "The deletion is written and will be carried out; the broker does not answer now.",
                task_id=job_id,
            ) from error

    await services.in_thread(send)
    return TaskAccepted(task_id=job_id)
