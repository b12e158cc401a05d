"""Processes of the gateway's tests: a Redis, gateways and workers, each with its own data."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import redis

from flotilla.local.redis_server import find_redis_server
from flotilla.settings import child_environment
from tests.conftest import free_port, running, wait_until
from tests.doubles.ledger_rows import lay_ledger
from tests.forking import Process

PATIENCE = 60.0
"""Seconds that a busy machine may take for what an idle one does in two."""


def environment_of(data: Path, redis_url: str) -> dict[str, str]:
    """The variables of a process that works on this data folder.

    Nothing of the developer's own environment or .env may change what is tested; a variable that
    is empty counts as not set.
    """
    foreign = ("DATABASE_URL", "QDRANT_URL", "LLM_MODEL", "LLM_BASE_URL", "FLOTILLA_BLOB_URL")
    return child_environment(
        dict.fromkeys(foreign, "")
        | {
            "FLOTILLA_ENV_FILE": str(data / "no-such.env"),
            "FLOTILLA_DATA": str(data),
            "REDIS_URL": redis_url,
        }
    )


@contextmanager
def running_redis(folder: Path) -> Iterator[tuple[str, Process]]:
    """The address and the process of an empty Redis."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    options = ["--port", str(port), "--dir", str(folder), "--save", "", "--appendonly", "no"]
    with running([str(find_redis_server().path), *options], folder / "redis.log") as process:
        with redis.Redis.from_url(url) as client:

            def answers() -> bool:
                try:
                    return bool(client.ping())
                except redis.ConnectionError:
                    return False

            wait_until(answers, PATIENCE)
        yield url, process


@dataclass(frozen=True)
class Gateway:
    """A gateway that listens."""

    url: str
    data: Path
    pid: int

    def blobs(self) -> list[Path]:
        """Every file among its blobs."""
        return [path for path in (self.data / "blobs").rglob("*") if path.is_file()]


@contextmanager
def running_gateway(data: Path, redis_url: str, **settings: str) -> Iterator[Gateway]:
    """A gateway with no fleet behind it, and an empty ledger in the data folder unless another
    gateway has one there."""
    data.mkdir(parents=True, exist_ok=True)
    if not (data / "ledger.sqlite").exists():
        lay_ledger(data / "ledger.sqlite")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "flotilla", "gateway", "--port", str(port)]
    log = data / "gateway.log"
    settings = {"QDRANT_URL": f"http://127.0.0.1:{free_port()}", **settings}
    everything = environment_of(data, redis_url) | settings
    with running(command, log, everything) as process:

        def alive() -> bool:
            assert process.poll() is None, f"the gateway ended: {log.read_text()}"
            try:
                return httpx.get(f"{url}/health/live", timeout=5).is_success
            except httpx.TransportError:
                return False

        wait_until(alive, PATIENCE)
        yield Gateway(url, data, process.pid)
