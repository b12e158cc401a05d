"""Asks the programs of a stack whether they are ready."""

import http.client
import json
import socket
import urllib.parse
from collections.abc import Iterable, Mapping

from flotilla.local.stack.programs import Program

PATIENCE = 2.0
"""Seconds that one question may take; it is asked again."""


def not_ready(programs: Iterable[Program], pids: Mapping[str, int | None]) -> list[Program]:
    """Those of the programs that are not ready, given the process id of each.

    Without a probe a program counts as ready.
    """
    waiting = []
    announced: dict[str, set[int]] = {}
    for program in programs:
        probe = program.probe
        if probe is None:
            continue
        if probe.kind == "redis":
            ready = redis_answers(probe.address)
        elif probe.kind == "http":
            ready = http_get(probe.address) is not None
        else:
            if probe.address not in announced:
                announced[probe.address] = _announced_workers(probe.address)
            # An announcement outlives a worker that was killed by some seconds: hence the pid.
            ready = pids.get(program.name) in announced[probe.address]
        if not ready:
            waiting.append(program)
    return waiting


def http_get(address: str) -> bytes | None:
    """What a GET is answered with, if it is answered with 200."""
    parts = urllib.parse.urlsplit(address)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=PATIENCE)
    try:
        connection.request("GET", parts.path or "/")
        response = connection.getresponse()
        return response.read() if response.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def redis_answers(address: str) -> bool:
    """Whether the Redis of a stack, which has no password, answers PING with PONG."""
    parts = urllib.parse.urlsplit(address)
    try:
        where = (parts.hostname or "", parts.port or 6379)
        with socket.create_connection(where, timeout=PATIENCE) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False


def _announced_workers(address: str) -> set[int]:
    body = http_get(address)
    return {worker["pid"] for worker in json.loads(body)["workers"]} if body else set()
