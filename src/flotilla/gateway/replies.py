"""Waiting for jobs to end, on the process's one connection for Redis' channels.

Celery's `AsyncResult.get()` loses wake-ups when many threads wait at once, and it holds a thread
each. Here a waiter listens first, then its job is enqueued, then it awaits; whatever Redis loses
(a dropped connection), the ledger is looked at again within LOOK_AGAIN seconds.

The jobs that this process submits and awaits are told on a channel of its own (`address`), which
costs no subscription a request; any other job on the job's own channel.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pydantic import ValidationError

from flotilla.errors import Cancelled, DependencyUnavailable
from flotilla.gateway.channels import Channels, Listener
from flotilla.ledger.announce import channel
from flotilla.logging import get_logger
from flotilla.schemas import Task

logger = get_logger(__name__)

LOOK_AGAIN = 2.0  # seconds between two looks at the ledger while nothing is heard
SUBSCRIBE_TIMEOUT = 5.0


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

    def __init__(self, channels: Channels) -> None:
        self.address = channels.address
        self._channels = channels
        self._waiting: dict[str, set[Reply]] = {}
        self._own = contextlib.ExitStack()

    async def start(self) -> None:
        self._own.enter_context(self._channels.listening(self.address, Listener(self._hear)))

    async def close(self) -> None:
        self._own.close()

    @asynccontextmanager
    async def expect(self, job_id: str) -> "AsyncIterator[Reply]":
        """Listen for the end of a job that is enqueued inside, its reply sent to `address`.

        Raises:
            DependencyUnavailable: Redis does not answer.
        """
        if not await self._channels.heard(self.address, SUBSCRIBE_TIMEOUT):
            raise DependencyUnavailable("Redis does not answer: try again.", retry_after=1)
        with self._waiter(job_id) as reply:
            yield reply

    @asynccontextmanager
    async def follow(self, job_id: str) -> "AsyncIterator[Reply]":
        """Listen for the end of a job that anybody has enqueued.

        While Redis does not answer nothing is heard, and its waiter has the ledger to look at.
        """
        name, reply = channel(job_id), Reply()

        def hear(message: str) -> None:
            ended = _read(message)
            if ended is not None:
                reply.deliver(ended)

        with self._channels.listening(name, Listener(hear)):
            if self._channels.connected:
                await self._channels.heard(name, LOOK_AGAIN)
            yield reply

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

    def _hear(self, message: str) -> None:
        ended = _read(message)
        if ended is not None:
            for reply in self._waiting.get(ended.task.task_id, ()):
                reply.deliver(ended)


def _read(message: str) -> Ended | None:
    """The end that a message tells, or None where it is of another release: its waiter looks at the
    ledger."""
    head, _, result = message.partition("\n")
    try:
        return Ended(Task.model_validate_json(head), result)
    except ValidationError as error:
        logger.warning("replies.unreadable", error=str(error))
        return None


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

        Raises:
            Cancelled: the job was deleted, with the conversation that it was of.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while (left := deadline - loop.time()) > 0:
            await asyncio.wait((self._future,), timeout=min(left, LOOK_AGAIN))
            if self._future.done():
                return self._future.result()
            task = await look()
            if task is None:
                raise Cancelled("The task was deleted before it had an answer.")
            if task.status.final:
                return Ended(task, json.dumps(task.result, ensure_ascii=False))
        return None
