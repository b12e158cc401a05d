"""A task's events as server-sent events, as HTML's standard has them ("Server-sent events")."""

from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.responses import StreamingResponse

from flotilla.errors import FlotillaError
from flotilla.gateway.event_feeds import Feeds, Follower
from flotilla.gateway.event_order import START, Bookmark, Progression
from flotilla.ledger.task_events import state_of
from flotilla.schemas import Task, TaskEvent

HEARTBEAT_SECONDS = 15.0  # without an event, after which a comment shows that the stream lives
RETRY_MILLISECONDS = 1000  # after which a browser connects again

HEADERS = {
    "Cache-Control": "no-cache, no-store, no-transform",
    "X-Accel-Buffering": "no",  # nginx would gather events otherwise
}

Look = Callable[[], Awaitable[Task | None]]
"""Reads the task from the ledger, with its result."""


class EventStream(StreamingResponse):
    """A response that lasts until the task has ended or the client has gone."""

    media_type = "text/event-stream"


def render(event: TaskEvent) -> bytes:
    """An event as it goes over the wire."""
    data = event.model_dump_json(exclude_none=True)
    return f"id: {event.id}\nevent: {event.event.value}\ndata: {data}\n\n".encode()


async def stream(feeds: Feeds, task: Task, last_id: str | None, look: Look) -> AsyncIterator[bytes]:
    """The bytes of a task's event stream.

    It begins with what was told since the event `last_id`, or else with the task's present state;
    it ends after the event of the task's end, or when the gateway closes.

    Args:
        feeds: the streams that this gateway follows.
        task: the task, to be followed from now on.
        last_id: the Last-Event-ID of the request.
        look: reads the task.
    """
    yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
    progression = Progression(task)
    with feeds.follow(task.task_id) as follower:
        missed = await _missed(feeds, progression, task, Bookmark.parse(last_id))
        for event in missed or ():
            yield render(event)
        # Read after the stream, so that it is at least as new as what the stream holds.
        now = await _seen(look)
        if now is not None and now.status.final:
            yield render(progression.end(now))
            return
        news = progression.look(state_of(now or task), certain=now is not None)
        if missed is None:
            news = progression.present()
        if news is not None:
            yield render(news)
        async for each in _live(feeds, progression, follower, look):
            yield render(each) if each is not None else b":\n\n"


async def _missed(
    feeds: Feeds, progression: Progression, task: Task, bookmark: Bookmark | None
) -> list[TaskEvent] | None:
    """The events since a bookmark, as far as the stream is kept. None where there is no bookmark,
    or one that says nothing: what was seen is not known, and the present state has to be told."""
    history = await feeds.history(task.task_id)
    if bookmark is None:
        for position, state in history or ():
            progression.take(position, state)
        return None
    known = bookmark.stage is not None
    if history is not None:
        # A position beyond the end is one of a stream that was lost.
        newest = history[-1][0] if history else START
        for position, state in history:
            known = known or position == bookmark.position
            if position <= bookmark.position:
                progression.take(position, state)
        position = min(bookmark.position, newest)
        bookmark = Bookmark(position, bookmark.stage, bookmark.unit, bookmark.done)
    progression.go_on_from(bookmark)
    events = [progression.take(position, state) for position, state in history or ()]
    missed = [event for event in events if event is not None]
    return missed if missed or known else None


async def _live(
    feeds: Feeds, progression: Progression, follower: Follower, look: Look
) -> AsyncIterator[TaskEvent | None]:
    """What comes from now on until the task's end; None for each time of silence."""
    while True:
        if not await follower.wait(HEARTBEAT_SECONDS):
            yield None
            continue
        if follower.ended:
            return
        entries, looked = follower.taken()
        over = looked is not None and (looked[0] is None or looked[0].status.final)
        told = any(state.status.final for _, state in entries)
        for position, state in entries:
            event = progression.take(position, state)
            if event is not None:
                yield event
        if over or told:
            # The stream may hold the end of an earlier try: the ledger says whether this is one.
            task = await _seen(look)
            if task is not None and task.status.final:
                # The ledger may be ahead of the stream: what led to the end is told before it.
                missing = None if told else await feeds.history(task.task_id)
                for position, state in missing or ():
                    event = progression.take(position, state)
                    if event is not None:
                        yield event
                yield progression.end(task)
                return
            if task is None and looked is not None and looked[0] is None:
                return  # forgotten, long after its end
            continue
        if looked is not None and looked[0] is not None:
            event = progression.look(looked[0], certain=looked[1])
            if event is not None:
                yield event


async def _seen(look: Look) -> Task | None:
    """The task, or None while the ledger is out of reach: the next look may see it."""
    try:
        return await look()
    except FlotillaError:
        return None
