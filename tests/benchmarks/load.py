"""A load generator that costs little itself: raw HTTP/1.1 over kept-alive asyncio streams."""

import asyncio
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

PATIENCE = 90.0
"""Seconds that one reply may take: more than the gateway itself holds a request."""


@dataclass
class Load:
    """What was measured: latencies in milliseconds in the order of completion.

    A request counts as an error, and has no latency, when its reply is not a 200 or 202 or does
    not come at all; `first_error` tells what the first of them was.
    """

    latencies: list[float] = field(default_factory=list)
    errors: int = 0
    first_error: str | None = None
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Requests a second that were answered well."""
        return len(self.latencies) / self.seconds

    def note(self, error: str) -> None:
        """Count one error."""
        self.errors += 1
        self.first_error = self.first_error or error


def run_load(
    url: str,
    bodies: Sequence[Mapping[str, Any]],
    clients: int,
    headers: Mapping[str, str] | None = None,
) -> Load:
    """POST each of the JSON bodies once from `clients` connections, each one at a time."""
    return asyncio.run(_run(url, bodies, clients, headers or {}))


async def _run(
    url: str, bodies: Sequence[Mapping[str, Any]], clients: int, headers: Mapping[str, str]
) -> Load:
    messages = iter([_message(url, body, headers) for body in bodies])
    load = Load()
    began = time.perf_counter()
    await asyncio.gather(*(_client(url, messages, load) for _ in range(clients)))
    load.seconds = time.perf_counter() - began
    return load


def _message(url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> bytes:
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    encoded = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(encoded)}\r\n"
        + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        + "\r\n"
    )
    return head.encode() + encoded


async def _client(url: str, messages: Iterator[bytes], load: Load) -> None:
    """Send what is left of the messages; a broken connection is an error and is made anew."""
    parts = urlsplit(url)
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    for message in messages:
        try:
            if connection is None:
                connection = await asyncio.open_connection(parts.hostname, parts.port)
            reader, writer = connection
            began = time.perf_counter()
            writer.write(message)
            status, body = await asyncio.wait_for(_reply(reader), PATIENCE)
            elapsed = time.perf_counter() - began
        except (OSError, EOFError, TimeoutError) as error:
            load.note(repr(error))
            if connection is not None:
                connection[1].close()
            connection = None
            continue
        if status in (200, 202):
            load.latencies.append(1000 * elapsed)
        else:
            load.note(f"{status} {body[:300].decode('utf-8', 'replace')}")
    if connection is not None:
        connection[1].close()


async def _reply(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line[15:])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    )
    return int(head[9:12]), await reader.readexactly(length)
