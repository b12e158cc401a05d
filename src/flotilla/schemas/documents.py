"""Documents and their chunks, and the sources that become documents."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from flotilla.models import Box, ConverterName, DataType, Metadata
from flotilla.schemas.base import (
    COLLECTION_NAME,
    DEFAULT_COLLECTION,
    Request,
    Response,
    check_metadata,
)
from flotilla.schemas.tasks import Task, TaskError, TaskNote, TaskStatus
from flotilla.schemas.webhooks import CallbackURL


class DocumentStatus(StrEnum):
    """What a document can do for a question."""

    PROCESSING = "processing"  # no version of it is live yet
    READY = "ready"  # a version is live and answers
    FAILED = "failed"  # its only ingestion failed
    DELETING = "deleting"  # it answers no more, and its parts are being removed


class Document(Response):
    """A source under a stable id."""

    document_id: str
    name: str
    collection: str
    status: DocumentStatus
    content_type: str | None = None
    size: int | None = Field(None, description="Bytes.")
    sha256: str | None = None
    title: str | None = Field(None, description="What the document calls itself, if it does.")
    source_url: str | None = None
    pages: int | None = None
    converter: str | None = Field(
        None, description="What its pages were read with: pdfium, ocr, llamaparse, or the format's."
    )
    chunks: int | None = None
    version: int | None = Field(None, description="Number of the live version, from 1.")
    metadata: Metadata = Field(default_factory=dict)
    task_id: str | None = Field(None, description="Its newest ingestion.")
    created_at: datetime
    updated_at: datetime
    error: TaskError | None = None
    notes: list[TaskNote] = Field(
        default_factory=list,
        description="What to know of how its newest ingestion converted it.",
    )


class DocumentState(Response):
    """The short form that is made for polling."""

    document_id: str
    status: DocumentStatus
    task: Task | None = Field(None, description="Its newest ingestion.")


class DocumentAccepted(Response):
    """One submitted source."""

    document_id: str
    task_id: str
    name: str
    status: TaskStatus = TaskStatus.PENDING
    duplicate_of: str | None = Field(
        None, description="Set when these bytes are in the collection already, under this id."
    )


class DocumentsAccepted(Response):
    """The submitted sources, in the order of the request."""

    documents: list[DocumentAccepted]
    batch_id: str | None = Field(
        None, description="Task of the batch that they are members of: of several files always."
    )


class DocumentChunk(Response):
    """One passage of a document as it is stored."""

    chunk_id: str
    position: int
    text: str
    page_start: int | None
    page_end: int | None
    heading_path: list[str]
    start: int = Field(description="Offset in the document's text, in characters.")
    end: int
    tokens: int
    data_type: DataType = Field(
        DataType.TEXT,
        description="`text`, `table_html` (rows of a table) or `image_summary` (of a picture).",
    )
    html: str | None = Field(None, description="A table as HTML.")
    box: Box | None = Field(
        None,
        description="Where a table or picture stands on its page: left, top, right, bottom in "
        "points from the upper left corner.",
    )
    context: str = Field(
        "", description="What is embedded ahead of the text: title, headings, a table's header."
    )


class PageEntry(Response):
    """Where a page stands in its document."""

    page: int = Field(description="Its place in the document, from 1, by which it is read.")
    number: int | None = Field(description="The same, or null for formats without pages.")
    characters: int
    start: int = Field(description="Offset in the document's text, in characters.")
    end: int


class PageHeading(Response):
    """A heading on a page."""

    start: int = Field(description="Offset in the document's text, in characters.")
    level: int = Field(description="1 for the outermost.")
    title: str


class DocumentPage(Response):
    """A page's text, as citations quote it."""

    document_id: str
    version_id: str = Field(description="The version that was read: the live one.")
    page: int = Field(description="Its place in the document, from 1.")
    pages: int = Field(description="How many there are.")
    number: int | None = Field(description="The page's number, or null for formats without pages.")
    characters: int = Field(description="Of the whole page.")
    text: str
    start: int = Field(description="Where `text` begins in the document's text, in characters.")
    end: int = Field(description="Where `text` ends.")
    next_start: int | None = Field(
        None, description="`start` of the page's next part; null where this is its end."
    )
    headings: list[PageHeading] = Field(description="Those in `text`.")


class PipelineRequest(Request):
    """A source that is not uploaded: exactly one of `url`, `text` and `path`."""

    prose = frozenset({"text"})

    url: str | None = Field(None, max_length=2000, examples=["https://example.com/terms.html"])
    text: str | None = Field(None, examples=["Opening hours: Monday to Friday, 9 to 17."])
    path: str | None = Field(
        None, max_length=4096, description="Below the folder FLOTILLA_DOCUMENT_INGEST_ROOT."
    )
    name: str | None = Field(None, max_length=255, description="What the document is called.")
    collection: str = Field(DEFAULT_COLLECTION, pattern=COLLECTION_NAME)
    metadata: Annotated[Metadata, AfterValidator(check_metadata)] = Field(default_factory=dict)
    password: str | None = Field(None, max_length=1024, description="Opens an encrypted PDF.")
    converter: ConverterName = Field(
        ConverterName.AUTO,
        description="What reads it: `auto`, `pdfium`, `ocr` or `llamaparse`.",
        examples=["auto"],
    )
    callback_url: CallbackURL = None
    batch: str | None = Field(
        None, max_length=64, description="Task of the open batch that it is to be a member of."
    )
