"""What goes over the wire: the bodies of the HTTP API, shared by the gateway and the client.

Pydantic models alone, so that the client can be installed without the gateway. Requests refuse
unknown fields, since a misspelt field that is silently ignored is a wrong answer later; responses
allow them, so that an older client can talk to a newer gateway.
"""

import math
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from flotilla.models import Answer, Found, Metadata

COLLECTION_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
DEFAULT_COLLECTION = "default"
DEEPEST_JSON = 100  # levels; the writers of JSON give up at 255
LONGEST_METADATA_KEY = 200  # characters

Item = TypeVar("Item")


def check_text(value: Any) -> Any:
    """The JSON value, once all of it can be stored: JSON allows a half of a surrogate pair in a
    string, which no encoding takes, and Python's reader allows NaN.

    Raises:
        ValueError: saying which it is, or that it is nested too deeply.
    """
    waiting = [(value, 0)]
    while waiting:
        each, depth = waiting.pop()
        if depth > DEEPEST_JSON:
            raise ValueError(f"it is nested too deeply: send at most {DEEPEST_JSON} levels")
        if isinstance(each, str):
            try:
                each.encode()
            except UnicodeEncodeError:
                raise ValueError("a text holds half a surrogate pair: send valid Unicode") from None
        elif isinstance(each, float) and not math.isfinite(each):
            raise ValueError(f"{each} is not a number that JSON knows: send a finite one")
        elif isinstance(each, dict):
            waiting.extend((inner, depth + 1) for inner in (*each.keys(), *each.values()))
        elif isinstance(each, list):
            waiting.extend((inner, depth + 1) for inner in each)
    return value


def check_metadata(value: Metadata) -> Metadata:
    """A document's metadata, once its keys are short enough. Raises ValueError."""
    for key in value:
        if len(key) > LONGEST_METADATA_KEY:
            raise ValueError(
                f"the key {key[:40]!r} … is longer than {LONGEST_METADATA_KEY} characters: "
                "shorten it"
            )
    return value


class Request(BaseModel):
    """A request's body."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        return check_text(value)


class Response(BaseModel):
    """A response's body."""

    model_config = ConfigDict(extra="ignore")


# --- errors --------------------------------------------------------------------------------


class FieldError(Response):
    """One field at fault."""

    field: str = Field(examples=["question"])
    message: str = Field(examples=["The question is empty: send the text to be answered."])


class Problem(Response):
    """An error as application/problem+json (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field("about:blank", description="URI of the kind of problem.")
    title: str = Field(description="The kind of problem.")
    status: int = Field(description="HTTP status.")
    detail: str = Field(description="What is wrong here, and what to do.")
    instance: str | None = Field(None, description="Path of the request.")
    code: str = Field(description="Stable name of the kind of problem, for programs.")
    request_id: str | None = Field(None, description="Id of the request, as in X-Request-ID.")
    retryable: bool = Field(description="Whether the same request may succeed later.")
    errors: list[FieldError] | None = Field(None, description="The fields at fault.")
    task_id: str | None = Field(None, description="The task that goes on, if there is one.")


# --- tasks ---------------------------------------------------------------------------------


class TaskStatus(StrEnum):
    """Where a task stands. The last four are final."""

    PENDING = "pending"  # in the ledger, and waiting for a worker
    PROCESSING = "processing"  # a worker holds its lease, or its next stage waits
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PARTIAL = "partial"  # a batch of which some members failed

    @property
    def final(self) -> bool:
        """Whether the task will not change any more."""
        return self not in (TaskStatus.PENDING, TaskStatus.PROCESSING)


class TaskKind(StrEnum):
    """What a task does."""

    INGEST = "ingest"
    DELETE = "delete"
    QUERY = "query"
    SEARCH = "search"
    DEMO = "demo"


class Progress(Response):
    """How much of the work is done; it never goes back within one attempt."""

    done: int = Field(examples=[12])
    total: int | None = Field(None, description="Not known yet when null.", examples=[40])
    unit: str = Field(examples=["chunks"])


class TaskError(Response):
    """Why a task failed."""

    stage: str = Field(examples=["document.convert"])
    code: str = Field(examples=["file_encrypted"])
    message: str = Field(examples=["terms.pdf is encrypted: send its password with the file."])
    retryable: bool = Field(examples=[False])


class Task(Response):
    """One submitted unit of work as the ledger knows it."""

    task_id: str
    kind: str = Field(description="ingest, delete, query, search, demo.", examples=["ingest"])
    status: TaskStatus
    stage: str | None = Field(None, description="The stage it is at, or ended in.")
    progress: Progress | None = None
    attempt: int = Field(1, description="Which attempt at the stage this is, from 1.")
    queue: str = Field(description="The queue of its present stage.", examples=["document"])
    queue_position: int | None = Field(
        None, description="While pending: its place in the queue, from 1."
    )
    document_id: str | None = None
    collection: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: Any | None = Field(None, description="What the task gave, when it is completed.")
    error: TaskError | None = Field(None, description="Why it failed, when it failed.")


class TaskAccepted(Response):
    """The work is in the ledger; its state is at `/tasks/{task_id}`."""

    task_id: str
    status: TaskStatus = TaskStatus.PENDING


class Queue(Response):
    """One fleet's queue."""

    name: str = Field(examples=["document"])
    depth: int = Field(description="Messages that wait for a worker.")
    unacknowledged: int = Field(description="Messages that a worker holds.")


class Worker(Response):
    """One live worker."""

    name: str = Field(examples=["document-1@host"])
    fleet: str = Field(examples=["document"])
    pid: int
    concurrency: int
    seen_at: datetime


class FleetsInfo(Response):
    """The queues, the registered tasks and the live workers."""

    queues: list[Queue]
    tasks: dict[str, list[str]] = Field(description="Names of the registered tasks by fleet.")
    workers: list[Worker]


# --- the smoke tests -----------------------------------------------------------------------


class ProcessRequest(Request):
    """Any JSON value, to be handed back by a worker."""

    data: Any = Field(examples=["hello fleet"])


class AddRequest(Request):
    """Two numbers to be added."""

    x: float = Field(examples=[2], allow_inf_nan=False)
    y: float = Field(examples=[3], allow_inf_nan=False)


class DivideRequest(Request):
    """A number to be divided by another; dividing by 0 shows what a failed task looks like."""

    dividend: float = Field(examples=[10], allow_inf_nan=False)
    divisor: float = Field(examples=[4], allow_inf_nan=False)


class ChainRequest(Request):
    """(x + y) / divisor, as a chain of two tasks."""

    x: float = Field(examples=[2], allow_inf_nan=False)
    y: float = Field(examples=[3], allow_inf_nan=False)
    divisor: float = Field(examples=[2], allow_inf_nan=False)


class ParallelRequest(Request):
    """(x + y) + (x / z), as a group of two tasks and a chord that sums them."""

    x: float = Field(examples=[8], allow_inf_nan=False)
    y: float = Field(examples=[2], allow_inf_nan=False)
    z: float = Field(examples=[4], allow_inf_nan=False)


# --- documents -----------------------------------------------------------------------------


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
    source_url: str | None = None
    pages: int | None = None
    chunks: int | None = None
    version: int | None = Field(None, description="Number of the live version, from 1.")
    metadata: Metadata = Field(default_factory=dict)
    task_id: str | None = Field(None, description="Its newest ingestion.")
    created_at: datetime
    updated_at: datetime
    error: TaskError | None = None


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


class PipelineRequest(Request):
    """A source that is not uploaded: exactly one of `url`, `text` and `path`."""

    url: str | None = Field(None, max_length=4096, examples=["https://example.com/terms.html"])
    text: str | None = Field(None, examples=["Opening hours: Monday to Friday, 9 to 17."])
    path: str | None = Field(
        None, max_length=4096, description="Below the folder FLOTILLA_DOCUMENT_INGEST_ROOT."
    )
    name: str | None = Field(None, max_length=255, description="What the document is called.")
    collection: str = Field(DEFAULT_COLLECTION, pattern=COLLECTION_NAME)
    metadata: Annotated[Metadata, AfterValidator(check_metadata)] = Field(default_factory=dict)
    password: str | None = Field(None, max_length=1024, description="Opens an encrypted PDF.")


# --- collections ---------------------------------------------------------------------------


class CollectionRequest(Request):
    """A new collection."""

    name: str = Field(pattern=COLLECTION_NAME, examples=["contracts"])
    description: str | None = Field(None, max_length=2000)


class Collection(Response):
    """A named set of documents."""

    name: str
    description: str | None = None
    documents: int
    chunks: int
    created_at: datetime


# --- questions -----------------------------------------------------------------------------


class QuestionRequest(Request):
    """A question and where to look."""

    question: str = Field(examples=["How long is the warranty on a used car?"])
    collection: str | None = Field(None, pattern=COLLECTION_NAME)
    collections: list[Annotated[str, Field(pattern=COLLECTION_NAME)]] | None = Field(
        None, max_length=32, description="Several in place of one; `default` if neither is given."
    )
    top_k: int | None = Field(None, ge=1, le=100, description="Passages that retrieval returns.")
    filter: Metadata = Field(
        default_factory=dict,
        description="Conditions on metadata, all of which hold: a value, a list of values, or "
        "an object with gt, gte, lt, lte or not.",
        examples=[{"year": {"gte": 2024}, "kind": ["faq", "terms"]}],
    )


class AnswerResponse(Answer, Response):
    """An answer with its citations."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    task_id: str


class SearchResponse(Found, Response):
    """What retrieval alone finds, best first."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    task_id: str


# --- lists and health ----------------------------------------------------------------------


class Listing(Response, Generic[Item]):
    """One part of a list; `next_cursor` is null at its end."""

    items: list[Item]
    next_cursor: str | None = None


class DependencyHealth(Response):
    """One part that the gateway stands on."""

    ok: bool
    latency_ms: float | None = None
    detail: str | None = None


class Health(Response):
    """Whether the gateway is alive."""

    status: str = Field(examples=["ok"])
    version: str


class Readiness(Response):
    """Whether a request can be served, each dependency by its name."""

    status: str = Field(examples=["ready"])
    dependencies: dict[str, DependencyHealth]
