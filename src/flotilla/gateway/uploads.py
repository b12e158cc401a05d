"""Streaming uploads into blobs: the hash is taken on the way, and nothing is held whole.

A multipart body is parsed as it arrives (`multipart`'s push parser), and each file goes to its
blob piece by piece. What fails half-way leaves no blob behind.
"""

import asyncio
import hashlib
import json
import unicodedata
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from flotilla.blobs import BlobStore, Sink, source_ref
from flotilla.content_type import kept_content_type
from flotilla.errors import (
    DependencyUnavailable,
    FileTooLarge,
    FlotillaError,
    InvalidName,
    InvalidRequest,
)
from flotilla.gateway.arrivals import Arriving, pieces
from flotilla.ledger.database import new_id
from flotilla.logging import get_logger
from flotilla.schemas import check_metadata, check_text
from flotilla.settings import GatewaySettings

logger = get_logger(__name__)

WRITE_SIZE = 256 * 1024  # bytes gathered before a thread is asked to write them
LARGEST_FIELD = 256 * 1024  # bytes of a form field that is not a file
LONGEST_NAME = 255
FIELDS = ("collection", "metadata", "password", "converter", "callback_url", "batch")
FILE_FIELDS = ("files", "file")


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file that lies in the blobs."""

    version_id: str
    name: str
    ref: str
    sha256: str
    size: int
    content_type: str | None


@dataclass(slots=True)
class Upload:
    """A multipart request as it was received."""

    files: list[UploadedFile] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)

    def metadata(self) -> dict[str, Any]:
        """Raises InvalidRequest when the field is not a JSON object."""
        return parse_metadata(self.fields.get("metadata"))


def parse_metadata(text: str | None) -> dict[str, Any]:
    """Metadata from its JSON form. Raises InvalidRequest when it is not an object."""
    if not text:
        return {}
    try:
        value = check_text(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(
            f'metadata is not valid JSON ({error}): send an object such as {{"year": 2026}}.',
            field="metadata",
        ) from None
    if not isinstance(value, dict):
        raise InvalidRequest(
            'metadata is no JSON object: send one such as {"year": 2026}.', field="metadata"
        )
    try:
        return check_metadata(value)
    except ValueError as error:
        raise InvalidRequest(f"metadata: {error}.", field="metadata") from None


def safe_name(name: str | None, field: str = "files") -> str:
    """A file's name as it may be stored: a relative path without tricks.

    Args:
        name: as the client sent it.
        field: the request's field that it came in.

    Raises:
        InvalidName: saying what is wrong with it.
    """
    if not name or not name.strip():
        raise InvalidName("A file has no name: send a filename with it.", field=field)
    shown = ascii(name[:80])
    if len(name) > LONGEST_NAME:
        raise InvalidName(
            f"The name {shown} … is longer than {LONGEST_NAME} characters: shorten it.",
            field=field,
        )
    # Control characters (Cc) and halves of surrogate pairs (Cs).
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise InvalidName(f"The name {shown} has control characters: rename the file.", field=field)
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
        raise InvalidName(
            f"The name {shown} leads outside its folder: send a plain or relative name.",
            field=field,
        )
    kept = "/".join(part for part in parts if part not in ("", "."))
    if not kept:
        raise InvalidName(f"The name {shown} names no file: send another.", field=field)
    return kept


class _FileWriter:
    """Writes one file's bytes to its blob, in a thread, a good piece at a time."""

    def __init__(
        self, blobs: BlobStore, tenant_id: str, segment: MultipartSegment, limit: int
    ) -> None:
        self.name = safe_name(segment.filename)
        self.version_id = new_id()
        self.ref = source_ref(tenant_id, self.version_id)
        self.content_type = kept_content_type(segment.content_type)
        self.size = 0
        self._limit = limit
        self._hash = hashlib.sha256()
        self._pieces: list[bytes] = []
        self._gathered = 0
        self._blob: AbstractContextManager[Sink] = blobs.writer(self.ref)
        self._sink: Sink | None = None

    async def write(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > self._limit:
            raise FileTooLarge(
                f"{self.name} is larger than the {self._limit:,} bytes that are allowed: split "
                "it, or raise FLOTILLA_GATEWAY_MAX_UPLOAD_BYTES.",
                field="files",
            )
        self._pieces.append(data)
        self._gathered += len(data)
        if self._gathered >= WRITE_SIZE:
            await asyncio.to_thread(self._flush)

    def _flush(self) -> None:
        if self._sink is None:
            self._sink = self._blob.__enter__()
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._gathered = 0
        self._hash.update(data)
        self._sink.write(data)

    async def finish(self) -> UploadedFile:
        def finish() -> None:
            self._flush()
            self._blob.__exit__(None, None, None)

        await asyncio.to_thread(finish)
        return UploadedFile(
            version_id=self.version_id,
            name=self.name,
            ref=self.ref,
            sha256=self._hash.hexdigest(),
            size=self.size,
            content_type=self.content_type,
        )

    def abandon(self, error: BaseException) -> None:
        if self._sink is not None:
            try:
                self._blob.__exit__(type(error), error, error.__traceback__)
            except BaseException as raised:
                if raised is not error:
                    raise


async def receive_upload(
    request: Request,
    blobs: BlobStore,
    tenant_id: str,
    settings: GatewaySettings,
    arriving: Arriving | None = None,
) -> Upload:
    """Stream a multipart request into the blobs.

    A batch that is named before the files is told of to `arriving` while they come in.

    Raises:
        InvalidRequest: the body is not multipart, or not complete, or a field is unknown.
        InvalidName: a file's name cannot be used.
        FileTooLarge: as soon as a file has gone over the limit, not after it was received.
    """
    content_type, options = parse_options_header(request.headers.get("content-type", ""))
    if content_type != "multipart/form-data" or "boundary" not in options:
        raise InvalidRequest(
            "Send the files as multipart/form-data, in parts named `files`.", field="files"
        )
    upload = Upload()
    try:
        with PushMultipartParser(
            options["boundary"],
            max_segment_count=settings.max_files_per_request + len(FIELDS),
        ) as parser:
            body = pieces(request, upload.fields, arriving)
            async for file in _files(body, parser, blobs, tenant_id, settings, upload):
                upload.files.append(file)
    except BaseException as error:
        await asyncio.to_thread(discard, blobs, upload)
        if isinstance(error, MultipartError):
            raise InvalidRequest(
                "The multipart body cannot be read: send the files again as multipart/form-data, "
                "with names in UTF-8.",
                field="files",
            ) from error
        if isinstance(error, ClientDisconnect):
            raise InvalidRequest("The upload broke off: send it again.") from error
        raise
    if not upload.files:
        raise InvalidRequest(
            "There is no file in the request: send one or more parts named `files`.",
            field="files",
        )
    return upload


async def _files(
    body: AsyncIterator[bytes],
    parser: PushMultipartParser,
    blobs: BlobStore,
    tenant_id: str,
    settings: GatewaySettings,
    upload: Upload,
) -> AsyncIterator[UploadedFile]:
    file: _FileWriter | None = None
    name, value = "", bytearray()
    try:
        async for data in body:
            for event in parser.parse(data):
                if isinstance(event, MultipartSegment):
                    name = event.name or ""
                    if _is_file(event):
                        file = _FileWriter(blobs, tenant_id, event, settings.max_upload_bytes)
                elif event is None:
                    if file is not None:
                        yield await file.finish()
                        file = None
                    else:
                        upload.fields[name] = _text(name, value)
                        value.clear()
                elif file is not None:
                    await file.write(bytes(event))
                else:
                    value += event
                    if len(value) > LARGEST_FIELD:
                        raise InvalidRequest(
                            f"{name} is longer than {LARGEST_FIELD:,} bytes: shorten it.",
                            field=name,
                        )
        if file is not None:
            raise InvalidRequest(
                f"The body ends in the middle of {file.name}: send it again.", field="files"
            )
    except BaseException as error:
        if file is not None:
            file.abandon(error)
        raise


def _is_file(segment: MultipartSegment) -> bool:
    """Whether a part is a file; else it is a field. Raises InvalidRequest when it is neither."""
    name = segment.name or ""
    if name in FILE_FIELDS and segment.filename is not None:
        return True
    if name in FILE_FIELDS:
        raise InvalidRequest(
            f"The part {name} has no filename: send it as a file, as `curl -F {name}=@PATH` does.",
            field=name,
        )
    if name not in FIELDS:
        raise InvalidRequest(
            f"The form field {name[:80]!r} is not known: send {', '.join(FIELDS)} and files.",
            field=name[:80],
        )
    return False


def _text(name: str, value: bytearray) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidRequest(f"{name} is not valid UTF-8: send it as UTF-8.", field=name) from None


def is_refusal(error: FlotillaError) -> bool:
    """Whether the ledger has surely not taken what was to be submitted, so that its blobs may go.

    A database that went away may have committed before it did, and a request that is cancelled
    leaves a thread that commits: those blobs are left for the sweep, which knows.
    """
    return not isinstance(error, DependencyUnavailable)


def check_whole(blobs: BlobStore, upload: Upload) -> None:
    """Refuse an upload of which something is gone by now.

    Nobody knows of its files before the request is whole, and the sweep removes what nobody has
    known of for long.

    Raises:
        DependencyUnavailable: naming the first file that is gone.
    """
    for file in upload.files:
        if not blobs.exists(file.ref):
            raise DependencyUnavailable(
                f"The request took so long that {file.name} was removed before it ended: send it "
                "again, in smaller requests."
            )


def discard(blobs: BlobStore, upload: Upload) -> None:
    """Remove an upload's blobs again: its request was refused."""
    for file in upload.files:
        remove_source(blobs, file.ref)


def remove_source(blobs: BlobStore, ref: str) -> None:
    """Remove a source that was not taken. What cannot be removed now, the sweep does: how the
    request has ended does not hang on it."""
    try:
        blobs.delete(ref.rpartition("/")[0])
    except DependencyUnavailable as error:
        logger.warning("upload.not_removed", ref=ref, error=error.message)
