"""Telling a batch of the files that arrive for it."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.requests import Request
from starlette.types import Message

from flotilla.blobs import BlobStore
from flotilla.errors import BatchClosed, DependencyUnavailable
from flotilla.gateway import arrivals
from flotilla.gateway.dependencies import Services
from flotilla.gateway.uploads import receive_upload
from flotilla.ledger import batches
from flotilla.settings import GatewaySettings

BATCH = b'--between\r\nContent-Disposition: form-data; name="batch"\r\n\r\nthe batch\r\n'
FILE = b'--between\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\none '
REST = (b"two ", b"three", b"\r\n--between--\r\n")


def receive(blobs: BlobStore, body: Sequence[bytes], arriving: arrivals.Arriving) -> bytes:
    """Receive a body in these pieces; returns what was stored of its file."""
    messages: list[Message] = [
        {"type": "http.request", "body": piece, "more_body": True} for piece in body
    ]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def next_message() -> Message:
        return messages.pop(0)

    content_type = b"multipart/form-data; boundary=between"
    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", content_type)]}
    request = Request(scope, next_message)
    upload = asyncio.run(receive_upload(request, blobs, "t1", GatewaySettings(), arriving))
    return blobs.get(upload.files[0].ref)


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(f"file://{tmp_path}")


def test_a_batch_that_is_named_first_is_told_of_every_piece(blobs: BlobStore) -> None:
    told: list[str] = []

    async def arriving(batch_id: str) -> None:
        told.append(batch_id)

    assert receive(blobs, (BATCH, FILE, *REST), arriving) == b"one two three"
    assert set(told) == {"the batch"}
    assert len(told) >= len((FILE, *REST))


def test_what_is_refused_on_the_way_leaves_nothing(blobs: BlobStore) -> None:
    pieces = 0

    async def arriving(_batch_id: str) -> None:
        nonlocal pieces
        pieces += 1
        if pieces == 3:
            raise BatchClosed("This batch is closed.")

    with pytest.raises(BatchClosed):
        receive(blobs, (BATCH, FILE, *REST), arriving)
    assert blobs.usage("").blobs == 0


class Ledger:
    """What the gateway asks of the ledger, and whether it answers."""

    def __init__(self) -> None:
        self.asked: list[Callable[..., Any]] = []
        self.nearly_idle = True
        self.away = False

    async def read(self, function: Callable[..., Any], *_: Any) -> bool:
        self.asked.append(function)
        if self.away:
            raise DependencyUnavailable("The ledger does not answer.")
        return self.nearly_idle

    async def write(self, function: Callable[..., Any], *_: Any) -> None:
        self.asked.append(function)


def look(ledger: Ledger, times: int = 1) -> list[Callable[..., Any]]:
    """What is asked when so many pieces arrive."""
    services = SimpleNamespace(read=ledger.read, write=ledger.write)
    arriving = arrivals.keep_open(cast(Services, services), "t1")

    async def run() -> None:
        for _ in range(times):
            await arriving("the batch")

    asyncio.run(run())
    return ledger.asked


def test_the_ledger_is_asked_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(Ledger(), times=100) == [batches.is_nearly_idle, batches.keep_open]
    monkeypatch.setattr(arrivals, "AGAIN_SECONDS", 0.0)
    assert look(Ledger(), times=2) == [batches.is_nearly_idle, batches.keep_open] * 2


def test_what_was_filled_a_moment_ago_is_not_written() -> None:
    ledger = Ledger()
    ledger.nearly_idle = False
    assert look(ledger) == [batches.is_nearly_idle]


def test_an_upload_survives_a_ledger_that_is_away_meanwhile() -> None:
    ledger = Ledger()
    ledger.away = True
    assert look(ledger, times=3) == [batches.is_nearly_idle]
