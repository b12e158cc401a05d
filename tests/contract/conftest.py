"""The Qdrant that the contract suite runs against: the node, or a server at QDRANT_URL."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from qdrant_client import QdrantClient

from tests.contract.points import make
from tests.forking import start

START_SECONDS = 20.0
STOP_SECONDS = 5.0


class Node:
    """A Qdrant node as a child process."""

    def __init__(self, data: Path, *options: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.data = data
        self.options = options
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        command = [sys.executable, "-m", "flotilla.local.qdrant_node", "--data", str(self.data)]
        return [*command, "--port", str(self.port), *self.options]

    def start(self) -> None:
        environment = os.environ | {"FLOTILLA_LOG_FORMAT": "json", "FLOTILLA_ENV_FILE": ""}
        self.process = start(self.command(), Path(os.devnull), environment)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                httpx.get(f"{self.url}/readyz").raise_for_status()
            except httpx.TransportError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """As a crash would: no handler runs."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """As a supervisor would.

        Returns:
            the exit code.
        """
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


@pytest.fixture(scope="session")
def start_node() -> Iterator[Callable[..., Node]]:
    nodes: list[Node] = []

    def begin(data: Path, *options: str) -> Node:
        nodes.append(Node(data, *options))
        return nodes[-1]

    yield begin
    for node in nodes:
        if node.process.poll() is None:
            node.stop()


@pytest.fixture(scope="session")
def qdrant_url(start_node: Callable[..., Node], tmp_path_factory: pytest.TempPathFactory) -> str:
    given = os.environ.get("QDRANT_URL")
    return given or start_node(tmp_path_factory.mktemp("qdrant")).url


@pytest.fixture(scope="session")
def qdrant(qdrant_url: str) -> Iterator[QdrantClient]:
    client = QdrantClient(url=qdrant_url, timeout=20)
    yield client
    client.close()


@pytest.fixture
def unique(qdrant: QdrantClient) -> Iterator[Callable[[], str]]:
    """Gives names that nobody else uses; collections made under them are removed."""
    names: list[str] = []

    def name() -> str:
        names.append(f"contract_{uuid4().hex}")
        return names[-1]

    yield name
    for one in names:
        qdrant.delete_collection(one)


@pytest.fixture
def collection(qdrant: QdrantClient, unique: Callable[[], str]) -> str:
    """A collection of its own, with POINTS in it."""
    name = unique()
    make(qdrant, name)
    return name


@pytest.fixture(scope="module")
def fixed(qdrant: QdrantClient) -> Any:
    """A collection with POINTS in it, for tests that only read."""
    name = f"contract_{uuid4().hex}"
    make(qdrant, name)
    yield name
    qdrant.delete_collection(name)
