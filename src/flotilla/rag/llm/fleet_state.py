"""What the workers of the fleet know together, in Redis; a Redis that is away is done without."""

import functools
import time
from collections.abc import Callable
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from flotilla.logging import get_logger

logger = get_logger(__name__)

PATIENCE = 0.5
"""Seconds that Redis has to answer: an answer is waiting for it."""

AWAY_SECONDS = 5.0
"""For which a Redis that did not answer is not asked again, so that it costs few calls time."""


class FleetState:
    """Runs Lua scripts, each as one step that no other worker can come between.

    Args:
        url: of the Redis; None where nothing is shared.
        clock: gives seconds that only rise.
    """

    def __init__(self, url: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._away_until = float("-inf")
        self._client: redis.Redis | None = None
        if url is not None:
            self._client = redis.Redis.from_url(
                url,
                decode_responses=True,
                socket_connect_timeout=PATIENCE,
                socket_timeout=PATIENCE,
                # Once, for connections that a restart of Redis has closed.
                retry=Retry(NoBackoff(), 1),
            )
        self._script = functools.lru_cache(maxsize=None)(self._register)

    def _register(self, source: str) -> Any:
        assert self._client is not None  # noqa: S101 - asked for by `run` alone
        return self._client.register_script(source)

    def run(self, script: str, keys: list[str], arguments: list[str | int | float]) -> Any:
        """What the script returns; None where Redis does not answer."""
        if self._client is None or self._clock() < self._away_until:
            return None
        try:
            return self._script(script)(keys=keys, args=arguments)
        except redis.RedisError as error:
            self._away_until = self._clock() + AWAY_SECONDS
            logger.warning("model_state_away", error=type(error).__name__)
            return None
