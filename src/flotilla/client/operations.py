"""Every call of the API, one function each, shared by the blocking and the asyncio client.

Bodies are built without validation: the gateway validates, and a mistake has one sentence
wherever it is made.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from flotilla.client.operation import Operation, delete, get, post, segment
from flotilla.client.sources import FileSource, Source, UploadProgress
from flotilla.models import Metadata, Mode
from flotilla.retrieval_steps import Retrieval
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
    DocumentPage,
    DocumentsAccepted,
    DocumentState,
    FleetsInfo,
    Health,
    Listing,
    PageEntry,
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

Asked = Retrieval | Mapping[str, Any]
"""What is asked of the steps of a search."""

SYNC_TIMEOUT = 60.0
"""Seconds that the gateway holds a synchronous query by default (FLOTILLA_GATEWAY_SYNC_TIMEOUT)."""


# --- documents -----------------------------------------------------------------------------


def upload(
    *sources: Source,
    collection: str = DEFAULT_COLLECTION,
    metadata: Metadata | None = None,
    password: str | None = None,
    converter: str | None = None,
    callback_url: str | None = None,
    progress: UploadProgress | None = None,
) -> Operation[list[DocumentAccepted]]:
    """Upload files and have them ingested; one answer a file, in the same order.

    `sources` are paths, open binary files or (name, file) pairs, streamed from where they are.
    `converter` is what reads them: `auto`, `pdfium`, `ocr` or `llamaparse`. `callback_url`, here as
    in other calls, is told by POST when a task has ended.
    """
    return upload_request(
        sources,
        _accepted,
        collection=collection,
        metadata=metadata,
        password=password,
        converter=converter,
        callback_url=callback_url,
        progress=progress,
    )


def upload_request(
    sources: Sequence[Source],
    parse: Callable[[bytes], T],
    *,
    metadata: Metadata | None,
    progress: UploadProgress | None,
    **fields: str | None,
) -> Operation[T]:
    """The multipart request of an upload; fields that are None are left out."""
    form = {"metadata": json.dumps(metadata or {})}
    form |= {name: value for name, value in fields.items() if value is not None}
    files = [FileSource(source, progress) for source in sources]
    return Operation("POST", "/documents", parse, form=form, files=files)


def _accepted(reply: bytes) -> list[DocumentAccepted]:
    return DocumentsAccepted.model_validate_json(reply).documents


def ingest_url(
    url: str,
    *,
    name: str | None = None,
    collection: str = DEFAULT_COLLECTION,
    metadata: Metadata | None = None,
    password: str | None = None,
    converter: str | None = None,
    callback_url: str | None = None,
    batch: str | None = None,
) -> Operation[DocumentAccepted]:
    """Have the document fleet fetch a web address and ingest what it finds."""
    return _ingest(
        url=url,
        name=name,
        collection=collection,
        metadata=metadata,
        password=password,
        converter=converter,
        callback_url=callback_url,
        batch=batch,
    )


def ingest_text(
    text: str,
    *,
    name: str | None = None,
    collection: str = DEFAULT_COLLECTION,
    metadata: Metadata | None = None,
    callback_url: str | None = None,
    batch: str | None = None,
) -> Operation[DocumentAccepted]:
    """Ingest a text as it stands."""
    return _ingest(
        text=text,
        name=name,
        collection=collection,
        metadata=metadata,
        callback_url=callback_url,
        batch=batch,
    )


def ingest_path(
    path: str,
    *,
    name: str | None = None,
    collection: str = DEFAULT_COLLECTION,
    metadata: Metadata | None = None,
    password: str | None = None,
    converter: str | None = None,
    callback_url: str | None = None,
    batch: str | None = None,
) -> Operation[DocumentAccepted]:
    """Ingest a file that the fleet can read itself, below its ingest root."""
    return _ingest(
        path=path,
        name=name,
        collection=collection,
        metadata=metadata,
        password=password,
        converter=converter,
        callback_url=callback_url,
        batch=batch,
    )


def _ingest(*, metadata: Metadata | None, **source: Any) -> Operation[DocumentAccepted]:
    request = PipelineRequest.model_construct(metadata=metadata or {}, **source)
    return post("/rag/pipeline", request, DocumentAccepted)


def documents(
    *, collection: str | None = None, status: str | None = None, limit: int | None = None
) -> Operation[Listing[Document]]:
    """All documents, newest first; `limit` is the size of one page of the listing."""
    return get("/documents", Listing[Document], collection=collection, status=status, limit=limit)


def document(document_id: str) -> Operation[Document]:
    """One document."""
    return get(f"/documents/{segment(document_id)}", Document)


def document_status(document_id: str) -> Operation[DocumentState]:
    """The short form of a document that is made for polling."""
    return get(f"/documents/{segment(document_id)}/status", DocumentState)


def chunks(document_id: str, *, limit: int | None = None) -> Operation[Listing[DocumentChunk]]:
    """The chunks of a document's live version, in its order."""
    return get(f"/documents/{segment(document_id)}/chunks", Listing[DocumentChunk], limit=limit)


def pages(document_id: str, *, limit: int | None = None) -> Operation[Listing[PageEntry]]:
    """Where each page of a document's live version stands in its text."""
    return get(f"/documents/{segment(document_id)}/pages", Listing[PageEntry], limit=limit)


def page(
    document_id: str, number: int = 1, *, start: int | None = None, limit: int | None = None
) -> Operation[DocumentPage]:
    """A page's text. A document without pages is its page 1, of which a long one is read in
    parts: `start` is where in the document's text, `limit` how many characters at most."""
    path = f"/documents/{segment(document_id)}/pages/{number}"
    return get(path, DocumentPage, start=start, limit=limit)


def delete_document(
    document_id: str, *, callback_url: str | None = None
) -> Operation[TaskAccepted]:
    """Delete a document; it stops answering at once, and the task removes its parts."""
    return delete(f"/documents/{segment(document_id)}", TaskAccepted, callback_url=callback_url)


# --- collections ---------------------------------------------------------------------------


def collections() -> Operation[Listing[Collection]]:
    """All collections."""
    return get("/collections", Listing[Collection])


def create_collection(name: str, *, description: str | None = None) -> Operation[Collection]:
    """Create a collection."""
    request = CollectionRequest.model_construct(name=name, description=description)
    return post("/collections", request, Collection)


def collection(name: str) -> Operation[Collection]:
    """One collection."""
    return get(f"/collections/{segment(name)}", Collection)


def delete_collection(name: str, *, callback_url: str | None = None) -> Operation[TaskAccepted]:
    """Delete a collection with all its documents."""
    return delete(f"/collections/{segment(name)}", TaskAccepted, callback_url=callback_url)


# --- questions -----------------------------------------------------------------------------


def _question(
    question: str,
    collections: Sequence[str] | None,
    top_k: int | None,
    filter: Metadata | None,  # noqa: A002 - the field's name on the wire
    callback_url: str | None = None,
    mode: Mode | None = None,
    retrieval: Asked | None = None,
) -> QuestionRequest:
    return QuestionRequest.model_construct(
        question=question,
        collections=list(collections) if collections else None,
        top_k=top_k,
        filter=filter or {},
        mode=mode,
        retrieval=steps_asked_for(retrieval),
        callback_url=callback_url,
    )


def steps_asked_for(retrieval: Asked | None) -> Any:
    """The same as it goes over the wire, without what is left open."""
    if isinstance(retrieval, Retrieval):
        return retrieval.model_dump(mode="json", exclude_none=True)
    return None if retrieval is None else dict(retrieval)


def ask(
    question: str,
    *,
    collections: Sequence[str] | None = None,
    top_k: int | None = None,
    filter: Metadata | None = None,  # noqa: A002
    mode: Mode | None = None,
    retrieval: Asked | None = None,
    timeout: float | None = None,
    cache_control: str | None = None,
) -> Operation[AnswerResponse]:
    """Ask and wait for the answer.

    `mode` is the graph, and `retrieval` the steps of the search that are to be other than the
    fleet's own, such as `{"fusion": "linear"}`. `timeout` is how many seconds the gateway waits;
    past it the error has status 504 and the `task_id` under which the answer will be found.
    `cache_control` is sent as that header: `no-cache` has the question answered anew.
    """
    return post(
        "/rag/query/sync",
        _question(question, collections, top_k, filter, mode=mode, retrieval=retrieval),
        AnswerResponse,
        params={"timeout": timeout},
        headers=_asking(cache_control),
        patience=timeout if timeout is not None else SYNC_TIMEOUT,
    )


def stream(
    question: str,
    *,
    collections: Sequence[str] | None = None,
    top_k: int | None = None,
    filter: Metadata | None = None,  # noqa: A002
    mode: Mode | None = None,
    retrieval: Asked | None = None,
    cache_control: str | None = None,
) -> Operation[AnswerResponse]:
    """Ask, and read the answer while it is written.

    The events are TraceEvent (a step is finished), TokenEvent (the text goes on), CitationEvent
    (what a number in it stands for), and at the end DoneEvent with the whole answer. A connection
    that breaks off is made anew, and goes on where the last one was; a gateway that is away for up
    to half a minute is waited for. A run that nobody reads any more is cancelled after a while.

    Raises:
        FlotillaAPIError: the question is refused, or there is no answer.
        GatewayUnreachable: the gateway stays away, or the client was closed meanwhile.
    """
    body = _question(question, collections, top_k, filter, mode=mode, retrieval=retrieval)
    return post("/rag/query/stream", body, AnswerResponse, headers=_asking(cache_control))


def ask_async(
    question: str,
    *,
    collections: Sequence[str] | None = None,
    top_k: int | None = None,
    filter: Metadata | None = None,  # noqa: A002
    mode: Mode | None = None,
    retrieval: Asked | None = None,
    callback_url: str | None = None,
    cache_control: str | None = None,
) -> Operation[TaskAccepted]:
    """Ask and get a task id; the answer will be the task's result."""
    body = _question(question, collections, top_k, filter, callback_url, mode, retrieval)
    return post("/rag/query", body, TaskAccepted, headers=_asking(cache_control))


def search(
    question: str,
    *,
    collections: Sequence[str] | None = None,
    top_k: int | None = None,
    filter: Metadata | None = None,  # noqa: A002
    retrieval: Asked | None = None,
    cache_control: str | None = None,
) -> Operation[SearchResponse]:
    """The passages that retrieval alone finds, best first."""
    return post(
        "/rag/search",
        _question(question, collections, top_k, filter, retrieval=retrieval),
        SearchResponse,
        headers=_asking(cache_control),
        patience=SYNC_TIMEOUT,
        repeatable=True,
    )


def _asking(cache_control: str | None) -> dict[str, str]:
    return {} if cache_control is None else {"Cache-Control": cache_control}


# --- tasks ---------------------------------------------------------------------------------


def task(task_id: str, *, wait: float | None = None) -> Operation[Task]:
    """One task; with `wait`, as soon as it is final or after that many seconds."""
    operation = get(f"/tasks/{segment(task_id)}", Task, wait=wait)
    return replace(operation, patience=wait or 0.0)


def tasks(
    *,
    status: str | None = None,
    kind: str | None = None,
    parent: str | None = None,
    collection: str | None = None,
    stage: str | None = None,
    code: str | None = None,
    limit: int | None = None,
) -> Operation[Listing[Task]]:
    """All tasks, newest first; `limit` is the size of one page of the listing.

    `parent` is a batch, of which the members are wanted; `code` is that of a task's error.
    """
    return get(
        "/tasks",
        Listing[Task],
        status=status,
        kind=kind,
        parent=parent,
        collection=collection,
        stage=stage,
        code=code,
        limit=limit,
    )


def fleets() -> Operation[FleetsInfo]:
    """The queues, the registered tasks and the live workers."""
    return get("/tasks/info", FleetsInfo)


# --- smoke tests ---------------------------------------------------------------------------


def smoke_process(data: Any) -> Operation[TaskAccepted]:
    """Have a worker hand any JSON value back."""
    return post("/tasks/process", ProcessRequest.model_construct(data=data), TaskAccepted)


def smoke_add(x: float, y: float) -> Operation[TaskAccepted]:
    """x + y."""
    return post("/tasks/calculate/add", AddRequest.model_construct(x=x, y=y), TaskAccepted)


def smoke_divide(dividend: float, divisor: float) -> Operation[TaskAccepted]:
    """dividend / divisor; a divisor of 0 shows what a failed task looks like."""
    request = DivideRequest.model_construct(dividend=dividend, divisor=divisor)
    return post("/tasks/calculate/divide", request, TaskAccepted)


def smoke_chain(x: float, y: float, divisor: float) -> Operation[TaskAccepted]:
    """(x + y) / divisor, as a chain."""
    request = ChainRequest.model_construct(x=x, y=y, divisor=divisor)
    return post("/tasks/workflow/chain", request, TaskAccepted)


def smoke_parallel(x: float, y: float, z: float) -> Operation[TaskAccepted]:
    """(x + y) + (x / z), as a chord."""
    request = ParallelRequest.model_construct(x=x, y=y, z=z)
    return post("/tasks/workflow/parallel", request, TaskAccepted)


# --- health --------------------------------------------------------------------------------


def health() -> Operation[Health]:
    """Whether the gateway is alive."""
    return get("/health/live", Health)


def ready() -> Operation[Readiness]:
    """Whether requests can be served, each dependency by its name."""
    operation = get("/health/ready", Readiness)
    return replace(operation, also=frozenset({503}))
