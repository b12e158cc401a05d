"""The channels of Redis that this gateway listens to, all on one pub/sub connection.

However many wait for a job's end or follow an answer, it stays one connection; one task reads it,
another tells Redis which channels are wanted. Whatever is not heard while Redis is away is lost,
and a listener that has to know is told when its channel is heard again.
"""

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from flotilla.logging import get_logger

logger = get_logger(__name__)

READER_PAUSE = 0.5  # seconds until a reader that has failed reads again
COMMAND_TIMEOUT = 2.0  # seconds


async def end(task: "asyncio.Task[None]") -> None:
    """Cancel a task for good.

    While it connects, a client library may turn the cancellation into a time-out of its own, and
    the task goes on.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=0.5)


@dataclass(eq=False, slots=True)
class Listener:
    """Who listens to a channel; both are called in the gateway's loop and must not block.

    `hear` gets each message. `resume` is called whenever Redis begins, or begins again, to send the
    channel's messages: what was told before that may have been missed.
    """

    hear: Callable[[str], None]
    resume: Callable[[], None] | None = None


@dataclass(slots=True)
class _Channel:
    listeners: set[Listener] = field(default_factory=set)
    heard: asyncio.Event = field(default_factory=asyncio.Event)


class Channels:
    """One pub/sub connection, and who listens to which of its channels."""

    def __init__(self, url: str) -> None:
        self.address = f"flotilla:gateway:{uuid.uuid4().hex}"
        """A channel of this process's own. It keeps the connection open while nobody listens."""
        self._redis = redis.Redis.from_url(
            url,
            decode_responses=True,
            socket_connect_timeout=5,
            health_check_interval=15,
            # The reader connects again by itself, and nobody is to wait for it. The library would
            # connect for whoever meets the broken connection, and leave one that nobody closes.
            retry=Retry(NoBackoff(), 0, supported_errors=()),
        )
        self._pubsub = self._redis.pubsub()
        self._channels: dict[str, _Channel] = {self.address: _Channel()}
        self._asked: set[str] = set()  # Redis was asked for
        self._sent: set[str] = set()  # of these, those of which Redis has said that it sends them
        self._changed = asyncio.Event()
        # Two tasks must not connect at once. While there is no connection, the reader alone does,
        # and then it subscribes to all that there is.
        self._connected = False
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._read(), name="channels"),
            asyncio.create_task(self._follow_changes(), name="channel-changes"),
        ]

    async def close(self) -> None:
        for task in self._tasks:
            await end(task)
        await self._pubsub.aclose()  # type: ignore[no-untyped-call]
        await self._redis.aclose()

    @contextlib.contextmanager
    def listening(self, name: str, listener: Listener) -> Iterator[None]:
        """Have a listener hear a channel from about now on."""
        channel = self._channels.get(name)
        if channel is None:
            channel = self._channels[name] = _Channel()
            if name in self._sent:  # and not yet given up
                channel.heard.set()
            self._changed.set()
        channel.listeners.add(listener)
        try:
            yield
        finally:
            channel.listeners.discard(listener)
            if not channel.listeners and name != self.address:
                del self._channels[name]
                self._changed.set()

    async def heard(self, name: str, seconds: float) -> bool:
        """Wait until what is told on a channel is heard; False after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._channels[name].heard.wait()
        except TimeoutError:
            return False
        return True

    @property
    def connected(self) -> bool:
        """Whether there is a connection at the moment."""
        return self._connected

    async def _follow_changes(self) -> None:
        """Ask Redis for the channels that are wanted now, and for no others."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            if not self._may_send():
                continue  # the reader asks for all of them
            wanted = set(self._channels)
            new, old = wanted - self._asked, self._asked - wanted
            self._asked = wanted
            self._sent -= old
            try:
                async with asyncio.timeout(COMMAND_TIMEOUT):
                    if new:
                        await self._pubsub.subscribe(*new)
                    if old:
                        await self._pubsub.unsubscribe(*old)
            except Exception as error:  # noqa: BLE001 - the connection may be lost in any state
                logger.warning("channels.not_changed", error=str(error))
                self._asked |= old
                self._asked -= new
                await asyncio.sleep(READER_PAUSE)
                self._changed.set()

    def _may_send(self) -> bool:
        """Whether there is a connection, which sending would make otherwise."""
        connection: Any = self._pubsub.connection  # to the library's types there is none
        self._connected &= connection is not None and connection.is_connected
        return self._connected

    async def _read(self) -> None:
        while True:
            try:
                self._asked = set(self._channels)
                await self._pubsub.subscribe(*self._asked)
                async for message in self._pubsub.listen():
                    self._handle(message)
            except (RedisError, OSError) as error:
                logger.warning("channels.reconnecting", error=str(error))
            except Exception:  # whatever it is: without a reader nobody would hear anything again
                logger.exception("channels.failed")
            await self._disconnect()
            await asyncio.sleep(READER_PAUSE)

    async def _disconnect(self) -> None:
        """Forget the connection and its channels: a new one would take up again also those that
        were being left when the old one broke."""
        self._connected = False
        self._sent.clear()
        with contextlib.suppress(RedisError, OSError):
            await self._pubsub.aclose()  # type: ignore[no-untyped-call]

    def _handle(self, message: dict[str, str]) -> None:
        name = message["channel"]
        channel = self._channels.get(name)
        if message["type"] == "subscribe":
            if not self._connected:
                self._connected = True
                self._changed.set()  # for what was asked for while it was being made
            if name in self._asked:
                self._sent.add(name)
            if channel is not None:
                channel.heard.set()
                for listener in tuple(channel.listeners):
                    if listener.resume is not None:
                        listener.resume()
        elif message["type"] == "message" and channel is not None:
            for listener in tuple(channel.listeners):
                listener.hear(message["data"])
