"""Asks the programs of a stack whether they are ready."""

import http.client
import json
import platform
import socket
import urllib.parse
from collections.abc import Iterable, Mapping

import redis

from flotilla.local.programs import Program

PATIENCE = 2.0
"""Seconds that one question may take; it is asked again."""


class Readiness:
    """Asks programs by their probes.

    Args:
        redis_url: the Redis in which the workers announce themselves.
    """

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.Redis.from_url(
            redis_url, decode_responses=True, socket_timeout=PATIENCE, retry=None
        )

    def awaited(self, programs: Iterable[Program], pids: Mapping[str, int | None]) -> list[Program]:
        """Those of the programs that are not ready yet, given the process id of each.

        Without a probe a program counts as ready.
        """
        return [p for p in programs if not self._is_ready(p, pids.get(p.name))]

    def _is_ready(self, program: Program, pid: int | None) -> bool:
        probe = program.probe
        if probe is None:
            return True
        if probe.kind == "redis":
            return redis_answers(probe.address)
        if probe.kind == "http":
            return http_answers(probe.address)
        return pid is not None and self._announced_pid(program) == pid

    def _announced_pid(self, program: Program) -> int | None:
        # Imported here, since the broker brings Celery, which `status` and `down` do without.
        from flotilla.broker import worker_key

        name = f"{program.name}@{platform.node()}"
        try:
            told = self._redis.get(worker_key(program.fleet or "", name))
        except redis.RedisError:
            return None
        # An announcement outlives a worker that was killed by some seconds: hence the pid.
        return json.loads(told)["pid"] if isinstance(told, str) else None


def http_answers(address: str) -> bool:
    """Whether a GET is answered with 200."""
    parts = urllib.parse.urlsplit(address)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=PATIENCE)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def redis_answers(address: str) -> bool:
    """Whether the Redis of a stack, which has no password, answers PING with PONG."""
    parts = urllib.parse.urlsplit(address)
    try:
        where = (parts.hostname or "", parts.port or 6379)
        with socket.create_connection(where, timeout=PATIENCE) as connection:
            connection.settimeout(PATIENCE)
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False
