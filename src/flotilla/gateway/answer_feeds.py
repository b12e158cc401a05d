"""The answers that are followed at this gateway while they are being written.

Each entry is told on a channel, so that it is here at once. What is told may be lost; so each
follower knows by the entries' numbers what it lacks and reads that from the stream. Every TICK
seconds one round trip looks whether the streams have more than was heard and says that they are
being read, and one statement asks the ledger which of the runs are over. A thousand followers cost
a few connections.
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

from flotilla.answer_streams.entries import Entry, key, read_all, read_told, readers_key
from flotilla.answer_streams.presence import lifetime, refresh_every
from flotilla.errors import FlotillaError
from flotilla.gateway.channels import Channels, Listener, end
from flotilla.ledger.announce import channel
from flotilla.ledger.task_events import TaskState
from flotilla.logging import get_logger

logger = get_logger(__name__)

ReadStates = Callable[[Sequence[str]], Awaitable[dict[str, TaskState]]]

TICK = 2.0  # seconds, at most
PAGE = 200  # entries that are read at once
LONGEST_INBOX = 256  # entries; a client that is slower than that reads them from the stream
CONNECTIONS = 4
REDIS_TIMEOUT = 1.5  # seconds, after which a follower waits for the next tick
LARGEST_ROUND_TRIP = 500  # streams


class Follower:
    """What has come for one follower of an answer, until it takes it."""

    def __init__(self) -> None:
        self.behind = True
        """Whether the stream may hold what the follower has not been handed."""
        self.over = False
        """Whether the run is said to be over: the ledger knows."""
        self.ended = False
        """Whether the gateway is closing."""
        self._entries: deque[Entry] = deque()
        self._news = asyncio.Event()

    def deliver(self, entry: Entry) -> None:
        if len(self._entries) < LONGEST_INBOX:
            self._entries.append(entry)
        else:
            self.behind = True
        self._news.set()

    def look(self) -> None:
        """Have the follower read the stream."""
        self.behind = True
        self._news.set()

    def finish(self) -> None:
        """Have the follower look at the ledger."""
        self.over = True
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
        self._news.clear()
        return True

    def taken(self) -> list[Entry]:
        """The entries that have come, in their order."""
        entries = list(self._entries)
        self._entries.clear()
        return entries


class _Feed:
    """One run's stream, and who follows it here."""

    def __init__(self) -> None:
        self.followers: set[Follower] = set()
        self.newest = 0  # number of the newest entry that was heard or seen
        self.listening = contextlib.ExitStack()

    def hear(self, message: str) -> None:
        entry = read_told(message)
        self.newest = max(self.newest, entry.number)
        for follower in self.followers:
            follower.deliver(entry)

    def look(self) -> None:
        for follower in self.followers:
            follower.look()

    def finish(self) -> None:
        for follower in self.followers:
            follower.finish()


class AnswerFeeds:
    """The streams of answers that are followed at this gateway.

    Args:
        url: address of Redis.
        channels: the process's connection for channels.
        read_states: asks the ledger how runs stand.
        grace: seconds for which nobody may be reading before a run is cancelled.
    """

    def __init__(self, url: str, channels: Channels, read_states: ReadStates, grace: float) -> None:
        self._redis = redis.Redis.from_pool(
            redis.BlockingConnectionPool.from_url(
                url,
                max_connections=CONNECTIONS,
                timeout=REDIS_TIMEOUT,
                decode_responses=True,
                socket_connect_timeout=2,
                socket_timeout=3,
                retry=Retry(NoBackoff(), 0),
            )
        )
        self._channels = channels
        self._read_states = read_states
        self._grace = grace
        self._feeds: dict[str, _Feed] = {}
        self._followed = asyncio.Event()
        self._reachable = True
        self._ticker: asyncio.Task[None] | None = None
        self._closing = False

    async def start(self) -> None:
        self._ticker = asyncio.create_task(self._tick_forever(), name="answers")

    def end_all(self) -> None:
        """Have all followers go; they go on at another gateway, or at this one's successor."""
        self._closing = True
        for feed in self._feeds.values():
            for follower in feed.followers:
                follower.end()

    async def close(self) -> None:
        self.end_all()
        if self._ticker is not None:
            await end(self._ticker)
        await self._redis.aclose()

    @contextlib.contextmanager
    def follow(self, job_id: str) -> Iterator[Follower]:
        """Gather what is told of an answer from now on."""
        feed = self._feeds.get(job_id) or self._begin(job_id)
        follower = Follower()
        feed.followers.add(follower)
        if self._closing:
            follower.end()
        try:
            yield follower
        finally:
            feed.followers.discard(follower)
            if not feed.followers and self._feeds.get(job_id) is feed:
                del self._feeds[job_id]
                feed.listening.close()
                if not self._feeds:
                    self._followed.clear()

    def _begin(self, job_id: str) -> _Feed:
        feed = self._feeds[job_id] = _Feed()
        for name, listener in (
            (key(job_id), Listener(feed.hear, feed.look)),
            (channel(job_id), Listener(lambda _: feed.finish())),
        ):
            feed.listening.enter_context(self._channels.listening(name, listener))
        self._followed.set()
        return feed

    async def appear(self, job_id: str) -> None:
        """Say that somebody reads the run's stream, or is about to. Best effort."""
        try:
            async with asyncio.timeout(REDIS_TIMEOUT):
                await self._redis.set(readers_key(job_id), 1, px=lifetime(self._grace))
        except (RedisError, OSError, TimeoutError) as error:
            logger.warning("answers.not_shown", task_id=job_id, error=str(error))

    async def read(self, job_id: str, after: int) -> list[Entry] | None:
        """The entries after a number, PAGE at most; None where Redis does not answer."""
        try:
            async with asyncio.timeout(REDIS_TIMEOUT):
                found: Any = await self._redis.xrange(
                    key(job_id), min=f"{after + 1}-0", max="+", count=PAGE
                )
        except (RedisError, OSError, TimeoutError) as error:
            logger.warning("answers.not_read", task_id=job_id, error=str(error))
            return None
        entries = read_all(found)
        feed = self._feeds.get(job_id)
        if feed is not None and entries:
            feed.newest = max(feed.newest, entries[-1].number)
        return entries

    async def read_whole(self, job_id: str) -> list[Entry] | None:
        """All entries; None where Redis does not answer."""
        whole: list[Entry] = []
        while (page := await self.read(job_id, whole[-1].number if whole else 0)) is not None:
            whole += page
            if len(page) < PAGE:
                return whole
        return None

    async def _tick_forever(self) -> None:
        while True:
            await self._followed.wait()
            await asyncio.sleep(min(TICK, refresh_every(self._grace)))
            job_ids = list(self._feeds)
            try:
                await self._look_at_streams(job_ids)
            except (RedisError, OSError) as error:
                if self._reachable:
                    logger.warning("answers.redis_away", error=str(error))
                self._reachable = False
            except Exception:  # whatever it is: without this task nothing lost would be found
                logger.exception("answers.no_look")
            try:
                await self._look_at_ledger(job_ids)
            except FlotillaError as error:
                logger.warning("answers.ledger_away", error=error.message)
            except Exception:  # as above
                logger.exception("answers.no_look")

    async def _look_at_streams(self, job_ids: Sequence[str]) -> None:
        """Say that these are being read, and have their followers read what was not heard."""
        for start in range(0, len(job_ids), LARGEST_ROUND_TRIP):
            part = job_ids[start : start + LARGEST_ROUND_TRIP]
            pipe = self._redis.pipeline(transaction=False)
            for job_id in part:
                pipe.set(readers_key(job_id), 1, px=lifetime(self._grace))
                pipe.xrevrange(key(job_id), count=1)
            replies: list[Any] = await pipe.execute()
            if not self._reachable:
                self._reachable = True
                for feed in self._feeds.values():
                    feed.look()
            for job_id, newest in zip(part, map(read_all, replies[1::2]), strict=True):
                current = self._feeds.get(job_id)
                if current is not None and newest and newest[0].number > current.newest:
                    current.newest = newest[0].number
                    current.look()

    async def _look_at_ledger(self, job_ids: Sequence[str]) -> None:
        states = await self._read_states(job_ids)
        for job_id in job_ids:
            feed = self._feeds.get(job_id)
            state = states.get(job_id)
            if feed is not None and (state is None or state.status.final):
                feed.finish()
