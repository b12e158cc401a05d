"""Checks of the servers that a stack runs or was told of: Redis, that of the caches, Qdrant."""

from urllib.parse import urlsplit

from flotilla.errors import FlotillaError
from flotilla.local.findings import Finding, without_password
from flotilla.local.redis_server import find_redis_server
from flotilla.local.stack.programs import runs_cache, runs_qdrant, runs_redis
from flotilla.local.stack.readiness import http_get
from flotilla.settings import Settings


def check_redis(settings: Settings) -> Finding:
    """There is a Redis to run, or the one that was named answers and never evicts."""
    if runs_redis(settings):
        try:
            server = find_redis_server()
        except FlotillaError as error:
            return Finding("Redis", False, "no usable redis-server", error.message)
        return Finding("Redis", True, f"{server.version_text}, {server.path}")
    import redis

    where = without_password(settings.redis_url)
    try:
        with redis.Redis.from_url(
            settings.redis_url, socket_connect_timeout=3, socket_timeout=3, decode_responses=True
        ) as client:
            client.ping()
            policy = client.info("memory").get("maxmemory_policy")
    except (redis.RedisError, ValueError, OSError) as error:
        return Finding(
            "Redis",
            False,
            f"{where} does not answer: {error}",
            "Start that Redis or correct REDIS_URL; without REDIS_URL the stack runs its own.",
        )
    if policy == "noeviction":
        return Finding("Redis", True, where)
    return Finding(
        "Redis",
        False,
        f"{where} may throw queued work away (maxmemory-policy {policy})",
        "Set maxmemory-policy to noeviction in that Redis.",
    )


def check_cache(settings: Settings) -> Finding:
    """The Redis of the caches that was named answers, forgets, and is not that of the queues."""
    name, url = "caches", settings.cache.url
    if runs_cache(settings):
        return Finding(name, True, "the stack runs a Redis of their own")
    if url is None:
        return Finding(name, True, "switched off")
    where = without_password(url)
    if urlsplit(url)[1:2] == urlsplit(settings.redis_url)[1:2] and not runs_redis(settings):
        return Finding(
            name,
            False,
            f"{where} is the Redis of the queues, which may not forget",
            "Set FLOTILLA_CACHE_URL to another Redis; without it the stack runs its own.",
        )
    policy = _policy(url)
    if policy is None:
        return Finding(
            name,
            False,
            f"{where} does not answer: questions are answered without caches",
            "Start that Redis or correct FLOTILLA_CACHE_URL; without it the stack runs its own.",
        )
    if policy.startswith("allkeys-"):
        return Finding(name, True, where)
    return Finding(
        name,
        False,
        f"{where} refuses to cache when it is full (maxmemory-policy {policy})",
        "Set maxmemory and the maxmemory-policy allkeys-lru in that Redis.",
    )


def _policy(url: str) -> str | None:
    import redis

    try:
        with redis.Redis.from_url(
            url, socket_connect_timeout=3, socket_timeout=3, decode_responses=True
        ) as client:
            client.ping()
            return str(client.info("memory").get("maxmemory_policy"))
    except (redis.RedisError, ValueError, OSError):
        return None


def check_qdrant(settings: Settings) -> Finding:
    """The Qdrant that was named answers; the stack's own node needs nothing but its package."""
    if runs_qdrant(settings):
        return Finding("Qdrant", True, "the stack runs its own node")
    url = settings.qdrant.url.rstrip("/")
    where = without_password(url)
    if http_get(f"{url}/readyz") is not None:
        return Finding("Qdrant", True, where)
    return Finding(
        "Qdrant",
        False,
        f"{where} does not answer",
        "Start that Qdrant or correct QDRANT_URL; without QDRANT_URL the stack runs a node.",
    )
