"""A gateway without fleets: the HTTP API over lists in memory, on a real socket."""

import asyncio
import json
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import uvicorn
from multipart import MultipartSegment, PushMultipartParser, parse_options_header
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from flotilla.schemas import (
    Collection,
    Document,
    DocumentAccepted,
    DocumentChunk,
    DocumentPage,
    DocumentsAccepted,
    DocumentStatus,
    FleetsInfo,
    Health,
    Problem,
    Progress,
    Retried,
    Task,
    TaskAccepted,
    TaskError,
    TaskEvent,
    TaskEventName,
    TaskStatus,
)

EVENT_FIELDS = set(TaskEvent.model_fields) & set(Task.model_fields)
STARTED = datetime(2026, 1, 1, tzinfo=UTC)
PAGE = 2
"""Entries of one page, so that few are enough to need a second."""


def a_task(task_id: str, status: str = "completed", **fields: Any) -> Task:
    defaults: dict[str, Any] = {
        "kind": "ingest",
        "queue": "document",
        "created_at": STARTED,
        "started_at": STARTED,
        "finished_at": STARTED.replace(second=2) if TaskStatus(status).final else None,
    }
    return Task(task_id=task_id, status=TaskStatus(status), **(defaults | fields))


def a_document(document_id: str, name: str, **fields: Any) -> Document:
    defaults: dict[str, Any] = {"collection": "default", "status": DocumentStatus.READY}
    defaults |= {"pages": 3, "chunks": 12, "created_at": STARTED, "updated_at": STARTED}
    return Document(document_id=document_id, name=name, **(defaults | fields))


def a_problem(status: int, code: str, detail: str, **fields: Any) -> Response:
    problem = Problem(
        title=code,
        status=status,
        detail=detail,
        code=code,
        retryable=status in (503, 504),
        request_id="request-1",
        **fields,
    )
    return JSONResponse(
        problem.model_dump(exclude_none=True), status, media_type="application/problem+json"
    )


@dataclass
class Recorded:
    """One request as it arrived; the bytes of files are counted and not kept."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    json: Any = None
    form: dict[str, str] = field(default_factory=dict)
    files: list[tuple[str, int]] = field(default_factory=list)


class GatewayDouble:
    """Serves in a thread of its own.

    `scripted[(method, path)]` are responses that are given first, in order. `states[task]` are
    the states of a task: each question for it takes the next, and the last stays; its events are
    all of them. A task in `held` is not answered before its event is set or the long poll's
    seconds are over, and after the first event its others wait for that as well. The connection
    of (task, number) in `broken` breaks off after that event. A batch in `closed`, with the state
    that it is in, takes no files, and says that it was idle if it is in `closed_as_idle`.
    """

    def __init__(self) -> None:
        self.reset()
        routes = [
            Route("/{path:path}", self._serve, methods=["GET", "POST", "DELETE"]),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes), host="127.0.0.1", port=0, log_level="error", lifespan="off"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def reset(self) -> None:
        """Forget everything, as a new gateway at the same address would."""
        self.requests: list[Recorded] = []
        self.scripted: dict[tuple[str, str], list[Response]] = defaultdict(list)
        self.states: dict[str, list[Task]] = {}
        self.held: dict[str, threading.Event] = {}
        self.broken: set[tuple[str, int]] = set()
        self.told: dict[str, int] = defaultdict(int)
        self.documents: dict[str, Document] = {}
        self.collections: dict[str, Collection] = {}
        self.refused: dict[str, Response] = {}
        self.closed: dict[str, str] = {}
        self.closed_as_idle: set[str] = set()
        self.add_collection("default")

    def __enter__(self) -> "GatewayDouble":
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            assert time.monotonic() < deadline, "the double did not start"
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(10)

    @property
    def url(self) -> str:
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def add_collection(self, name: str) -> Collection:
        self.collections[name] = Collection(name=name, documents=0, chunks=0, created_at=STARTED)
        return self.collections[name]

    def add_task(self, task_id: str, *states: Task) -> None:
        self.states[task_id] = list(states or [a_task(task_id)])

    def seen(self, method: str, path: str) -> list[Recorded]:
        return [r for r in self.requests if (r.method, r.path) == (method, path)]

    async def _serve(self, request: Request) -> Response:
        recorded = Recorded(
            request.method,
            request.url.path,
            dict(request.query_params),
            dict(request.headers),
        )
        self.requests.append(recorded)
        if request.headers.get("content-type", "").startswith("multipart/"):
            await _read_form(request, recorded)
        elif body := await request.body():
            recorded.json = json.loads(body)
        if scripted := self.scripted[(request.method, request.url.path)]:
            return scripted.pop(0)
        return await self._answer(recorded)

    async def _answer(self, request: Recorded) -> Response:
        noun, *rest = request.path.strip("/").split("/")
        answer = {
            "documents": self._documents,
            "collections": self._collections,
            "tasks": self._tasks,
            "batches": self._batches,
        }.get(noun, self._others)
        found = answer(request, [request.method, *rest])
        if isinstance(found, Awaitable):
            found = await found
        return found or a_problem(404, "not_found", f"There is nothing at {request.path}.")

    def _documents(self, request: Recorded, words: list[str]) -> Response | None:
        match words:
            case ["POST"]:
                return self._accept_files(request)
            case ["GET"]:
                return _listing(self.documents.values(), request)
            case ["GET", document_id] if document_id in self.documents:
                return _reply(self.documents[document_id])
            case ["GET", document_id, "chunks"] if document_id in self.documents:
                return _listing([_chunk(number) for number in range(5)], request)
            case ["GET", document_id, "pages", number] if document_id in self.documents:
                return _reply(_page(document_id, int(number), int(request.params.get("start", 0))))
            case ["POST", document_id, "reindex"] if document_id in self.documents:
                self.add_task("reindexing", a_task("reindexing", kind="reindex"))
                return _reply(TaskAccepted(task_id="reindexing"), 202)
            case ["DELETE", document_id] if self.documents.pop(document_id, None):
                self.add_task("deletion", a_task("deletion", kind="delete"))
                return _reply(TaskAccepted(task_id="deletion"), 202)
        return None

    def _collections(self, request: Recorded, words: list[str]) -> Response | None:
        match words:
            case ["POST"]:
                return _reply(self.add_collection(request.json["name"]), 201)
            case ["GET"]:
                return _listing(self.collections.values(), request)
            case ["GET", name] if name in self.collections:
                return _reply(self.collections[name])
            case ["POST", name, "reindex"] if name in self.collections:
                self.add_task("reindexing", a_task("reindexing", kind="batch"))
                return _reply(TaskAccepted(task_id="reindexing"), 202)
            case ["DELETE", name] if self.collections.pop(name, None):
                self.add_task("deletion", a_task("deletion", kind="delete"))
                return _reply(TaskAccepted(task_id="deletion"), 202)
        return a_problem(404, "collection_not_found", "There is no such collection.")

    async def _tasks(self, request: Recorded, words: list[str]) -> Response | None:
        match words:
            case ["GET"]:
                return _listing([states[0] for states in self.states.values()], request)
            case ["GET", "info"]:
                return _reply(FleetsInfo(queues=[], tasks={}, workers=[]))
            case ["GET", task_id, "events"] if task_id in self.states:
                last_id = request.headers.get("last-event-id")
                return StreamingResponse(
                    self._events(task_id, last_id), media_type="text/event-stream"
                )
            case ["GET", task_id] if task_id in self.states:
                return _reply(await self._task(task_id, float(request.params.get("wait", 0))))
            case ["DELETE", task_id] if task_id in self.states:
                self.add_task(task_id, a_task(task_id, "cancelled"))
                return _reply(self.states[task_id][0])
            case ["POST", "retry"]:
                return _reply(Retried(task_ids=list(self.states), refused=[]), 202)
            case ["POST", task_id, "retry"] if task_id in self.states:
                return _reply(TaskAccepted(task_id=task_id), 202)
            case ["POST", _, "retry"]:
                return None
            case ["POST", *_]:
                self.add_task("smoke", a_task("smoke", kind="demo", result=request.json))
                return _reply(TaskAccepted(task_id="smoke"), 202)
        return None

    def _batches(self, request: Recorded, words: list[str]) -> Response | None:
        match words:
            case ["POST"]:
                before = len(self.seen("POST", "/batches")) - 1
                batch_id = f"batch-{before + 1}" if before else "batch"
                name = request.json.get("name")
                status = self.closed.get(batch_id, "processing")
                batch = a_task(batch_id, status, kind="batch", name=name)
                self.add_task(batch_id, batch)
                return _reply(batch, 201)
            case ["POST", task_id, "refusals"] if task_id in self.closed:
                return self._closed(task_id)
            case ["POST", task_id, "close" | "refusals"] if task_id in self.states:
                return _reply(self.states[task_id][0])
        return None

    def _closed(self, batch_id: str) -> Response:
        idle = {"closed_as_idle": True} if batch_id in self.closed_as_idle else {}
        return a_problem(409, "batch_closed", "This batch is closed.", **idle)

    def _others(self, request: Recorded, _words: list[str]) -> Response | None:
        if request.path == "/rag/pipeline":
            return _reply(self._accept(request.json.get("url") or "text"), 202)
        if request.path == "/health/live":
            return _reply(Health(status="ok", version="0"))
        return None

    def _accept_files(self, request: Recorded) -> Response:
        if request.form["collection"] not in self.collections:
            return a_problem(404, "collection_not_found", "There is no such collection.")
        for name, _ in request.files:
            if name in self.refused:
                return self.refused[name]
        batch_id = request.form.get("batch")
        if batch_id in self.closed:
            return self._closed(batch_id)
        accepted = [self._accept(name) for name, _ in request.files]
        return _reply(DocumentsAccepted(documents=accepted, batch_id=batch_id), 202)

    def _accept(self, name: str) -> DocumentAccepted:
        short = name.rpartition("/")[2]
        document_id, task_id = f"document-{short}", f"task-{short}"
        self.documents[document_id] = a_document(document_id, name)
        self.states.setdefault(
            task_id,
            [
                a_task(
                    task_id,
                    "processing",
                    stage="vectorstore.index",
                    progress=Progress(done=4, total=12, unit="chunks"),
                ),
                a_task(task_id),
            ],
        )
        return DocumentAccepted(document_id=document_id, task_id=task_id, name=name)

    async def _events(self, task_id: str, last_id: str | None) -> AsyncIterator[bytes]:
        yield b"retry: 10\n\n: a comment\n\n"
        states = self.states[task_id]
        while True:
            number = self.told[task_id]
            if last_id is None or number > int(last_id):
                yield an_event(number, states[0])
            if (task_id, number) in self.broken:
                self.broken.remove((task_id, number))
                return
            if states[0].status.final:
                return
            while len(states) == 1 or self._is_held(task_id):
                await asyncio.sleep(0.02)
                yield b":\n\n"
            states.pop(0)
            self.told[task_id] += 1

    def _is_held(self, task_id: str) -> bool:
        return task_id in self.held and not self.held[task_id].is_set()

    async def _task(self, task_id: str, wait: float) -> Task:
        states = self.states[task_id]
        if task_id in self.held:
            await asyncio.to_thread(self.held[task_id].wait, wait)
            if not self.held[task_id].is_set():
                return states[0]
        return states.pop(0) if len(states) > 1 else states[0]


def an_event(number: int, task: Task) -> bytes:
    """A state as it goes over the wire, its id being a number."""
    name = TaskEventName.END if task.status.final else TaskEventName.STATE
    event = TaskEvent(event=name, id=str(number), **task.model_dump(include=EVENT_FIELDS))
    data = event.model_dump_json(exclude_none=True)
    return f"id: {number}\nevent: {name.value}\ndata: {data}\n\n".encode()


def failed(task_id: str, message: str) -> Task:
    error = TaskError(
        stage="document.convert", code="file_corrupt", message=message, retryable=False
    )
    return a_task(task_id, "failed", stage="document.convert", error=error)


async def _read_form(request: Request, recorded: Recorded) -> None:
    _, options = parse_options_header(request.headers["content-type"])
    with PushMultipartParser(options["boundary"]) as parser:
        segment: MultipartSegment | None = None
        data, size = b"", 0
        async for piece in request.stream():
            for event in parser.parse(piece):
                if isinstance(event, MultipartSegment):
                    segment, data, size = event, b"", 0
                elif event is not None:
                    size += len(event)
                    if segment is not None and not segment.filename:
                        data += event
                elif segment is not None:
                    if segment.filename:
                        recorded.files.append((segment.filename, size))
                    else:
                        recorded.form[segment.name] = data.decode()


def _reply(body: BaseModel, status: int = 200) -> Response:
    return Response(body.model_dump_json(), status, media_type="application/json")


def _listing(items: Iterable[BaseModel], request: Recorded) -> Response:
    rows = [item.model_dump(mode="json") for item in items]
    start = int(request.params.get("cursor", 0))
    end = start + PAGE
    following = str(end) if end < len(rows) else None
    return JSONResponse({"items": rows[start:end], "next_cursor": following})


def _page(document_id: str, number: int, start: int) -> DocumentPage:
    text = f"The text of page {number}, at some length."
    return DocumentPage(
        document_id=document_id,
        version_id="version",
        page=number,
        pages=3,
        number=number,
        characters=len(text),
        text=text[start : start + 20],
        start=start,
        end=min(start + 20, len(text)),
        next_start=start + 20 if start + 20 < len(text) else None,
        headings=[],
    )


def _chunk(position: int) -> DocumentChunk:
    return DocumentChunk(
        chunk_id=f"chunk-{position}",
        position=position,
        text=f"Passage {position}.",
        page_start=position + 1,
        page_end=position + 1,
        heading_path=[],
        start=0,
        end=10,
        tokens=3,
    )
