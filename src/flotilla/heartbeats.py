"""Who is alive: every worker shows itself in Redis from the moment on that it takes work."""

import json
import os
import platform
import re
import sys
import time
from typing import Any

import redis
from celery.signals import heartbeat_sent, worker_init, worker_ready, worker_shutting_down

from flotilla.garbage_collection import settle_memory
from flotilla.logging import get_logger
from flotilla.redis_connections import get_redis

logger = get_logger(__name__)

WORKER_KEY = "flotilla:worker:"
WORKER_TTL = 15  # seconds; a worker shows itself every two


def worker_key(fleet: str, name: str) -> str:
    """The Redis key under which a live worker shows itself."""
    return f"{WORKER_KEY}{fleet}:{name}"


def check_worker(fleet: str, name: str | None = None) -> bool:
    """Readiness probe: whether this host's worker of the fleet has loaded what it needs and
    takes work."""
    full_name = f"{name or fleet}@{platform.node()}"
    return bool(get_redis().exists(worker_key(fleet, full_name)))


_fleet: str | None = None
_announced: dict[str, Any] = {}
_shown: dict[str, Any] = {}


def show(**facts: Any) -> None:
    """Have further facts shown of this process's worker, from its next heartbeat on."""
    _shown.update(facts)


def live_workers(*fleets: str, client: redis.Redis | None = None) -> list[dict[str, Any]]:
    """The workers of these fleets that take work, as they show themselves. Raises RedisError.

    `client` is asked in place of the process's own, which waits for a Redis that is frozen.
    """
    asked = client or get_redis()
    keys = list(asked.scan_iter(f"{WORKER_KEY}*", count=1000))
    found = [json.loads(text) for text in (asked.mget(keys) if keys else ()) if text is not None]
    return [worker for worker in found if worker["fleet"] in fleets]


def show_as(fleet: str) -> None:
    """Have this process's worker shown as one of the fleet."""
    global _fleet
    _fleet = fleet


@worker_init.connect
def _tell(**_: Any) -> None:
    logger.info("worker.starting", fleet=_fleet, pid=os.getpid(), python=sys.version.split()[0])


@worker_ready.connect
def _announce(sender: Any = None, **_: Any) -> None:
    """Show the worker in Redis: until now it was loading, from now on it takes work."""
    if _fleet is None or sender is None:
        return
    _announced.update(
        name=sender.hostname,
        fleet=_fleet,
        pid=os.getpid(),
        concurrency=sender.controller.concurrency,
        tasks=sorted(task for task in sender.app.tasks if re.match(r"(?!celery\.)[a-z]+\.", task)),
    )
    settle_memory()
    _refresh()
    logger.info("worker.ready", fleet=_fleet, name=sender.hostname)


@heartbeat_sent.connect
def _refresh(**_: Any) -> None:
    if not _announced:
        return
    key = worker_key(_announced["fleet"], _announced["name"])
    try:
        get_redis().set(
            key, json.dumps(_shown | _announced | {"seen_at": time.time()}), ex=WORKER_TTL
        )
    except redis.RedisError as error:  # Celery reconnects by itself and heartbeats go on
        logger.warning("worker.heartbeat_failed", error=str(error))


@worker_shutting_down.connect
def _withdraw(**_: Any) -> None:
    if not _announced:
        return
    key = worker_key(_announced["fleet"], _announced["name"])
    _announced.clear()
    try:
        get_redis().delete(key)
    except redis.RedisError as error:
        logger.warning("worker.heartbeat_failed", error=str(error))
