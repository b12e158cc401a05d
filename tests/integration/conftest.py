"""Real parts for the integration tests, started once a session."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

PATIENCE = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def qdrant_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Qdrant node with an empty data folder."""
    folder: Path = tmp_path_factory.mktemp("qdrant")
    port = free_port()
    command = [sys.executable, "-m", "flotilla.local.qdrant_node"]
    command += ["--data", str(folder / "data"), "--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("w") as log:
        node = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait_until_ready(url, node, folder / "log")
            yield url
        finally:
            node.terminate()
            try:
                node.wait(timeout=10)
            except subprocess.TimeoutExpired:
                node.kill()
                node.wait()


def _wait_until_ready(url: str, node: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert node.poll() is None, f"the node ended: {log.read_text()}"
        try:
            if httpx.get(f"{url}/readyz", timeout=1.0).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"the node was not ready within {PATIENCE} s: {log.read_text()}")
