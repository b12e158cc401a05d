"""The node on a disk that fills up or fails: nothing acknowledged is lost, and it goes on after."""

import os
import resource
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from flotilla.errors import DependencyUnavailable
from flotilla.local.qdrant import room
from flotilla.local.qdrant.errors import StorageFull
from flotilla.vectorstore.qdrant import call

pytestmark = pytest.mark.skipif("QDRANT_URL" in os.environ, reason="a server is under test")

StartNode = Callable[..., Any]
SIZE = 384
TEXT = "x" * 20_000
DISK_MB = 96
SMALLEST_FILES = 10_000_000  # bytes; the engine lays out larger ones


def batch(start: int, size: int = 64) -> list[models.PointStruct]:
    return [
        models.PointStruct(
            id=n, vector={"dense": [1.0, n / 1000] + [0.5] * (SIZE - 2)}, payload={"text": TEXT}
        )
        for n in range(start, start + size)
    ]


def make(client: QdrantClient) -> None:
    vectors = {"dense": models.VectorParams(size=SIZE, distance=models.Distance.COSINE)}
    client.create_collection("c", vectors_config=vectors)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can be mounted by root alone")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_refuses_writes_and_keeps_answering(
    start_node: StartNode, small_disk: Path
) -> None:
    node = start_node(small_disk / "data")
    client = QdrantClient(url=node.url, timeout=20)
    make(client)
    acknowledged, refusal = 0, None
    while refusal is None:
        try:
            client.upsert("c", batch(acknowledged))
            acknowledged += 64
        except UnexpectedResponse as error:
            refusal = error.status_code
    assert refusal == 507
    assert acknowledged > 0
    with pytest.raises(DependencyUnavailable, match="disk is full"):
        call(lambda: client.upsert("c", batch(acknowledged)))
    # It lives, it answers, and what makes room is still taken.
    assert client.count("c").count == acknowledged
    client.delete("c", points_selector=[0, 1])
    node.kill()
    node.start()
    assert client.count("c").count == acknowledged - 2

    more = f"remount,size={4 * DISK_MB}m"
    subprocess.run(["mount", "-o", more, str(small_disk)], check=True)
    client.upsert("c", batch(acknowledged))
    assert client.count("c").count == acknowledged + 62
    node.stop()


def test_a_kill_on_a_disk_that_somebody_else_fills_loses_nothing_acknowledged(
    start_node: StartNode, small_disk: Path
) -> None:
    node = start_node(small_disk / "data")
    client = QdrantClient(url=node.url, timeout=20)
    make(client)
    acknowledged: list[int] = []

    def write() -> None:
        for start in range(0, 64 * 1000, 8):
            try:
                client.upsert("c", batch(start, 8))
            except (ResponseHandlingException, UnexpectedResponse):
                return
            acknowledged.append(start)

    writer = threading.Thread(target=write)
    writer.start()
    deadline = time.monotonic() + 20
    while len(acknowledged) < 5 and time.monotonic() < deadline:
        time.sleep(0.005)
    filler = small_disk / "filler"
    with filler.open("wb") as file:
        try:
            while True:
                file.write(b"\0" * 1_000_000)
                file.flush()
        except OSError:
            pass
    writer.join()
    node.kill()
    filler.unlink(missing_ok=True)
    node.start()
    found = client.retrieve("c", acknowledged, with_payload=False)
    assert len(found) == len(acknowledged) >= 5
    node.stop()


def test_the_node_recovers_from_an_error_of_the_disk_by_itself(
    start_node: StartNode, tmp_path: Path
) -> None:
    node = start_node(tmp_path)
    client = QdrantClient(url=node.url, timeout=20)
    make(client)
    unlimited = resource.RLIM_INFINITY
    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (SMALLEST_FILES, unlimited))
    for _ in range(2):
        with pytest.raises(UnexpectedResponse) as failed:
            client.upsert("c", batch(0))
        assert failed.value.status_code in (500, 507)
    assert client.count("c").count <= 64  # it can still be read
    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))
    client.upsert("c", batch(0))
    client.upsert("c", batch(64))
    assert client.count("c").count == 128
    node.kill()
    node.start()
    assert client.count("c").count == 128


def test_room_is_asked_for_by_size_and_less_for_what_removes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def free(megabytes: int) -> None:
        usage = type("Usage", (), {"free": megabytes * room.MIB})
        monkeypatch.setattr(room.shutil, "disk_usage", lambda _: usage)

    free(70)
    room.require_room(tmp_path, 1 * room.MIB)
    with pytest.raises(StorageFull, match="no space left"):
        room.require_room(tmp_path, 2 * room.MIB)
    free(9)
    room.require_room(tmp_path, 100, removal=True)
    free(7)
    with pytest.raises(StorageFull):
        room.require_room(tmp_path, 100, removal=True)
    (tmp_path / "file").write_bytes(b"x" * 4 * room.MIB)
    free(64 + 2 * 4 - 1)
    assert not room.has_room_for_copy(tmp_path)
    free(64 + 2 * 4 + 1)
    assert room.has_room_for_copy(tmp_path)
