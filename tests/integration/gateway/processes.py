"""Processes of the gateway's tests: a Redis, gateways and workers, each with its own data."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import redis

from flotilla.ledger.database import upgrade
from flotilla.local.redis_server import find_redis_server
from flotilla.settings import Settings, child_environment
from tests.integration.conftest import free_port

PATIENCE = 60.0
"""Seconds that a busy machine may take for what an idle one does in two."""


def wait_until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Look again and again until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)


@contextmanager
def running(
    command: list[str], log: Path, **environment: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """A child process until the end of the block."""
    # No variable of the developer's own .env may change what is tested.
    environment.setdefault("FLOTILLA_ENV_FILE", str(log.parent / "no-such.env"))
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, env=child_environment(environment), stdout=output, stderr=output
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def running_redis(folder: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
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

            wait_until(answers, "Redis answers")
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
def running_gateway(data: Path, redis_url: str, **environment: str) -> Iterator[Gateway]:
    """A gateway with an empty ledger in the data folder, and with no fleet behind it."""
    data.mkdir(parents=True, exist_ok=True)
    upgrade(Settings(data=data))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "flotilla", "gateway", "--port", str(port)]
    log = data / "gateway.log"
    environment = {
        "FLOTILLA_DATA": str(data),
        "REDIS_URL": redis_url,
        "QDRANT_URL": f"http://127.0.0.1:{free_port()}",
        **environment,
    }
    with running(command, log, **environment) as process:

        def alive() -> bool:
            assert process.poll() is None, f"the gateway ended: {log.read_text()}"
            try:
                return httpx.get(f"{url}/health/live", timeout=5).is_success
            except httpx.TransportError:
                return False

        wait_until(alive, "the gateway answers")
        yield Gateway(url, data, process.pid)
