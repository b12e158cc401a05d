"""The client for asyncio."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
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
from flotilla.client.answer_events import AnswerEvents, AsyncAnswerStream, answer_events
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
) -> Callable[Concatenate["AsyncFlotilla", P], Coroutine[Any, Any, T]]:
    @named_after(build)
    async def method(self: "AsyncFlotilla", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.send(build(*args, **kwargs))

    return method


def _pages(
    build: Callable[P, Operation[Listing[T]]],
) -> Callable[Concatenate["AsyncFlotilla", P], AsyncIterator[T]]:
    @named_after(build)
    async def method(
        self: "AsyncFlotilla", /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncIterator[T]:
        operation: Operation[Listing[T]] | None = build(*args, **kwargs)
        while operation is not None:
            listing = await self.send(operation)
            for item in listing.items:
                yield item
            operation = flows.next_page(operation, listing)

    return method


def _steps(
    build: Callable[Concatenate[Exchange, P], Steps[T]],
) -> Callable[Concatenate["AsyncFlotilla", P], Coroutine[Any, Any, T]]:
    @named_after(build, bound=1)
    async def method(self: "AsyncFlotilla", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.run(build(self.exchange, *args, **kwargs))

    return method


def _streamed(
    build: Callable[P, Operation[Any]],
) -> Callable[Concatenate["AsyncFlotilla", P], AsyncAnswerStream]:
    @named_after(build)
    def method(self: "AsyncFlotilla", /, *args: P.args, **kwargs: P.kwargs) -> AsyncAnswerStream:
        source = AnswerEvents(self.exchange, build(*args, **kwargs))
        return AsyncAnswerStream(source, self._follow(source))

    return method


class AsyncFlotilla:
    """The same calls as `Flotilla`'s, awaited; lists are asynchronous iterators.

    Arguments and errors are Flotilla's.
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
        self._http = httpx.AsyncClient(**client_options(base_url, api_key))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, operation: Operation[T]) -> T:
        """Carry out one operation."""
        return await self.run(self.exchange.perform(operation))

    async def run(self, steps: Steps[T]) -> T:
        """Do the I/O that the steps of a call ask for."""
        outcome: Outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                value: T = end.value
                return value
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
                outcome = None
                continue
            try:
                outcome = await self._http.request(**step)
            except httpx.TransportError as error:
                outcome = error

    def events(self, task_id: str, *, last_event_id: str | None = None) -> AsyncIterator[TaskEvent]:
        """Follow a task: its state now, and each change until its end. Arguments and errors are
        those of Flotilla's `events`."""
        return self._follow(TaskEvents(self.exchange, task_id, last_event_id))

    def read_answer(self, task_id: str, *, last_event_id: str | None = None) -> AsyncAnswerStream:
        """Read a task's answer, from its beginning or from after the event `last_event_id`. The
        events and the errors are those of `stream`."""
        source = answer_events(self.exchange, task_id, last_event_id)
        return AsyncAnswerStream(source, self._follow(source))

    async def _follow(self, source: EventSource[Event]) -> AsyncGenerator[Event, None]:
        while not source.is_over():
            try:
                async with self._http.stream(**source.request()) as response:
                    if not response.is_success:
                        await response.aread()
                    if source.is_open(response):
                        async for piece in response.aiter_bytes():
                            for event in source.receive(piece):
                                yield event
                            if source.is_over():
                                break
            except httpx.TransportError as error:
                source.fail(error)
            await asyncio.sleep(source.pause())

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
