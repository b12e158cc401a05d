"""Real parts for the integration tests, started once a session."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import free_port, running, wait_until


@pytest.fixture(scope="session")
def qdrant_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Qdrant node with an empty data folder."""
    folder: Path = tmp_path_factory.mktemp("qdrant")
    port = free_port()
    command = [sys.executable, "-m", "flotilla.local.qdrant_node"]
    command += ["--data", str(folder / "data"), "--host", "127.0.0.1", "--port", str(port)]
    url, log = f"http://127.0.0.1:{port}", folder / "log"

    def ready() -> bool:
        assert node.poll() is None, f"the node ended: {log.read_text()}"
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{url}/readyz", timeout=1.0).is_success
        return False

    with running(command, log) as node:
        wait_until(ready)
        yield url
