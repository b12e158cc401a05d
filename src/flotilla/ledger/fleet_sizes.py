"""How many processes or threads each fleet has, as its live workers show themselves in Redis.

What is known is a few seconds old, and older while Redis does not answer: fleets that were there a
moment ago are a better guess than none.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

import redis

from flotilla.heartbeats import live_workers
from flotilla.redis_connections import get_quick_redis
from flotilla.settings import FLEETS

REFRESH_SECONDS = 5.0


class FleetSizes:
    """The sizes as one process knows them; safe to share between threads."""

    def __init__(self) -> None:
        self._known: Mapping[str, int] = {}
        self._asked_at = float("-inf")
        self._asking = threading.Lock()

    def get(self) -> Mapping[str, int]:
        """Processes or threads by fleet; none where none has ever been seen.

        May wait for Redis, for a second at most: not to be called within a transaction.
        """
        # Who finds another thread asking goes on with what is known.
        if self._is_old() and self._asking.acquire(blocking=False):
            try:
                if self._is_old():
                    self._refresh()
            finally:
                self._asking.release()
        return self._known

    def _is_old(self) -> bool:
        return time.monotonic() - self._asked_at > REFRESH_SECONDS

    def _refresh(self) -> None:
        found: Counter[str] = Counter()
        try:
            for worker in live_workers(*FLEETS, client=get_quick_redis()):
                found[worker["fleet"]] += worker["concurrency"]
            self._known = found
        except redis.RedisError:
            pass
        finally:
            self._asked_at = time.monotonic()


@lru_cache(maxsize=1)
def _sizes(_pid: int) -> FleetSizes:
    return FleetSizes()


def get_fleet_sizes() -> FleetSizes:
    """The process's; a forked child gets its own, whose lock is free."""
    return _sizes(os.getpid())
