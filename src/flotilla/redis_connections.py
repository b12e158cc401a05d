"""Connections to the Redis of the broker, for what Celery does not ask it."""

import functools
import os
import threading

import redis

from flotilla.settings import get_settings

_redis_lock = threading.Lock()
_redis_clients: dict[int, redis.Redis] = {}


def get_redis() -> redis.Redis:
    """The process's connections to the broker's Redis; safe to share between threads."""
    with _redis_lock:
        pid = os.getpid()
        if pid not in _redis_clients:
            _redis_clients[pid] = redis.Redis.from_url(
                get_settings().redis_url,
                decode_responses=True,
                socket_connect_timeout=5,
                health_check_interval=30,
            )
        return _redis_clients[pid]


@functools.lru_cache(maxsize=1)
def _quick_redis(_pid: int) -> redis.Redis:
    return redis.Redis.from_url(
        get_settings().redis_url, socket_connect_timeout=1, socket_timeout=1
    )


def get_quick_redis() -> redis.Redis:
    """Connections for those who would rather go without than be held up by a Redis that is frozen:
    they raise RedisError after a second."""
    return _quick_redis(os.getpid())


def get_redis_now() -> float:
    """Redis' own time in seconds since 1970. Raises RedisError after a second."""
    seconds, microseconds = get_quick_redis().time()
    return float(seconds) + microseconds / 1e6
