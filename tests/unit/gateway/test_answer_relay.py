"""Whoever dies in whatever order, a reader is told each piece of an answer once."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flotilla.answer_streams import AnswerStream
from flotilla.answer_streams.entries import Entry, Kind, key, token
from flotilla.answer_streams.sender import Sender
from flotilla.errors import DependencyUnavailable, LeaseLost
from flotilla.gateway.answer_feeds import LONGEST_INBOX, AnswerFeeds, Follower
from flotilla.gateway.answer_relay import Bookmark, render_end, stream, submit_and_relay
from flotilla.gateway.channels import Channels, end
from flotilla.schemas import Task, TaskStatus

TEXT = " ".join(f"word{number}" for number in range(40))
_jobs = itertools.count()

ACTS = st.sampled_from(
    ["tell", "tell", "send", "send", "late", "worker dies", "reader moves", "silence", "loss"]
)


def a_task(task_id: str, status: str = "processing", text: str = TEXT) -> Task:
    over = TaskStatus(status).final
    return Task(
        task_id=task_id,
        kind="query",
        status=TaskStatus(status),
        queue="rag",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        finished_at=datetime(2026, 1, 1, 1, tzinfo=UTC) if over else None,
        result={"text": text, "citations": [], "trace": []} if over else None,
    )


class ByHand(Sender):
    """A sender that sends when the test says so."""

    def add(self, stream: AnswerStream) -> None:
        self._streams.add(stream)

    def send(self) -> None:
        self._send_due()


class Worker:
    """One worker of the run."""

    def __init__(self, store: redis.Redis, job_id: str, fence: int) -> None:
        self.sender = ByHand(store)
        self.stream = AnswerStream(job_id, fence, self.sender)
        self.stream.start()

    def tell(self, length: int) -> None:
        start = len(self.stream.written.text)
        self.stream.token(TEXT[start : start + length], "")


class Reader:
    """A client that reads on over as many connections as it takes."""

    def __init__(self, feeds: AnswerFeeds, task_id: str) -> None:
        self.events: list[tuple[int, str, dict[str, Any]]] = []
        self.over = False
        self.status = "processing"
        self._feeds, self._task_id = feeds, task_id
        self._connection: asyncio.Task[None] | None = None
        self._bytes: AsyncIterator[bytes] | None = None

    async def _look(self) -> Task:
        return a_task(self._task_id, self.status)

    def connect(self) -> None:
        self._connection = asyncio.create_task(self._read())

    async def _read(self) -> None:
        seen = self.events[-1][0] if self.events else 0
        over = TaskStatus(self.status).final
        self._bytes = stream(self._feeds, self._task_id, seen, self._look, over=over)
        async for piece in self._bytes:
            for block in piece.decode().split("\n\n"):
                fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
                if "data" in fields:
                    bookmark = Bookmark.parse(fields["id"])
                    assert bookmark is not None
                    event = (bookmark.number, fields["event"], json.loads(fields["data"]))
                    self.events.append(event)
        self.over = True

    async def leave(self) -> None:
        assert self._connection is not None
        await end(self._connection)
        if self._bytes is not None:
            await self._bytes.aclose()  # type: ignore[attr-defined]

    async def finish(self) -> None:
        assert self._connection is not None
        await self._connection


async def play(redis_url: str, store: redis.Redis, acts: list[tuple[str, int]]) -> Reader:
    """Play the acts, then let the run come to its end."""
    job_id, fences = f"played-{next(_jobs)}", itertools.count(1)
    channels = Channels(redis_url)

    async def read_states(_: Any) -> dict[str, Any]:
        return {}

    feeds = AnswerFeeds(redis_url, channels, read_states, grace=1)
    reader = Reader(feeds, job_id)
    workers = [Worker(store, job_id, next(fences))]
    await channels.start()
    try:
        reader.connect()
        for act, amount in acts:
            worker = workers[-1]
            match act:
                case "tell":
                    worker.tell(amount)
                case "send":
                    worker.sender.send()
                case "worker dies":
                    workers.append(Worker(store, job_id, next(fences)))
                case "late" if len(workers) > 1:
                    try:
                        workers[-2].tell(amount)
                        workers[-2].sender.send()
                    except LeaseLost:
                        pass
                case "reader moves":
                    await reader.leave()
                    reader.connect()
                case "silence":
                    store.client_kill_filter(_type="pubsub")
                case "loss":
                    lose_newest(store, job_id, amount)
                    worker.tell(1)
                    worker.sender.send()
                    worker.sender.send()
            # Some acts follow at once, some once the others have had their turn.
            await asyncio.sleep(0.001 * (amount % 3))
        workers[-1].tell(len(TEXT))
        workers[-1].sender.send()
        reader.status = "completed"
        await feeds.start()  # its tick finds that the run is over
        async with asyncio.timeout(20):
            await reader.finish()
    finally:
        await reader.leave()
        await feeds.close()
        await channels.close()
    return reader


def lose_newest(store: redis.Redis, job_id: str, count: int) -> None:
    """Redis comes back without its newest entries, as after its death."""
    kept: Any = store.xrange(key(job_id))
    store.delete(key(job_id))
    for entry_id, fields in kept[: max(0, len(kept) - count)]:
        store.xadd(key(job_id), fields, id=entry_id)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(acts=st.lists(st.tuples(ACTS, st.integers(1, 30)), max_size=30))
def test_each_piece_is_told_once_whoever_dies(redis_url: str, acts: list[tuple[str, int]]) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as store:
        reader = asyncio.run(play(redis_url, store, acts))
    numbers = [number for number, _, _ in reader.events]
    assert numbers == list(range(1, len(numbers) + 1))
    assert reader.events[-1][1] == "done"
    told = "".join(data["text"] for _, name, data in reader.events if name == "token")
    assert told == TEXT


def test_what_is_missing_is_read_from_the_stream() -> None:
    follower = Follower()
    follower.behind = False
    for number in range(LONGEST_INBOX + 5):
        follower.deliver(Entry(number + 1, Kind.TOKEN, token("x", number)))
    assert len(follower.taken()) == LONGEST_INBOX
    assert follower.behind


def test_an_end_behind_a_lost_stream_is_told_once() -> None:
    whole = render_end(a_task("t", "completed"), [], 57).decode()
    assert whole.count("event:") == 1
    assert "id: t:58:end-" in whole
    assert "event: done" in whole


def test_an_id_of_no_event_says_nothing() -> None:
    assert Bookmark.parse("t:7:end-12") == Bookmark("t", 7, "end-12")
    for nonsense in ("", "0", "t", "t:", "t:x", "t:1:", "t:1234567890", "t:1:end-"):
        assert Bookmark.parse(nonsense) is None


class Deaf:
    """A gateway's services whose ledger goes away as soon as a question is written there."""

    answers = submissions = property(lambda self: self)

    async def appear(self, _job_id: str) -> None:
        """Nobody looks who reads."""

    async def submit(self, *_: Any) -> None:
        """It is written."""

    async def read(self, *_: Any) -> Task:
        raise DependencyUnavailable("The ledger's database does not answer.")


async def test_a_question_that_is_asked_is_followed_though_the_ledger_is_away_afterwards() -> None:
    """Who were told that it failed would ask it again."""
    deaf: Any = Deaf()
    response = await submit_and_relay(deaf, "tenant", "asked", deaf, deaf)
    assert (response.status_code, response.headers["x-task-id"]) == (200, "asked")
