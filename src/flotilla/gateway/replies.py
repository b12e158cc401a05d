"""Waiting for jobs to end, on one Redis subscription a process.

Celery's `AsyncResult.get()` loses wake-ups when many threads wait at once, and it holds a thread
each. Here a waiter subscribes first, then its job is enqueued, then it awaits; whatever Redis
loses (a dropped connection), the ledger is looked at again within LOOK_AGAIN seconds.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import redis.asyncio as redis
from redis.exceptions import RedisError

from flotilla.errors import DependencyUnavailable
from flotilla.ledger.announce import channel
from flotilla.logging import get_logger
from flotilla.schemas import Task

logger = get_logger(__name__)

LOOK_AGAIN = 2.0  # seconds between two looks at the ledger while nothing is heard
SUBSCRIBE_TIMEOUT = 5.0


class Replies:
    """The ends of jobs as they are announced."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(
            url, decode_responses=True, socket_connect_timeout=5, health_check_interval=15
        )
        self._pubsub = self._redis.pubsub()
        self._waiting: dict[str, set[Reply]] = {}
        self._subscribed: dict[str, asyncio.Event] = {}
        self._reader: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._reader = asyncio.create_task(self._read(), name="replies")

    async def close(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
        await self._pubsub.aclose()  # type: ignore[no-untyped-call]
        await self._redis.aclose()

    @asynccontextmanager
    async def expect(self, job_id: str) -> "AsyncIterator[Reply]":
        """Listen for a job's end from here on; enqueue it inside.

        Raises:
            DependencyUnavailable: Redis does not answer.
        """
        name = channel(job_id)
        reply = Reply()
        waiting = self._waiting.setdefault(name, set())
        waiting.add(reply)
        try:
            if name not in self._subscribed:
                self._subscribed[name] = asyncio.Event()
                await self._pubsub.subscribe(name)
            await asyncio.wait_for(self._subscribed[name].wait(), SUBSCRIBE_TIMEOUT)
            yield reply
        except (RedisError, OSError) as error:
            raise DependencyUnavailable("Redis does not answer: try again.") from error
        finally:
            waiting.discard(reply)
            if not waiting:
                self._waiting.pop(name, None)
                self._subscribed.pop(name, None)
                with contextlib.suppress(RedisError, OSError):
                    await self._pubsub.unsubscribe(name)

    async def _read(self) -> None:
        while True:
            try:
                # A subscription of its own keeps the connection open while nobody waits.
                await self._pubsub.subscribe("flotilla:gateways")
                async for message in self._pubsub.listen():
                    self._handle(message)
            except (RedisError, OSError) as error:
                logger.warning("replies.reconnecting", error=str(error))
                await asyncio.sleep(0.5)

    def _handle(self, message: dict[str, str]) -> None:
        name = message["channel"]
        if message["type"] == "subscribe":
            if name in self._subscribed:
                self._subscribed[name].set()
        elif message["type"] == "message" and name in self._waiting:
            task = Task.model_validate_json(message["data"])
            for reply in self._waiting[name]:
                reply.deliver(task)


class Reply:
    """One waiter's view of one job."""

    def __init__(self) -> None:
        self._future: asyncio.Future[Task] = asyncio.get_running_loop().create_future()

    def deliver(self, task: Task) -> None:
        if not self._future.done():
            self._future.set_result(task)

    async def wait(self, timeout: float, look: Callable[[], Awaitable[Task | None]]) -> Task | None:
        """The job once it has ended, or None after `timeout` seconds.

        Args:
            timeout: seconds.
            look: reads the job from the ledger.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while (left := deadline - loop.time()) > 0:
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(asyncio.shield(self._future), min(left, LOOK_AGAIN))
            task = await look()
            if task is not None and task.status.final:
                return task
        return None
