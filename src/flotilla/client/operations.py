"""Every call of the API as a value: what to send, and how to read the reply.

Nothing here does I/O, so that the blocking and the asyncio client share all of it. Bodies are
built without validation: the gateway validates, and a mistake has one sentence wherever it is
made.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from flotilla.client.sources import FileSource, Source, UploadProgress
from flotilla.models import Metadata
from flotilla.schemas import (
    DEFAULT_COLLECTION,
    AddRequest,
    AnswerResponse,
    ChainRequest,
    Collection,
    CollectionRequest,
    DivideRequest,
    Document,
    DocumentAccepted,
    DocumentChunk,
    DocumentsAccepted,
    DocumentState,
    FleetsInfo,
    Health,
    Listing,
    ParallelRequest,
    PipelineRequest,
    ProcessRequest,
    QuestionRequest,
    Readiness,
    SearchResponse,
    Task,
    TaskAccepted,
)

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)

SYNC_TIMEOUT = 60.0
"""Seconds that the gateway holds a synchronous query by default (FLOTILLA_GATEWAY_SYNC_TIMEOUT)."""


@dataclass(frozen=True)
class Operation(Generic[T]):
    """One request and the reader of its reply.

    `patience` is the seconds that the gateway may hold the reply back on purpose, on top of the
    client's own timeout. `repeatable` requests may be sent again when a reply is lost. `also`
    are the statuses beside 2xx that carry the same body.
    """

    method: str
    path: str
    parse: Callable[[bytes], T]
    params: Mapping[str, Any] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    form: Mapping[str, str] | None = None
    files: Sequence[FileSource] = ()
    patience: float = 0.0
    repeatable: bool = False
    also: frozenset[int] = frozenset()


def _get(path: str, reply: type[Model], **params: Any) -> Operation[Model]:
    return Operation("GET", path, reply.model_validate_json, params, repeatable=True)


def _post(path: str, body: BaseModel, reply: type[Model], **options: Any) -> Operation[Model]:
    content = body.model_dump(mode="json", exclude_none=True, warnings=False)
    return Operation("POST", path, reply.model_validate_json, body=content, **options)


def _delete(path: str) -> Operation[TaskAccepted]:
    # Not repeatable: a second deletion would be another task, or a 404 for a success.
    return Operation("DELETE", path, TaskAccepted.model_validate_json)


def _segment(text: str) -> str:
    return quote(text, safe="")


# --- documents -----------------------------------------------------------------------------


def upload(
    *sources: Source,
    collection: str = DEFAULT_COLLECTION,
    metadata: Metadata | None = None,
    password: str | None = None,
    progress: UploadProgress | None = None,
) -> Operation[list[DocumentAccepted]]:
    """Upload files and have them ingested; one answer a file, in the same order.

    `sources` are paths, open binary files or (name, file) pairs, streamed from where they are.
    """
    form = {"collection": collection, "metadata": json.dumps(metadata or {})}
    if password is not None:
        form["password"] = password
    files = [FileSource(source, progress) for source in sources]
    return Operation("POST", "/documents", _accepted, form=form, files=files)


def _accepted(reply: bytes) -> list[DocumentAccepted]:
    return DocumentsAccepted.model_validate_json(reply).documents


def ingest_url(
    url: str,
    *,
    name: str | None = None,
    collection: str = DEFAULT_COLLECTION,
    metadata: Metadata | None = None,
    password: str | None = None,
) -> Operation[DocumentAccepted]:
    """Have the document fleet fetch a web address and ingest what it finds."""
    return _ingest(url=url, name=name, collection=collection, metadata=metadata, password=password)


def ingest_text(
    text: str,
    *,
    name: str | None = None,
    collection: str = DEFAULT_COLLECTION,
    metadata: Metadata | None = None,
) -> Operation[DocumentAccepted]:
    """Ingest a text as it stands."""
    return _ingest(text=text, name=name, collection=collection, metadata=metadata)


def ingest_path(
    path: str,
    *,
    name: str | None = None,
    collection: str = DEFAULT_COLLECTION,
    metadata: Metadata | None = None,
    password: str | None = None,
) -> Operation[DocumentAccepted]:
    """Ingest a file that the fleet can read itself, below its ingest root."""
    return _ingest(
        path=path, name=name, collection=collection, metadata=metadata, password=password
    )


def _ingest(*, metadata: Metadata | None, **source: Any) -> Operation[DocumentAccepted]:
    request = PipelineRequest.model_construct(metadata=metadata or {}, **source)
    return _post("/rag/pipeline", request, DocumentAccepted)


def documents(
    *, collection: str | None = None, status: str | None = None, limit: int | None = None
) -> Operation[Listing[Document]]:
    """All documents, newest first; `limit` is the size of one page of the listing."""
    return _get("/documents", Listing[Document], collection=collection, status=status, limit=limit)


def document(document_id: str) -> Operation[Document]:
    """One document."""
    return _get(f"/documents/{_segment(document_id)}", Document)


def document_status(document_id: str) -> Operation[DocumentState]:
    """The short form of a document that is made for polling."""
    return _get(f"/documents/{_segment(document_id)}/status", DocumentState)


def chunks(document_id: str, *, limit: int | None = None) -> Operation[Listing[DocumentChunk]]:
    """The chunks of a document's live version, in its order."""
    return _get(f"/documents/{_segment(document_id)}/chunks", Listing[DocumentChunk], limit=limit)


def delete_document(document_id: str) -> Operation[TaskAccepted]:
    """Delete a document; it stops answering at once, and the task removes its parts."""
    return _delete(f"/documents/{_segment(document_id)}")


# --- collections ---------------------------------------------------------------------------


def collections() -> Operation[Listing[Collection]]:
    """All collections."""
    return _get("/collections", Listing[Collection])


def create_collection(name: str, *, description: str | None = None) -> Operation[Collection]:
    """Create a collection."""
    request = CollectionRequest.model_construct(name=name, description=description)
    return _post("/collections", request, Collection)


def collection(name: str) -> Operation[Collection]:
    """One collection."""
    return _get(f"/collections/{_segment(name)}", Collection)


def delete_collection(name: str) -> Operation[TaskAccepted]:
    """Delete a collection with all its documents."""
    return _delete(f"/collections/{_segment(name)}")


# --- questions -----------------------------------------------------------------------------


def _question(
    question: str,
    collections: Sequence[str] | None,
    top_k: int | None,
    filter: Metadata | None,  # noqa: A002 - the field's name on the wire
) -> QuestionRequest:
    return QuestionRequest.model_construct(
        question=question,
        collections=list(collections) if collections else None,
        top_k=top_k,
        filter=filter or {},
    )


def ask(
    question: str,
    *,
    collections: Sequence[str] | None = None,
    top_k: int | None = None,
    filter: Metadata | None = None,  # noqa: A002
    timeout: float | None = None,
) -> Operation[AnswerResponse]:
    """Ask and wait for the answer.

    `timeout` is how many seconds the gateway waits; past it the error has status 504 and the
    `task_id` under which the answer will be found.
    """
    return _post(
        "/rag/query/sync",
        _question(question, collections, top_k, filter),
        AnswerResponse,
        params={"timeout": timeout},
        patience=timeout if timeout is not None else SYNC_TIMEOUT,
    )


def ask_async(
    question: str,
    *,
    collections: Sequence[str] | None = None,
    top_k: int | None = None,
    filter: Metadata | None = None,  # noqa: A002
) -> Operation[TaskAccepted]:
    """Ask and get a task id; the answer will be the task's result."""
    return _post("/rag/query", _question(question, collections, top_k, filter), TaskAccepted)


def search(
    question: str,
    *,
    collections: Sequence[str] | None = None,
    top_k: int | None = None,
    filter: Metadata | None = None,  # noqa: A002
) -> Operation[SearchResponse]:
    """The passages that retrieval alone finds, best first."""
    return _post(
        "/rag/search",
        _question(question, collections, top_k, filter),
        SearchResponse,
        patience=SYNC_TIMEOUT,
        repeatable=True,
    )


# --- tasks ---------------------------------------------------------------------------------


def task(task_id: str, *, wait: float | None = None) -> Operation[Task]:
    """One task; with `wait`, as soon as it is final or after that many seconds."""
    operation = _get(f"/tasks/{_segment(task_id)}", Task, wait=wait)
    return replace(operation, patience=wait or 0.0)


def tasks(
    *, status: str | None = None, kind: str | None = None, limit: int | None = None
) -> Operation[Listing[Task]]:
    """All tasks, newest first; `limit` is the size of one page of the listing."""
    return _get("/tasks", Listing[Task], status=status, kind=kind, limit=limit)


def fleets() -> Operation[FleetsInfo]:
    """The queues, the registered tasks and the live workers."""
    return _get("/tasks/info", FleetsInfo)


# --- smoke tests ---------------------------------------------------------------------------


def smoke_process(data: Any) -> Operation[TaskAccepted]:
    """Have a worker hand any JSON value back."""
    return _post("/tasks/process", ProcessRequest.model_construct(data=data), TaskAccepted)


def smoke_add(x: float, y: float) -> Operation[TaskAccepted]:
    """x + y."""
    return _post("/tasks/calculate/add", AddRequest.model_construct(x=x, y=y), TaskAccepted)


def smoke_divide(dividend: float, divisor: float) -> Operation[TaskAccepted]:
    """dividend / divisor; a divisor of 0 shows what a failed task looks like."""
    request = DivideRequest.model_construct(dividend=dividend, divisor=divisor)
    return _post("/tasks/calculate/divide", request, TaskAccepted)


def smoke_chain(x: float, y: float, divisor: float) -> Operation[TaskAccepted]:
    """(x + y) / divisor, as a chain."""
    request = ChainRequest.model_construct(x=x, y=y, divisor=divisor)
    return _post("/tasks/workflow/chain", request, TaskAccepted)


def smoke_parallel(x: float, y: float, z: float) -> Operation[TaskAccepted]:
    """(x + y) + (x / z), as a chord."""
    request = ParallelRequest.model_construct(x=x, y=y, z=z)
    return _post("/tasks/workflow/parallel", request, TaskAccepted)


# --- health --------------------------------------------------------------------------------


def health() -> Operation[Health]:
    """Whether the gateway is alive."""
    return _get("/health/live", Health)


def ready() -> Operation[Readiness]:
    """Whether requests can be served, each dependency by its name."""
    operation = _get("/health/ready", Readiness)
    return replace(operation, also=frozenset({503}))
