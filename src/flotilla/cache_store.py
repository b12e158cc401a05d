"""The Redis of the caches: what is kept there may be gone at any moment, and nobody waits for it.

A request to it that fails or takes too long counts as an answer of "nothing there", and for some
seconds after it nobody asks again. Its keys are

    flotilla:cache:<tenant>:<kind>:<digest>    what is kept
    flotilla:cache:<tenant>:counts             hits and misses by kind

with `-` for the tenant of what is no tenant's own. A value is kept behind the seconds for which it
was to be kept and a colon: with what is left of them, these give its age by one clock alone.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from flotilla.errors import DependencyUnavailable
from flotilla.logging import get_logger
from flotilla.settings import CacheSettings, get_settings

logger = get_logger(__name__)

Value = TypeVar("Value")

PREFIX = "flotilla:cache"
NOBODY = "-"
"""In the place of a tenant, for what follows from public things alone."""

PIECE = 500
"""Keys that are looked at, and removed, at once."""

FLUSH_SECONDS = 0.5
"""For which hits and misses are counted in the process before they are written."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a cache has: the value, and its age in seconds."""

    value: bytes
    age: float


class CacheStore:
    """What may be kept in the Redis of the caches; safe to share between threads.

    Args:
        settings: say where it is and how long it may take.
    """

    def __init__(self, settings: CacheSettings) -> None:
        assert settings.url is not None  # noqa: S101 - without one there is no store
        self._rest = settings.rest
        self._client: Any = redis.Redis.from_url(
            settings.url,
            socket_connect_timeout=settings.timeout,
            socket_timeout=settings.timeout,
            retry=Retry(NoBackoff(), 0),
        )
        self._lock = threading.Lock()
        self._resting_until = float("-inf")
        self._failed = False
        self._counts: Counter[tuple[str, str]] = Counter()
        self._flushing = False

    # --- values ----------------------------------------------------------------------------

    def get(self, key: str) -> Kept | None:
        """What is kept under a key; None where there is nothing, or nobody answers."""

        def ask(client: Any) -> list[Any]:
            with client.pipeline(transaction=False) as pipe:
                return list(pipe.get(key).pttl(key).execute())

        value, left = self._ask(ask) or (None, 0)
        if value is None:
            return None
        seconds, _, payload = value.partition(b":")
        # Of a value that ends in this moment Redis may say so with a negative number.
        return Kept(payload, round(max(0.0, int(seconds) - max(0, left) / 1000), 1))

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """What is kept under each of some keys."""
        found = self._ask(lambda client: client.mget(keys)) or [None] * len(keys)
        return [None if each is None else each.partition(b":")[2] for each in found]

    def put(self, values: Mapping[str, bytes], seconds: int) -> bool:
        """Keep values for so long; returns whether that was done."""
        if not values:
            return True
        head = f"{seconds}:".encode()

        def write(client: Any) -> bool:
            with client.pipeline(transaction=False) as pipe:
                for key, value in values.items():
                    pipe.set(key, head + value, ex=seconds)
                pipe.execute()
            return True

        return bool(self._ask(write))

    # --- lists that grow at their end ------------------------------------------------------

    def read_on(self, key: str, after: str) -> list[tuple[str, dict[bytes, bytes]]]:
        """A list's entries behind the one with this id, each with its own; `0` is before all."""

        def ask(client: Any) -> list[Any]:
            return list(client.xrange(key, f"({after}" if after != "0" else "-"))

        return [(entry_id.decode(), fields) for entry_id, fields in self._ask(ask) or ()]

    def append(self, key: str, fields: Mapping[str, bytes], longest: int, seconds: int) -> None:
        """Add an entry to a list, which is then kept for so long, the oldest entries forgotten."""

        def write(client: Any) -> bool:
            with client.pipeline(transaction=False) as pipe:
                pipe.xadd(key, dict(fields), maxlen=longest)
                pipe.expire(key, seconds).execute()
            return True

        self._ask(write)

    # --- how it is -------------------------------------------------------------------------

    @property
    def available(self) -> bool:
        """Whether it answered when it was last asked, or has not been asked yet."""
        return not self._failed

    def _ask(self, ask: Callable[[Any], Value]) -> Value | None:
        """What Redis answers; None where it fails, or rests since it failed a moment ago."""
        if not self._may_ask():
            return None
        try:
            answer = ask(self._client)
        except (redis.RedisError, OSError) as error:
            with self._lock:
                known, self._failed = self._failed, True
                self._resting_until = time.monotonic() + self._rest
            # The others of its connections are as dead.
            self._client.connection_pool.disconnect(inuse_connections=False)
            if not known:
                logger.warning("caches.unavailable", error=type(error).__name__)
            return None
        if self._failed:
            with self._lock:
                self._failed, self._resting_until = False, float("-inf")
            logger.info("caches.available")
        return answer

    def _may_ask(self) -> bool:
        with self._lock:
            now = time.monotonic()
            if now < self._resting_until:
                return False
            if self._failed:  # one asks for all
                self._resting_until = now + self._rest
            return True

    # --- counts ----------------------------------------------------------------------------

    def count(self, tenant_id: str, kind: str, outcome: str) -> None:
        """Count a hit or a miss. It is written a moment later, so that no question waits for it."""
        with self._lock:
            self._counts[tenant_id, f"{kind}:{outcome}"] += 1
            if self._flushing:
                return
            self._flushing = True
        timer = threading.Timer(FLUSH_SECONDS, self._flush)
        timer.daemon = True
        timer.start()

    def _flush(self) -> None:
        with self._lock:
            counts, self._counts = self._counts, Counter()
            self._flushing = False

        def write(client: Any) -> None:
            with client.pipeline(transaction=False) as pipe:
                for (tenant_id, field), number in counts.items():
                    pipe.hincrby(_counts_key(tenant_id), field, number)
                pipe.execute()

        self._ask(write)

    # --- for whoever looks after it --------------------------------------------------------

    def counts(self, tenant_id: str) -> dict[str, int]:
        """A tenant's hits and misses, as `kind:hit` and `kind:miss`.

        Raises:
            DependencyUnavailable: the Redis of the caches does not answer.
        """
        found = self._insist(lambda client: client.hgetall(_counts_key(tenant_id)))
        return {name.decode(): int(number) for name, number in found.items()}

    def size(self) -> "StoreSize":
        """How much all tenants' caches hold.

        Raises:
            DependencyUnavailable: the Redis of the caches does not answer.
        """

        def ask(client: Any) -> StoreSize:
            memory, stats = client.info("memory"), client.info("stats")
            return StoreSize(
                used=int(memory["used_memory"]),
                limit=int(memory["maxmemory"]) or None,
                keys=int(client.dbsize()),
                evictions=int(stats["evicted_keys"]),
            )

        return self._insist(ask)

    def clear(self, tenant_id: str) -> int:
        """Remove all that is kept of a tenant's, counts included; returns the number of keys.

        Raises:
            DependencyUnavailable: the Redis of the caches does not answer.
        """

        def remove(client: Any) -> int:
            removed = 0
            for keys in _pieces(client.scan_iter(f"{PREFIX}:{tenant_id}:*", count=PIECE)):
                removed += int(client.unlink(*keys))
            return removed

        with self._lock:
            for each in [each for each in self._counts if each[0] == tenant_id]:
                del self._counts[each]
        return self._insist(remove)

    def _insist(self, ask: Callable[[Any], Value]) -> Value:
        try:
            return ask(self._client)
        except (redis.RedisError, OSError) as error:
            raise DependencyUnavailable(
                "The Redis of the caches does not answer: questions are answered without them "
                "meanwhile; check FLOTILLA_CACHE_URL and the server.",
                retry_after=5,
            ) from error

    def close(self) -> None:
        """Close its connections."""
        self._client.close()


@dataclass(frozen=True, slots=True)
class StoreSize:
    """Bytes in use and at most (None without a limit), keys, and keys evicted for want of room."""

    used: int
    limit: int | None
    keys: int
    evictions: int


def key_of(tenant_id: str, kind: str, digest: str) -> str:
    """Where something is kept."""
    return f"{PREFIX}:{tenant_id}:{kind}:{digest}"


def _counts_key(tenant_id: str) -> str:
    return f"{PREFIX}:{tenant_id}:counts"


def _pieces(keys: Iterable[bytes]) -> Iterable[list[bytes]]:
    piece: list[bytes] = []
    for key in keys:
        piece.append(key)
        if len(piece) == PIECE:
            yield piece
            piece = []
    if piece:
        yield piece


@lru_cache(maxsize=1)
def _store(_pid: int) -> CacheStore | None:
    settings = get_settings().cache
    return CacheStore(settings) if settings.url is not None else None


def get_cache_store() -> CacheStore | None:
    """The process's store; None where no Redis of the caches is named."""
    return _store(os.getpid())
