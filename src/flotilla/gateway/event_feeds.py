"""The streams of all tasks that are followed at this gateway, read by one task of its loop.

A thousand followers cost Redis five connections: one reads what is new in all their streams at
once, and a few read the whole of a stream when somebody begins to follow it. The ledger is asked
for all of them in one statement every LOOK_AGAIN seconds, so that nothing depends on the streams.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from flotilla.errors import FlotillaError
from flotilla.gateway.channels import end
from flotilla.gateway.event_order import START, Position, position_of
from flotilla.gateway.replies import LOOK_AGAIN
from flotilla.ledger import task_events
from flotilla.ledger.task_events import TaskState
from flotilla.logging import get_logger

logger = get_logger(__name__)

Entry = tuple[Position, TaskState]
ReadStates = Callable[[Sequence[str]], Awaitable[dict[str, TaskState]]]

BLOCK_SECONDS = 0.25  # of one read; a stream that is followed from now on waits for the next
LONGEST_PAUSE = 0.2  # seconds between two reads while there is much to read
PAUSE_PER_STREAM = 0.0001  # seconds: a read costs as much for each stream that it asks for
READ_ENTRIES = 100  # of one stream at once
HISTORY_CONNECTIONS = 4
HISTORY_TIMEOUT = 1.5  # seconds, after which a follower does without it
REDIS_PAUSE = 0.5  # seconds until Redis is asked again
LONGEST_INBOX = 256  # entries; a client that takes nothing for so long misses the oldest


class Follower:
    """What has come for one follower of a task, until he takes it."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=LONGEST_INBOX)
        self._look: tuple[TaskState | None, bool] | None = None
        self._news = asyncio.Event()
        self.ended = False

    def deliver(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._news.set()

    def deliver_look(self, state: TaskState | None, certain: bool) -> None:
        self._look = state, certain
        self._news.set()

    def end(self) -> None:
        """Have the follower go: the gateway is closing."""
        self.ended = True
        self._news.set()

    async def wait(self, seconds: float) -> bool:
        """Whether something has come; False after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def taken(self) -> tuple[list[Entry], tuple[TaskState | None, bool] | None]:
        """The entries in their order, and then the newest look at the ledger: its state (None for
        a task that is gone) and whether it is newer than all entries."""
        entries, look = list(self._entries), self._look
        if look is not None and entries:
            look = look[0], False
        self._entries.clear()
        self._look = None
        self._news.clear()
        return entries, look


class _Feed:
    """One task's stream, and who follows it here."""

    def __init__(self) -> None:
        self.followers: set[Follower] = set()
        self.position: Position | None = None  # up to which it was read; None while Redis is away
        self.heard_at = 0.0
        self.looked: tuple[Any, ...] | None = None
        self.looked_at = 0.0

    @property
    def entry_id(self) -> str:
        moment, number = self.position or START
        return f"{moment}-{number}"

    def look(self, state: TaskState | None, asked_at: float) -> None:
        """Tell the followers what the ledger says, unless it is what it said before and nothing
        was heard since."""
        shown = _without_eta(state)
        if shown == self.looked and self.heard_at < self.looked_at:
            return
        self.looked, self.looked_at = shown, asked_at
        for follower in self.followers:
            follower.deliver_look(state, self.heard_at < asked_at)


class Feeds:
    """The streams that are followed at this gateway."""

    def __init__(self, url: str, read_states: ReadStates) -> None:
        options: dict[str, Any] = {
            "decode_responses": True,
            "socket_connect_timeout": 2,
            "socket_timeout": 3,
            "retry": Retry(NoBackoff(), 0),
        }
        self._reader = redis.Redis.from_url(url, **options)
        self._histories = redis.Redis.from_pool(
            redis.BlockingConnectionPool.from_url(
                url, max_connections=HISTORY_CONNECTIONS, timeout=HISTORY_TIMEOUT, **options
            )
        )
        self._read_states = read_states
        self._feeds: dict[str, _Feed] = {}
        self._followed = asyncio.Event()
        self._reachable = True
        self._unread: set[str] = set()  # tasks whose streams Redis did not give when asked
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False

    async def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._read_forever(), name="events"),
            asyncio.create_task(self._look_forever(), name="event-looks"),
        ]

    def end_all(self) -> None:
        """Have all followers go; they go on at another gateway, or at this one's successor."""
        self._closing = True
        for feed in self._feeds.values():
            for follower in feed.followers:
                follower.end()

    async def close(self) -> None:
        self.end_all()
        for task in self._tasks:
            await end(task)
        await self._reader.aclose()
        await self._histories.aclose()

    @contextlib.contextmanager
    def follow(self, job_id: str) -> Iterator[Follower]:
        """Gather what is told of a task from now on."""
        follower = Follower()
        feed = self._feeds.setdefault(job_id, _Feed())
        feed.followers.add(follower)
        self._followed.set()
        if self._closing:
            follower.end()
        try:
            yield follower
        finally:
            feed.followers.discard(follower)
            if not feed.followers and self._feeds.get(job_id) is feed:
                del self._feeds[job_id]
                self._unread.discard(job_id)
                if not self._feeds:
                    self._followed.clear()

    async def history(self, job_id: str) -> list[Entry] | None:
        """All that is kept of a followed task's stream, or None where Redis does not answer."""
        if not self._reachable:
            self._unread.add(job_id)
            return None
        try:
            async with asyncio.timeout(HISTORY_TIMEOUT):
                found: Any = await self._histories.xrange(task_events.key(job_id))
        except (RedisError, OSError, TimeoutError) as error:
            logger.warning("events.no_history", task_id=job_id, error=str(error))
            self._unread.add(job_id)
            return None
        feed = self._feeds.get(job_id)
        if feed is not None and feed.position is None:
            feed.position = position_of(found[-1][0]) if found else START
        return list(_entries(found))

    async def _read_forever(self) -> None:
        while True:
            await self._followed.wait()
            try:
                read = await self._read()
                if not self._reachable:
                    logger.info("events.reading_again")
                self._reachable = True
            except (RedisError, OSError) as error:
                if self._reachable:
                    logger.warning("events.redis_away", error=str(error))
                self._reachable = False
                await asyncio.sleep(REDIS_PAUSE)
                continue
            except Exception:  # whatever it is: without this task nobody would be told any more
                logger.exception("events.not_read")
                await asyncio.sleep(REDIS_PAUSE)
                continue
            # What comes meanwhile is read at once: under load a read then brings many entries.
            pause = min(LONGEST_PAUSE, PAUSE_PER_STREAM * len(self._feeds))
            await asyncio.sleep(pause if read else 0.01)

    async def _read(self) -> int:
        """Deliver what is new in all streams; returns how many entries that was."""
        if self._unread:
            await self._find_ends()
        feeds = {
            task_events.key(job_id): feed
            for job_id, feed in self._feeds.items()
            if feed.position is not None
        }
        if not feeds:
            await self._reader.ping()
            await asyncio.sleep(0.02)
            return 0
        positions: Any = {key: feed.entry_id for key, feed in feeds.items()}
        replies: Any = await self._reader.xread(
            positions, count=READ_ENTRIES, block=int(BLOCK_SECONDS * 1000)
        )
        read = 0
        moment = asyncio.get_running_loop().time()
        for key, entries in replies.items() if isinstance(replies, dict) else replies:
            feed = feeds[key]
            feed.heard_at = moment
            for entry in _entries(entries):
                read += 1
                for follower in feed.followers:
                    follower.deliver(entry)
            feed.position = position_of(entries[-1][0])
        return read

    async def _find_ends(self) -> None:
        """Where Redis was away when a task was first followed, begin at the end of its stream: what
        it holds is older than what the ledger has told since."""
        unread = list(self._unread)
        pipe = self._reader.pipeline(transaction=False)
        for job_id in unread:
            pipe.xrevrange(task_events.key(job_id), count=1)
        for job_id, found in zip(unread, await pipe.execute(), strict=True):
            self._unread.discard(job_id)
            feed = self._feeds.get(job_id)
            if feed is not None and feed.position is None:
                feed.position = position_of(found[0][0]) if found else START

    async def _look_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._followed.wait()
            await asyncio.sleep(LOOK_AGAIN)
            job_ids = list(self._feeds)
            asked_at = loop.time()
            try:
                states = await self._read_states(job_ids)
            except FlotillaError as error:
                logger.warning("events.ledger_away", error=error.message)
                continue
            except Exception:  # as above
                logger.exception("events.no_look")
                continue
            for job_id in job_ids:
                feed = self._feeds.get(job_id)
                if feed is not None:
                    feed.look(states.get(job_id), asked_at)


def _without_eta(state: TaskState | None) -> tuple[Any, ...] | None:
    if state is None:
        return None
    progress = state.progress
    return *state[:3], progress and (progress.done, progress.total, progress.unit)


def _entries(found: Sequence[tuple[str, dict[str, str]]]) -> Iterator[Entry]:
    for entry_id, fields in found:
        state = task_events.read(fields)
        if state is not None:
            yield position_of(entry_id), state
