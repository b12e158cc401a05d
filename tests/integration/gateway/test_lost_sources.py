"""Sources that are gone, or that cannot be removed, while their request is answered."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from flotilla import dispatch
from flotilla.blobs import BlobStore, Removed
from flotilla.errors import DependencyUnavailable
from flotilla.gateway.app import create_app
from flotilla.ledger.database import upgrade
from flotilla.settings import Settings

TEXT = "The harbour is closed in fog."
BOUNDARY = "between"


@pytest.fixture
async def http(tmp_path: Path, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with served(tmp_path, redis_url) as client:
        yield client


@asynccontextmanager
async def served(data: Path, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway in this process."""
    settings = Settings(data=data, redis_url=redis_url)
    upgrade(settings)
    app = create_app(settings)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://gateway") as client,
    ):
        yield client


def submission(path: str, name: str) -> dict[str, Any]:
    if path == "/documents":
        return {"files": {"files": (name, TEXT.encode(), "text/plain")}}
    return {"json": {"text": TEXT, "name": name}}


def part(name: str) -> bytes:
    head = f'Content-Disposition: form-data; name="files"; filename="{name}"'
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n{name} says: {TEXT}\r\n".encode()


async def test_a_request_whose_first_file_was_removed_meanwhile_is_refused_whole(
    http: httpx.AsyncClient, tmp_path: Path
) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield part("first.txt") + part("second.txt") + f"--{BOUNDARY}".encode()
        [first] = [path for path in (tmp_path / "blobs").rglob("source") if "first" in read(path)]
        first.unlink()  # as the sweep does, should the rest take days
        yield b"--\r\n"

    def read(path: Path) -> str:
        return path.read_text()

    kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    reply = await http.post("/documents", content=body(), headers=kind)
    problem = reply.json()
    assert (reply.status_code, problem["retryable"]) == (503, True)
    assert "first.txt" in problem["detail"]
    assert (await http.get("/documents")).json()["items"] == []
    assert (await http.get("/tasks")).json()["items"] == []
    assert not list((tmp_path / "blobs").rglob("source"))


@pytest.mark.parametrize("path", ["/documents", "/rag/pipeline"])
async def test_what_was_taken_is_not_refused_where_its_bytes_cannot_be_removed(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    (await http.post(path, **submission(path, "fog.txt"))).raise_for_status()

    def fail(_self: BlobStore, _prefix: str) -> Removed:
        raise DependencyUnavailable("The blob store cannot be used (read-only).")

    monkeypatch.setattr(BlobStore, "delete", fail)
    reply = await http.post(path, **submission(path, "copy.txt"))
    assert reply.status_code == 202
    accepted = reply.json()
    [entry] = accepted["documents"] if path == "/documents" else [accepted]
    assert entry["duplicate_of"] is not None
    # What is refused keeps its own reason.
    body = submission(path, "fog.txt")
    form = body.setdefault("data", {}) if path == "/documents" else body["json"]
    form["collection"] = "nowhere"
    assert (await http.post(path, **body)).json()["code"] == "collection_not_found"


@pytest.mark.parametrize("path", ["/documents", "/rag/pipeline"])
async def test_what_was_taken_is_not_refused_where_it_cannot_be_sent(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def fail(_database: object) -> int:
        raise DependencyUnavailable("The ledger's database does not answer.")

    monkeypatch.setattr(dispatch, "release", fail)
    assert (await http.post(path, **submission(path, "fog.txt"))).status_code == 202
