"""The ledger's clock: one time for all machines.

Leases are compared by whoever looks for the dead, so a worker whose own clock is an hour off must
not write its own time. Each process asks Redis for the time now and then, and counts on from there
by its monotonic clock, which no change of the wall clock moves. Where Redis does not answer, the
last answer holds on; a process that never had one uses its own clock.
"""

import os
import threading
import time
from datetime import UTC, datetime

import redis

from flotilla.logging import get_logger
from flotilla.redis_connections import get_redis_now

logger = get_logger(__name__)

REFRESH_SECONDS = 60.0
RETRY_SECONDS = 10.0
FIRST_RETRY = 1.0
# An answer that took longer says too little about when it was given.
SLOWEST_ANSWER = 0.5
# A wall clock that is off by more than this is worth a line in the log, and makes no ids.
TOLERANCE = 1.0


class Clock:
    """One process's view of the shared time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._base: float | None = None  # the shared time where the monotonic clock was at 0
        self._look_again = 0.0

    def now(self) -> float:
        """Seconds since 1970 as Redis counts them."""
        if self._pid != os.getpid():  # whoever held the lock stayed behind in the fork
            self._pid, self._lock = os.getpid(), threading.Lock()
        moment = time.monotonic()
        if moment >= self._look_again and self._lock.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._lock.release()
        return time.time() if self._base is None else self._base + time.monotonic()

    def known(self) -> bool:
        """Whether Redis has told the time to this process, or to the one that it comes from."""
        self.now()
        return self._base is not None

    def skew(self) -> float:
        """How far this process's own clock is ahead, in seconds."""
        return time.time() - self.now()

    def _look(self) -> None:
        before = time.monotonic()
        self._look_again = before + (RETRY_SECONDS if self._base is not None else FIRST_RETRY)
        try:
            told = get_redis_now()
        except (redis.RedisError, OSError):
            return
        after = time.monotonic()
        if after - before > SLOWEST_ANSWER:
            return
        first = self._base is None
        self._base = told - (before + after) / 2
        self._look_again = after + REFRESH_SECONDS
        skew = time.time() - (self._base + after)
        if first and abs(skew) > TOLERANCE:
            logger.warning("clock.skewed", seconds=round(skew, 1))


_clock = Clock()


def now() -> datetime:
    """This moment in UTC, the same on every machine."""
    return datetime.fromtimestamp(_clock.now(), UTC)


def known() -> bool:
    """Whether `now` is the shared time, and not yet this process's own."""
    return _clock.known()


def skew() -> float:
    """How far this process's own clock is ahead of the shared one, in seconds."""
    return _clock.skew()
