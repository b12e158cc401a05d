"""Waiting for jobs to end, on one Redis subscription a process.

Celery's `AsyncResult.get()` loses wake-ups when many threads wait at once, and it holds a thread
each. Here a waiter listens first, then its job is enqueued, then it awaits; whatever Redis loses
(a dropped connection), the ledger is looked at again within LOOK_AGAIN seconds.

The jobs that this process submits and awaits are told on a channel of its own (`address`), which
costs no subscription a request; any other job on the job's own channel.
"""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import redis.asyncio as redis
from pydantic import ValidationError
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from flotilla.errors import DependencyUnavailable
from flotilla.ledger.announce import channel
from flotilla.logging import get_logger
from flotilla.schemas import Task

logger = get_logger(__name__)

LOOK_AGAIN = 2.0  # seconds between two looks at the ledger while nothing is heard
SUBSCRIBE_TIMEOUT = 5.0
READER_PAUSE = 0.5  # seconds until a reader that has failed reads again


async def end(task: "asyncio.Task[None]") -> None:
    """Cancel a task for good.

    While it connects, a client library may turn the cancellation into a time-out of its own, and
    the task goes on.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=0.5)


@dataclass(frozen=True, slots=True)
class Ended:
    """A job that has ended, its result still as JSON."""

    task: Task
    result: str

    def whole(self) -> Task:
        """The job with its result."""
        return self.task.model_copy(update={"result": json.loads(self.result)})


class Replies:
    """The ends of jobs as they are announced."""

    def __init__(self, url: str) -> None:
        self.address = f"flotilla:gateway:{uuid.uuid4().hex}"
        self._redis = redis.Redis.from_url(
            url,
            decode_responses=True,
            socket_connect_timeout=5,
            health_check_interval=15,
            # The reader connects again by itself, and nobody is to wait for it.
            retry=Retry(NoBackoff(), 0),
        )
        self._pubsub = self._redis.pubsub()
        self._waiting: dict[str, set[Reply]] = {}
        self._subscribed: dict[str, asyncio.Event] = {self.address: asyncio.Event()}
        self._reader: asyncio.Task[None] | None = None
        # Two tasks must not connect at once. While there is no connection, the reader alone does,
        # and then it subscribes to all that there is.
        self._connected = False

    async def start(self) -> None:
        self._reader = asyncio.create_task(self._read(), name="replies")

    async def close(self) -> None:
        if self._reader is not None:
            await end(self._reader)
        await self._pubsub.aclose()  # type: ignore[no-untyped-call]
        await self._redis.aclose()

    @asynccontextmanager
    async def expect(self, job_id: str) -> "AsyncIterator[Reply]":
        """Listen for the end of a job that is enqueued inside, its reply sent to `address`.

        Raises:
            DependencyUnavailable: Redis does not answer.
        """
        await self._listening(self.address)
        with self._waiter(job_id) as reply:
            yield reply

    @asynccontextmanager
    async def follow(self, job_id: str) -> "AsyncIterator[Reply]":
        """Listen for the end of a job that anybody has enqueued.

        While Redis does not answer nothing is heard, and its waiter has the ledger to look at.
        """
        name = channel(job_id)
        with self._waiter(job_id) as reply:
            try:
                await self._subscribe(name)
                yield reply
            finally:
                if self._waiting.get(job_id) == {reply}:
                    await self._unsubscribe(name)

    async def _subscribe(self, name: str) -> None:
        """Listen to a channel, for as long as it is among the subscribed ones."""
        subscribed = self._subscribed.setdefault(name, asyncio.Event())
        if subscribed.is_set() or not self._connected:
            return
        try:
            async with asyncio.timeout(LOOK_AGAIN):
                await self._pubsub.subscribe(name)
                await subscribed.wait()
        except Exception as error:  # noqa: BLE001 - the connection may be lost in any state
            logger.warning("replies.not_heard", channel=name, error=str(error))

    async def _unsubscribe(self, name: str) -> None:
        self._subscribed.pop(name, None)
        if not self._connected:
            self._pubsub.channels.pop(name, None)
            return
        try:
            async with asyncio.timeout(LOOK_AGAIN):
                await self._pubsub.unsubscribe(name)
        except Exception as error:  # noqa: BLE001 - as above
            logger.warning("replies.still_heard", channel=name, error=str(error))

    async def _listening(self, name: str) -> None:
        try:
            await asyncio.wait_for(self._subscribed[name].wait(), SUBSCRIBE_TIMEOUT)
        except TimeoutError:
            raise DependencyUnavailable(
                "Redis does not answer: try again.", retry_after=1
            ) from None

    @contextlib.contextmanager
    def _waiter(self, job_id: str) -> "Iterator[Reply]":
        reply = Reply()
        self._waiting.setdefault(job_id, set()).add(reply)
        try:
            yield reply
        finally:
            waiting = self._waiting[job_id]
            waiting.discard(reply)
            if not waiting:
                del self._waiting[job_id]

    async def _read(self) -> None:
        while True:
            try:
                # Its own channel keeps the connection open while nobody waits; the others are those
                # of jobs that were followed while Redis was away.
                await self._pubsub.subscribe(*self._subscribed)
                async for message in self._pubsub.listen():
                    was_connected = self._connected
                    self._handle(message)
                    if self._connected and not was_connected:
                        await self._catch_up()
            except (RedisError, OSError) as error:
                self._connected = False
                logger.warning("replies.reconnecting", error=str(error))
                await self._disconnect()
                await asyncio.sleep(READER_PAUSE)
            except ValidationError as error:  # of another release; its waiter looks at the ledger
                logger.warning("replies.unreadable", error=str(error))
            except Exception:  # whatever it is: without a reader nobody would hear anything again
                self._connected = False
                logger.exception("replies.failed")
                await self._disconnect()
                await asyncio.sleep(READER_PAUSE)

    async def _catch_up(self) -> None:
        """Listen to the channels too that were asked for while the connection was being made."""
        missing = [name for name in self._subscribed if name not in self._pubsub.channels]
        if missing:
            await self._pubsub.subscribe(*missing)

    async def _disconnect(self) -> None:
        """Forget the connection and its channels: a new one would take up again also those that
        were being left when the old one broke."""
        with contextlib.suppress(RedisError, OSError):
            await self._pubsub.aclose()  # type: ignore[no-untyped-call]

    def _handle(self, message: dict[str, str]) -> None:
        if message["type"] == "subscribe":
            self._connected = True
            if message["channel"] in self._subscribed:
                self._subscribed[message["channel"]].set()
        elif message["type"] == "message":
            head, _, result = message["data"].partition("\n")
            ended = Ended(Task.model_validate_json(head), result)
            for reply in self._waiting.get(ended.task.task_id, ()):
                reply.deliver(ended)


class Reply:
    """One waiter's view of one job."""

    def __init__(self) -> None:
        self._future: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()

    def deliver(self, ended: Ended) -> None:
        if not self._future.done():
            self._future.set_result(ended)

    async def wait(
        self, timeout: float, look: Callable[[], Awaitable[Task | None]]
    ) -> Ended | None:
        """The job once it has ended, or None after `timeout` seconds.

        Args:
            timeout: seconds.
            look: reads the job from the ledger.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while (left := deadline - loop.time()) > 0:
            await asyncio.wait((self._future,), timeout=min(left, LOOK_AGAIN))
            if self._future.done():
                return self._future.result()
            task = await look()
            if task is not None and task.status.final:
                return Ended(task, json.dumps(task.result, ensure_ascii=False))
        return None
