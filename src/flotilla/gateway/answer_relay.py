"""An answer as server-sent events while it is being written, to its end.

What the run's stream holds is sent as it is. The end comes from the ledger, where alone an answer
counts: whatever of it the stream lacks is told before it, and gets the next numbers.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from starlette.responses import Response

from flotilla.answer_streams.entries import SHOWN, Entry
from flotilla.errors import Conflict, FlotillaError, InvalidRequest
from flotilla.gateway.answer_ends import closing_entries
from flotilla.gateway.answer_feeds import PAGE, AnswerFeeds, Follower
from flotilla.gateway.dependencies import Services
from flotilla.gateway.event_order import end_id
from flotilla.gateway.event_stream import HEADERS, RETRY_MILLISECONDS, EventStream
from flotilla.gateway.question_text import trimmed
from flotilla.gateway.submissions import Prepare
from flotilla.ledger import job_views, jobs
from flotilla.schemas import QuestionRequest, Task

HEARTBEAT_SECONDS = 10.0  # without an event, after which a comment shows that the stream lives
WITHOUT_REDIS = 5  # times that the end is held back for a Redis that does not give the stream
ANSWERED = frozenset({"query"})
"""Kinds of tasks that have an answer."""
TASK_HEADER = "X-Task-ID"

_BOOKMARK = re.compile(r"(?P<task>[A-Za-z0-9-]{1,64}):(?P<number>\d{1,9})(?::(?P<end>end-\d+))?")

Look = Callable[[], Awaitable[Task | None]]


@dataclass(frozen=True, slots=True)
class Bookmark:
    """How far somebody has followed an answer: the id of an event.

    `end` is there where the event was the last one, and says which end it told of: a task that
    failed may be tried again.
    """

    task_id: str
    number: int
    end: str | None = None

    def __str__(self) -> str:
        return f"{self.task_id}:{self.number}" + (f":{self.end}" if self.end else "")

    @classmethod
    def parse(cls, text: str) -> "Bookmark | None":
        """What a Last-Event-ID says; None for one that no event has had."""
        found = _BOOKMARK.fullmatch(text)
        return cls(found["task"], int(found["number"]), found["end"]) if found else None


async def relay(
    services: Services, tenant: str, task_id: str, bookmark: Bookmark | None = None
) -> Response:
    """The response that streams a task's answer, after the event of the bookmark or else from its
    beginning; 204 where that event was the last.

    Raises:
        TaskNotFound: the tenant has no such task.
        Conflict: it is none that answers.
        InvalidRequest: the bookmark is of another task.
    """
    if bookmark is not None and bookmark.task_id != task_id:
        raise InvalidRequest(
            f"The event {str(bookmark)!r} is of another task: send the id of the last event of "
            "this one, or leave Last-Event-ID out to begin anew.",
            field="Last-Event-ID",
        )
    look = partial(services.read, job_views.view, tenant, task_id)
    task = await look()
    if task is None:
        raise job_views.missing(task_id)
    if task.kind not in ANSWERED:
        raise Conflict(
            f"A task of the kind {task.kind} has no answer: follow it at /tasks/{task_id}/events."
        )
    seen = 0
    if bookmark is not None:
        if task.status.final and bookmark.end == end_id(task):
            return Response(status_code=204)  # tells a browser to connect no more
        # Of a task that is tried again, that one's first entry has the number of the end before.
        seen = bookmark.number - 1 if bookmark.end else bookmark.number
    if not task.status.final:
        await services.answers.appear(task_id)
    return _streamed(services, task_id, seen, look, over=task.status.final)


async def relay_again(
    services: Services, tenant: str, bookmark: Bookmark, body: QuestionRequest
) -> Response:
    """The response that goes on with the stream of a question which is sent once more.

    Raises:
        TaskNotFound: there is no such task, or it is another user's.
        InvalidRequest: it was asked something else.
    """
    job = await services.read(jobs.get, bookmark.task_id)
    asked = job.payload if job is not None and job.tenant_id == tenant else {}
    users = (asked.get("user"), getattr(body, "user", None))
    if job is not None and job.kind in ANSWERED and users[0] != users[1]:
        raise job_views.missing(bookmark.task_id)
    if asked.get("question") not in (None, trimmed(body.question)):
        raise InvalidRequest(
            f"The event {str(bookmark)!r} is of another question: send the question of its stream "
            "again, or leave Last-Event-ID out to ask this one.",
            field="Last-Event-ID",
        )
    return await relay(services, tenant, bookmark.task_id, bookmark)


async def submit_and_relay(
    services: Services,
    tenant: str,
    job_id: str,
    prepare: Prepare,
    send: Callable[[str], None],
) -> Response:
    """Submit a job that was prepared as a stream, and stream its answer.

    Raises:
        DependencyUnavailable: the ledger or the broker does not answer; nothing was begun.
        FlotillaError: whatever `prepare` raises.
    """
    await services.answers.appear(job_id)  # before its worker looks who reads
    await services.submissions.submit(prepare, send)
    look = partial(services.read, job_views.view, tenant, job_id)
    try:
        task = await look()
    except FlotillaError:
        task = None  # the question is asked: who were told that it failed would ask it again
    return _streamed(services, job_id, 0, look, over=task is not None and task.status.final)


def _streamed(services: Services, task_id: str, seen: int, look: Look, *, over: bool) -> Response:
    events = stream(services.answers, task_id, seen, look, over=over)
    return EventStream(events, headers={**HEADERS, TASK_HEADER: task_id})


async def stream(
    feeds: AnswerFeeds, task_id: str, seen: int, look: Look, *, over: bool
) -> AsyncIterator[bytes]:
    """The bytes of an answer's stream, from after the entry with the number `seen` to its end, or
    until the gateway closes; `over` says that its task is known to have ended."""
    yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
    withheld = 0
    with feeds.follow(task_id) as follower:
        if over:
            follower.finish()
        while not follower.ended:
            if follower.behind:
                page = await _page(feeds, task_id, follower, seen)
                if page:
                    yield _render(task_id, page)
                    seen = page[-1].number
                    continue
            following = _following(follower, seen)
            if following:
                yield _render(task_id, following)
                seen = following[-1].number
                continue
            if follower.behind:
                continue
            if follower.over:
                follower.over = False
                ending = await _ending(feeds, task_id, look, seen, withheld >= WITHOUT_REDIS)
                if ending is not None:
                    yield ending
                    return
                withheld += 1
            if not await follower.wait(HEARTBEAT_SECONDS):
                yield b":\n\n"


async def _page(feeds: AnswerFeeds, task_id: str, follower: Follower, seen: int) -> list[Entry]:
    """What the stream has next. Once that is all, or Redis does not answer, the follower waits for
    what it is told."""
    follower.behind = False
    page = await feeds.read(task_id, seen)
    if page is not None and len(page) == PAGE:
        follower.behind = True
    return page or []


def _following(follower: Follower, seen: int) -> list[Entry]:
    """What has come and follows what was seen; where one is missing, the stream has to be read."""
    following: list[Entry] = []
    for entry in follower.taken():
        if entry.number == seen + 1:
            following.append(entry)
            seen = entry.number
        elif entry.number > seen:
            follower.behind = True
    return following


async def _ending(
    feeds: AnswerFeeds, task_id: str, look: Look, seen: int, without_redis: bool
) -> bytes | None:
    """The last events, none of a task that is forgotten. None where the ledger does not say that
    the run is over, or Redis what was told of it: they are asked again at the next tick."""
    try:
        task = await look()
    except FlotillaError:
        return None
    if task is None:
        return b""
    if not task.status.final:
        return None
    told = await feeds.read_whole(task_id)
    if told is None and not without_redis:
        return None
    return render_end(task, told, seen)


def render_end(task: Task, told: Sequence[Entry] | None, seen: int) -> bytes:
    """The events that end an answer's stream, for one who has seen the entry `seen`.

    `told` is all that the stream has, or None where that is not known.
    """
    *closing, last = closing_entries(task, told)
    missed = [entry for entry in (*(told or ()), *closing) if entry.number > seen]
    # Where more was seen than there is now, the stream was lost: the last event has all.
    bookmark = Bookmark(task.task_id, max(last.number, seen + 1), end_id(task))
    return _render(task.task_id, missed) + _event(bookmark, last.kind, last.data)


def _render(task_id: str, entries: Sequence[Entry]) -> bytes:
    return b"".join(
        _event(Bookmark(task_id, entry.number), entry.kind, entry.data)
        for entry in entries
        if entry.kind in SHOWN
    )


def _event(bookmark: Bookmark, kind: str, data: str) -> bytes:
    return f"id: {bookmark}\nevent: {kind}\ndata: {data}\n\n".encode()
