"""One stack for most acceptance tests, started and stopped as a user does it."""

import contextlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from xdist.scheduler import LoadFileScheduling

from flotilla.client import Flotilla
from flotilla.schemas import Document
from tests.acceptance.stack import PATIENCE, SAMPLES, Stack, running_stack

OWN_STACK = (
    "test_converters",
    "test_fleet_imports",
    "test_kill_matrix",
    "test_model_migration",
    "test_modes",
)
"""Files that start a stack of their own, or none."""


class _OneStack(LoadFileScheduling):  # type: ignore[misc]
    """Each file goes to one process, and all files on the shared stack to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        path = Path(super()._split_scope(nodeid))
        shared = path.parent.name == "acceptance" and path.stem not in OWN_STACK
        return "stack" if shared else str(path)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """For `--dist loadfile`. Pytest-xdist's own groups are none with this pytest: it does not find
    their names in the tests' ids."""
    return _OneStack(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test waits for the stack to start, on a busy machine for minutes."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack, with limits that a test reaches in no time."""
    with running_stack(
        tmp_path_factory.mktemp("stack"),
        tmp_path_factory.mktemp("open"),
        flower=True,
        FLOTILLA_DOCUMENT_FETCH_ALLOW_PRIVATE="true",
        FLOTILLA_DOCUMENT_FETCH_TIMEOUT="3",
        FLOTILLA_DOCUMENT_MAX_UNPACKED_BYTES=str(20_000_000),
        FLOTILLA_DOCUMENT_PAGES_PER_RANGE="3",
        FLOTILLA_VECTORSTORE_CHUNKS_PER_BATCH="8",
        FLOTILLA_JOB_BACKOFF_BASE="0.1",
        FLOTILLA_JOB_MAX_ATTEMPTS="3",
    ) as stack:
        yield stack


@pytest.fixture(scope="session")
def client(stack: Stack) -> Iterator[Flotilla]:
    """The typed client."""
    with Flotilla(stack.url, timeout=PATIENCE) as client:
        yield client


@pytest.fixture(scope="session")
def raw(stack: Stack) -> Iterator[httpx.Client]:
    """Plain HTTP."""
    with httpx.Client(base_url=stack.url, timeout=PATIENCE) as raw:
        yield raw


@pytest.fixture(scope="session")
def samples(client: Flotilla) -> dict[str, Document]:
    """The sample documents by name, ready in the collection `samples`."""
    client.create_collection("samples")
    paths = [path for path in sorted(SAMPLES.iterdir()) if path.suffix not in (".json", "")]
    paths = [path for path in paths if path.name != "README.md"]
    accepted = client.upload(*paths, collection="samples", metadata={"kind": "sample"})
    for each in accepted:
        task = client.wait(each.task_id, timeout=2 * PATIENCE)
        assert task.status == "completed", f"{each.name}: {task.error}"
    return {each.name: client.document(each.document_id) for each in accepted}


class _Site(http.server.BaseHTTPRequestHandler):
    """A web server with a page, an address that is gone and one that never ends."""

    def do_GET(self) -> None:
        if self.path == "/endless.txt":
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                while not self.server.closing.wait(0.1):  # type: ignore[attr-defined]
                    self.wfile.write(b"and so on\n")
            return
        found = self.path == "/page.html"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        if found:
            text = "The lighthouse keeper feeds the harbour cats at half past six."
            page = f"<html><body><article><h1>Cats</h1><p>{text}</p></article></body></html>"
            self.wfile.write(page.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """The address of a web server on this machine."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    server.closing = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.closing.set()  # type: ignore[attr-defined]
        server.shutdown()
        server.server_close()
