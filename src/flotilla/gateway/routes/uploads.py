"""Files that are uploaded, one or many."""

from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import Connection

from flotilla import pipelines
from flotilla.errors import FlotillaError
from flotilla.gateway import examples, problems
from flotilla.gateway.arrivals import keep_open
from flotilla.gateway.converters import check_converter, read_converter
from flotilla.gateway.dependencies import ServicesDep, TenantDep
from flotilla.gateway.uploads import (
    check_whole,
    discard,
    is_refusal,
    receive_upload,
    remove_source,
)
from flotilla.ledger import batches, submissions
from flotilla.ledger.submissions import NewSource
from flotilla.models import ConverterName
from flotilla.schemas import DEFAULT_COLLECTION, DocumentsAccepted
from flotilla.schemas.webhooks import LONGEST_CALLBACK_URL

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
                            "description": "PDF, DOCX, PPTX, XLSX, EPUB, HTML, Markdown, EML, CSV "
                            "or TXT.",
                        },
                        "collection": {"type": "string", "default": "default"},
                        "metadata": {
                            "type": "string",
                            "description": "A JSON object, kept with each of the documents.",
                            "example": '{"year": 2026}',
                        },
                        "password": {"type": "string", "description": "Opens encrypted PDFs."},
                        "converter": {
                            "type": "string",
                            "enum": list(ConverterName),
                            "default": "auto",
                            "description": "What reads the files; one that cannot read a file's "
                            "type leaves it to the usual one.",
                        },
                        "callback_url": {
                            "type": "string",
                            "maxLength": LONGEST_CALLBACK_URL,
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
        examples.NO_CONVERTER,
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
    arriving = keep_open(services, tenant)
    gateway = services.settings.gateway
    upload = await receive_upload(request, services.blobs, tenant, gateway, arriving)
    password = upload.fields.get("password")
    try:
        metadata = upload.metadata()
        converter = read_converter(upload.fields.get("converter"))
        await services.in_thread(check_converter, converter)
        given = upload.fields.get("callback_url") or None
        callback_url = await services.callbacks.check_given(given)
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
                converter=converter,
                callback_url=callback_url,
            )
            for file in upload.files
        ]
        await services.in_thread(check_whole, services.blobs, upload)
    except BaseException:
        await services.in_thread(discard, services.blobs, upload)
        raise
    collection = upload.fields.get("collection") or DEFAULT_COLLECTION
    batch = upload.fields.get("batch") or None
    try:
        reply = await services.write(_submit, tenant, collection, sources, batch, callback_url)
    except FlotillaError as error:
        if is_refusal(error):
            await services.in_thread(discard, services.blobs, upload)
        raise
    for file, entry in zip(upload.files, reply.documents, strict=True):
        if entry.duplicate_of is not None:
            await services.in_thread(remove_source, services.blobs, file.ref)
    await services.release()
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
