"""The client for ordinary code."""

import contextlib
import socket
import threading
import weakref
from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from flotilla.client import (
    batches,
    caching,
    callbacks,
    chats,
    control,
    exercises,
    flows,
    maintenance,
    operations,
)
from flotilla.client.answer_events import AnswerEvents, AnswerStream, answer_events
from flotilla.client.errors import GatewayUnreachable
from flotilla.client.event_source import EventSource, TaskEvents
from flotilla.client.exchange import Exchange, Outcome, Pause, Steps, client_options
from flotilla.client.methods import named_after
from flotilla.client.operation import Operation
from flotilla.schemas import Listing, TaskEvent

P = ParamSpec("P")
T = TypeVar("T")
Event = TypeVar("Event")


def _call(
    build: Callable[P, Operation[T]],
) -> Callable[Concatenate["Flotilla", P], T]:
    @named_after(build)
    def method(self: "Flotilla", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.send(build(*args, **kwargs))

    return method


def _pages(
    build: Callable[P, Operation[Listing[T]]],
) -> Callable[Concatenate["Flotilla", P], Iterator[T]]:
    @named_after(build)
    def method(self: "Flotilla", /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        operation: Operation[Listing[T]] | None = build(*args, **kwargs)
        while operation is not None:
            listing = self.send(operation)
            yield from listing.items
            operation = flows.next_page(operation, listing)

    return method


def _steps(
    build: Callable[Concatenate[Exchange, P], Steps[T]],
) -> Callable[Concatenate["Flotilla", P], T]:
    @named_after(build, bound=1)
    def method(self: "Flotilla", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.run(build(self.exchange, *args, **kwargs))

    return method


def _streamed(
    build: Callable[P, Operation[Any]],
) -> Callable[Concatenate["Flotilla", P], AnswerStream]:
    @named_after(build)
    def method(self: "Flotilla", /, *args: P.args, **kwargs: P.kwargs) -> AnswerStream:
        source = AnswerEvents(self.exchange, build(*args, **kwargs))
        return AnswerStream(source, self._follow(source))

    return method


def _hang_up(connection: socket.socket) -> None:
    """End what is read from it: to close a socket does not wake the thread that waits for it."""
    with contextlib.suppress(OSError):
        # Not by the method of ssl.SSLSocket, which first forgets its encryption: another thread
        # that is sending would go on in plain text.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


class Flotilla:
    """A gateway at `base_url`; a context manager, and safe to share between threads.

    Args:
        base_url: address of the gateway.
        api_key: sent as a bearer token, where the gateway asks for one.
        timeout: seconds that a reply may take, beyond what the gateway holds it on purpose.
        retries: further tries of a request that may safely be repeated, after a broken
            connection or a 503 with Retry-After.

    Every call raises FlotillaAPIError for what the gateway refuses and GatewayUnreachable where
    no reply comes.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        timeout: float = 30.0,
        retries: int = 2,
    ) -> None:
        self.exchange = Exchange(base_url.rstrip("/"), timeout, retries)
        self._http = httpx.Client(**client_options(base_url, api_key))
        self._http.event_hooks = {"request": [self._watch]}
        self._closed = threading.Event()
        self._connections: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._connections_lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; threads that wait for a reply, or follow a task, are told so at
        once, and those that are connecting when they are through."""
        with self._connections_lock:
            self._closed.set()
            connections = list(self._connections)
        for connection in connections:
            _hang_up(connection)
        self._http.close()

    def _watch(self, request: httpx.Request) -> None:
        request.extensions["trace"] = self._connected

    def _connected(self, event: str, info: dict[str, Any]) -> None:
        """Called by httpcore at each step of a request (its `trace` extension)."""
        if not event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            return
        connection = info["return_value"].get_extra_info("socket")
        with self._connections_lock:
            self._connections.add(connection)
            is_late = self._closed.is_set()
        if is_late:
            _hang_up(connection)

    def send(self, operation: Operation[T]) -> T:
        """Carry out one operation."""
        return self.run(self.exchange.perform(operation))

    def run(self, steps: Steps[T]) -> T:
        """Do the I/O that the steps of a call ask for."""
        outcome: Outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                value: T = end.value
                return value
            if isinstance(step, Pause):
                # Who waits in another thread when the client is closed is not to wait on.
                if self._closed.wait(step.seconds):
                    raise GatewayUnreachable(
                        f"The client was closed before {self.exchange.base_url} was asked again."
                    )
                outcome = None
                continue
            if self._closed.is_set():
                raise GatewayUnreachable("The client is closed: make another one.")
            try:
                outcome = self._http.request(**step)
            except httpx.TransportError as error:
                outcome = error

    def events(self, task_id: str, *, last_event_id: str | None = None) -> Iterator[TaskEvent]:
        """Follow a task: its state now, and each change until its end, which is the last event.

        A connection that breaks off is made anew, and goes on where the last one was; a gateway
        that is away for up to half a minute is waited for.

        Args:
            task_id: the task.
            last_event_id: `id` of the last event that was seen, to be told what came after it.

        Raises:
            FlotillaAPIError: there is no such task.
            GatewayUnreachable: the gateway stays away, or the client was closed meanwhile.
        """
        return self._follow(TaskEvents(self.exchange, task_id, last_event_id))

    def read_answer(self, task_id: str, *, last_event_id: str | None = None) -> AnswerStream:
        """Read a task's answer, from its beginning or from after the event `last_event_id`. The
        events and the errors are those of `stream`."""
        source = answer_events(self.exchange, task_id, last_event_id)
        return AnswerStream(source, self._follow(source))

    def _follow(self, source: EventSource[Event]) -> Generator[Event, None, None]:
        while not source.is_over():
            if self._closed.is_set():
                raise source.closed()
            try:
                with self._http.stream(**source.request()) as response:
                    if not response.is_success:
                        response.read()
                    if source.is_open(response):
                        for piece in response.iter_bytes():
                            yield from source.receive(piece)
                            if source.is_over():
                                break
            except httpx.TransportError as error:
                if not self._closed.is_set():
                    source.fail(error)
            if self._closed.wait(source.pause()) and not source.is_over():
                raise source.closed()

    upload = _call(operations.upload)
    ingest_url = _call(operations.ingest_url)
    ingest_text = _call(operations.ingest_text)
    ingest_path = _call(operations.ingest_path)
    documents = _pages(operations.documents)
    document = _call(operations.document)
    document_status = _call(operations.document_status)
    chunks = _pages(operations.chunks)
    pages = _pages(operations.pages)
    page = _call(operations.page)
    delete_document = _call(operations.delete_document)

    collections = _pages(operations.collections)
    create_collection = _call(operations.create_collection)
    collection = _call(operations.collection)
    delete_collection = _call(operations.delete_collection)

    ask = _call(operations.ask)
    ask_async = _call(operations.ask_async)
    stream = _streamed(operations.stream)
    search = _call(operations.search)
    generate_questions = _call(exercises.generate_questions)

    chat = _call(chats.chat)
    chat_stream = _streamed(chats.chat_stream)
    conversations = _pages(chats.conversations)
    conversation = _call(chats.conversation)
    rename_conversation = _call(chats.rename_conversation)
    delete_conversation = _call(chats.delete_conversation)

    task = _call(operations.task)
    tasks = _pages(operations.tasks)
    wait = _steps(flows.wait)
    fleets = _call(operations.fleets)

    cancel = _call(control.cancel)
    retry = _call(control.retry)
    retry_failed = _call(control.retry_failed)
    reindex_document = _call(control.reindex_document)
    reindex_collection = _call(control.reindex_collection)
    upload_batch = _call(batches.upload_batch)
    open_batch = _call(batches.open_batch)
    close_batch = _call(batches.close_batch)
    add_refusals = _call(batches.add_refusals)

    webhooks = _pages(callbacks.webhooks)
    create_webhook = _call(callbacks.create_webhook)
    delete_webhook = _call(callbacks.delete_webhook)
    ping_webhook = _call(callbacks.ping_webhook)
    webhook_deliveries = _pages(callbacks.webhook_deliveries)
    task_deliveries = _pages(callbacks.task_deliveries)
    delivery = _call(callbacks.delivery)
    redeliver = _call(callbacks.redeliver)
    signing_secret = _call(callbacks.signing_secret)
    rotate_signing_secret = _call(callbacks.rotate_signing_secret)

    models = _call(maintenance.models)
    migrate_model = _call(maintenance.migrate_model)
    roll_back_model = _call(maintenance.roll_back_model)
    drop_model = _call(maintenance.drop_model)

    caches = _call(caching.caches)
    clear_caches = _call(caching.clear_caches)
    warm = _call(caching.warm)

    smoke_process = _call(operations.smoke_process)
    smoke_add = _call(operations.smoke_add)
    smoke_divide = _call(operations.smoke_divide)
    smoke_chain = _call(operations.smoke_chain)
    smoke_parallel = _call(operations.smoke_parallel)

    health = _call(operations.health)
    ready = _call(operations.ready)
