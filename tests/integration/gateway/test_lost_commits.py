"""A database that commits and goes away before it says so."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection

from flotilla import dispatch
from flotilla.errors import DependencyUnavailable
from flotilla.gateway.app import create_app
from flotilla.ledger import endings
from flotilla.ledger.database import Database, upgrade
from flotilla.schemas import TaskError
from flotilla.settings import Settings


async def test_what_was_carried_out_is_said_though_the_ledger_is_away_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_url: str
) -> None:
    """Who asked again would be told that it cannot be done twice."""
    settings = Settings(data=tmp_path, redis_url=redis_url)
    upgrade(settings)
    app = create_app(settings)

    def away(*_: object) -> None:
        raise DependencyUnavailable("The ledger's database does not answer.")

    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://gateway") as http,
    ):
        ids = []
        for name in ("a", "b", "c"):
            body = {"text": f"The text {name}.", "name": f"{name}.txt"}
            ids.append((await http.post("/rag/pipeline", json=body)).json()["task_id"])
        database = Database(settings.ledger_url)
        error = TaskError(stage="vectorstore.index", code="time_limit", message="", retryable=False)
        for task_id in ids[:2]:
            endings.fail(database, task_id, error)
        with monkeypatch.context() as patch:
            patch.setattr(dispatch, "release", away)
            patch.setattr(dispatch, "send", away)
            assert (await http.post(f"/tasks/{ids[0]}/retry")).status_code == 202
            assert (await http.post("/tasks/retry", json={})).json()["task_ids"] == [ids[1]]
            assert (await http.delete(f"/tasks/{ids[2]}")).status_code == 200
        database.close()


@pytest.mark.parametrize("path", ["/documents", "/rag/pipeline"])
async def test_what_may_be_written_keeps_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_url: str, path: str
) -> None:
    settings = Settings(data=tmp_path, redis_url=redis_url)
    upgrade(settings)
    app = create_app(settings)
    writing = Database.writing

    @contextmanager
    def committed_in_silence(self: Database) -> Iterator[Connection]:
        with writing(self) as connection:
            yield connection
        raise DependencyUnavailable("The ledger's database does not answer.")

    text = "The harbour is closed in fog."
    form = {"files": {"files": ("fog.txt", text.encode(), "text/plain")}}
    body = form if path == "/documents" else {"json": {"text": text, "name": "fog.txt"}}
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://gateway") as http,
    ):
        with monkeypatch.context() as patch:
            patch.setattr(Database, "writing", committed_in_silence)
            assert (await http.post(path, **body)).status_code == 503
        [document] = (await http.get("/documents")).json()["items"]
        assert document["name"] == "fog.txt"

    [kept] = (tmp_path / "blobs").rglob("source")
    assert kept.read_text() == text
