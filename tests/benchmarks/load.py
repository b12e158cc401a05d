"""A load generator that costs little itself: raw HTTP/1.1 over kept-alive asyncio streams."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Load:
    """What was measured: latencies in milliseconds in the order of completion."""

    latencies: list[float]
    errors: int
    seconds: float

    @property
    def rate(self) -> float:
        """Completed requests a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """The latency in milliseconds that `share` (0 to 1) of the requests stayed below."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def run_load(url: str, bodies: list[Mapping[str, Any]], clients: int, requests: int) -> Load:
    """POST `requests` JSON bodies from `clients` connections, each one request at a time."""
    return asyncio.run(_run(url, bodies, clients, requests))


async def _run(url: str, bodies: list[Mapping[str, Any]], clients: int, requests: int) -> Load:
    parts = urlsplit(url)
    encoded = [json.dumps(body).encode() for body in bodies]
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    messages = [
        (
            f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode()
        + body
        for body in encoded
    ]
    latencies: list[float] = []
    errors = 0
    remaining = iter(range(requests))

    async def client() -> None:
        nonlocal errors
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for number in remaining:
            began = time.perf_counter()
            writer.write(messages[number % len(messages)])
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line[15:])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length:")
            )
            await reader.readexactly(length)
            if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 202")):
                errors += 1
            latencies.append(1000 * (time.perf_counter() - began))
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return Load(latencies, errors, time.perf_counter() - began)
