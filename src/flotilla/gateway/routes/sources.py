"""Sources that are not uploaded: a URL, a text, or a file that the server can read."""

import hashlib
import os
import shutil
from urllib.parse import unquote, urlsplit

from fastapi import APIRouter

from flotilla import pipelines
from flotilla.blobs import source_ref
from flotilla.errors import (
    EmptyFile,
    FileTooLarge,
    FlotillaError,
    InvalidName,
    InvalidRequest,
    NotFound,
    PathNotAllowed,
    SourceRefused,
)
from flotilla.gateway import examples, problems
from flotilla.gateway.converters import check_converter
from flotilla.gateway.dependencies import Services, ServicesDep, TenantDep
from flotilla.gateway.uploads import is_refusal, remove_source, safe_name
from flotilla.ledger import submissions
from flotilla.ledger.database import new_id
from flotilla.ledger.submissions import NewSource
from flotilla.schemas import DocumentAccepted, PipelineRequest

router = APIRouter(tags=["documents"])

LONGEST_SOURCE = 2000
"""Bytes of UTF-8 of what tells one source from another: PostgreSQL's index takes about 2,700."""


@router.post(
    "/rag/pipeline",
    status_code=202,
    summary="Submit a URL, a text or a server's file",
    responses=problems.responses(
        examples.OUTSIDE,
        examples.NO_COLLECTION,
        examples.BODY_TOO_LARGE,
        examples.BAD_FIELD,
        examples.NO_CONVERTER,
        examples.NO_BATCH,
        examples.BATCH_CLOSED,
        examples.PRIVATE_CALLBACK,
        examples.FULL,
    ),
)
async def submit_source(
    body: PipelineRequest, services: ServicesDep, tenant: TenantDep
) -> DocumentAccepted:
    """Ingest what is not uploaded: exactly one of `url`, `text` and `path`."""
    given = [name for name in ("url", "text", "path") if getattr(body, name) is not None]
    if len(given) != 1:
        raise InvalidRequest(
            "Send exactly one of url, text and path.", field=given[1] if given else "url"
        )
    await services.in_thread(check_converter, body.converter)
    body.callback_url = await services.callbacks.check_given(body.callback_url)
    if body.url is not None:
        source = _url_source(body)
    elif body.text is not None:
        source = await services.in_thread(_text_source, services, tenant, body)
    else:
        source = await services.in_thread(_path_source, services, tenant, body)
    try:
        [accepted] = await services.write(
            submissions.submit, tenant, body.collection, [source], body.batch
        )
    except FlotillaError as error:
        if source.blob is not None and is_refusal(error):
            await services.in_thread(remove_source, services.blobs, source.blob)
        raise
    if accepted.duplicate_of is None:
        await services.release()
    elif source.blob is not None:
        await services.in_thread(remove_source, services.blobs, source.blob)
    return accepted


def _url_source(body: PipelineRequest) -> NewSource:
    url = body.url or ""
    try:
        parts = urlsplit(url.strip())
        hostname = parts.hostname
    except ValueError:
        hostname = None
    if hostname is None or parts.scheme not in ("http", "https"):
        raise SourceRefused(
            "Only http and https addresses can be fetched: send a whole address such as "
            "https://example.com/terms.html.",
            field="url",
        )
    _check_length(url, "url")
    if parts.username is not None or parts.password is not None:
        raise SourceRefused(
            "An address is stored and shown, so it must not hold a user name or a password: fetch "
            "the document yourself and upload it.",
            field="url",
        )
    if body.name is not None:
        name = safe_name(body.name, "name")
    else:
        try:
            name = safe_name(unquote(parts.path.rstrip("/").rpartition("/")[2]))
        except InvalidName:
            name = safe_name(hostname, "url")
    return NewSource(
        version_id=new_id(),
        source=url,
        name=name,
        metadata=body.metadata,
        callback_url=body.callback_url,
        converter=body.converter,
        first_stage=pipelines.FETCH,
        source_url=url,
        password=body.password,
    )


def _check_length(source: str, field: str) -> None:
    if len(source.encode()) > LONGEST_SOURCE:
        raise InvalidRequest(
            f"The {field} is longer than {LONGEST_SOURCE:,} bytes: shorten it, or upload the file.",
            field=field,
        )


def _text_source(services: Services, tenant: str, body: PipelineRequest) -> NewSource:
    data = (body.text or "").encode(errors="replace")
    if not data.strip():
        raise EmptyFile("The text is empty: send what is to be ingested.", field="text")
    digest = hashlib.sha256(data).hexdigest()
    name = safe_name(body.name or f"text-{digest[:8]}.txt", "name")
    version_id = new_id()
    ref = source_ref(tenant, version_id)
    services.blobs.put(ref, data)
    return NewSource(
        version_id=version_id,
        source=name,
        name=name,
        metadata=body.metadata,
        callback_url=body.callback_url,
        converter=body.converter,
        first_stage=pipelines.CONVERT,
        blob=ref,
        sha256=digest,
        size=len(data),
        content_type="text/plain",
    )


def _path_source(services: Services, tenant: str, body: PipelineRequest) -> NewSource:
    root = services.settings.document.ingest_root
    if root is None:
        raise PathNotAllowed(
            "No folder is open to ingestion by path: set FLOTILLA_DOCUMENT_INGEST_ROOT, or upload "
            "the file.",
            field="path",
        )
    root = root.expanduser().resolve()
    missing = NotFound(
        f"There is no file {body.path!r} that can be read in the ingestion folder: check the path.",
        field="path",
    )
    try:
        path = (root / (body.path or "")).resolve()
        if not path.is_relative_to(root):
            raise PathNotAllowed(
                "The path leads outside the folder that is open to ingestion: send one below it.",
                field="path",
            )
        if not path.is_file():
            raise missing
        source = str(path.relative_to(root))
        _check_length(source, "path")
        file = path.open("rb")
    except (OSError, RuntimeError, ValueError):  # too long, a loop of links, a NUL
        raise missing from None
    limit = services.settings.gateway.max_upload_bytes
    name = safe_name(body.name or path.name, "name")
    version_id = new_id()
    ref = source_ref(tenant, version_id)
    with file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise FileTooLarge(
                f"{body.path} is larger than the {limit:,} bytes that are allowed: split it, or "
                "raise FLOTILLA_GATEWAY_MAX_UPLOAD_BYTES.",
                field="path",
            )
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        with services.blobs.writer(ref) as sink:
            shutil.copyfileobj(file, sink, 1024 * 1024)
    return NewSource(
        version_id=version_id,
        source=source,
        name=name,
        metadata=body.metadata,
        callback_url=body.callback_url,
        converter=body.converter,
        first_stage=pipelines.CONVERT,
        blob=ref,
        sha256=digest,
        size=size,
        password=body.password,
    )
