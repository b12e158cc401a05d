"""What holds of the node alone: survival, refusals, its lock, and optimising as it serves."""

import os
import random
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ResponseHandlingException

pytestmark = pytest.mark.skipif("QDRANT_URL" in os.environ, reason="a server is under test")

StartNode = Callable[..., Any]
DENSE = {"dense": models.VectorParams(size=4, distance=models.Distance.COSINE)}


def points(numbers: range) -> list[models.PointStruct]:
    return [
        models.PointStruct(id=n, vector={"dense": [1.0, n / 100, 0.0, 1.0]}, payload={"n": n})
        for n in numbers
    ]


def test_an_acknowledged_write_survives_a_kill(start_node: StartNode, tmp_path: Path) -> None:
    node = start_node(tmp_path)
    client = QdrantClient(url=node.url)
    client.create_collection("kept", vectors_config=DENSE)
    client.create_collection("gone", vectors_config=DENSE)
    client.create_payload_index("kept", "n", models.PayloadSchemaType.INTEGER)
    alias = models.CreateAlias(collection_name="kept", alias_name="name")
    client.update_collection_aliases([models.CreateAliasOperation(create_alias=alias)])
    client.upsert("kept", points(range(500)))
    client.delete_collection("gone")
    client.delete("kept", points_selector=[0])
    client.set_payload("kept", {"n": -1}, points=[1])
    node.kill()
    node.start()
    assert [one.name for one in client.get_collections().collections] == ["kept"]
    assert client.count("name").count == 499
    negative = models.FieldCondition(key="n", range=models.Range(lt=0))
    found = client.scroll("name", scroll_filter=models.Filter(must=[negative]))[0]
    assert [one.id for one in found] == [1]
    assert client.get_collection("kept").payload_schema["n"].points == 499
    assert len(list((tmp_path / "shards").iterdir())) == 1


def test_a_kill_amid_writes_loses_nothing_acknowledged(
    start_node: StartNode, tmp_path: Path
) -> None:
    node = start_node(tmp_path)
    client = QdrantClient(url=node.url)
    client.create_collection("c", vectors_config=DENSE)
    acknowledged: list[int] = []

    def write() -> None:
        for start in range(0, 100_000, 8):
            try:
                client.upsert("c", points(range(start, start + 8)))
            except ResponseHandlingException:
                return
            acknowledged.append(start)

    writer = threading.Thread(target=write)
    writer.start()
    deadline = time.monotonic() + 10
    while len(acknowledged) < 40 and time.monotonic() < deadline:
        time.sleep(0.005)
    node.kill()
    writer.join()
    node.start()
    assert len(acknowledged) >= 40
    found = client.retrieve("c", acknowledged, with_payload=False)
    assert len(found) == len(acknowledged)


def test_a_refused_write_does_not_come_back_after_a_kill(
    start_node: StartNode, tmp_path: Path
) -> None:
    node = start_node(tmp_path)
    client = QdrantClient(url=node.url)
    client.create_collection("c", vectors_config=DENSE)
    client.upsert("c", points(range(3)))
    wrong = models.PointStruct(id=9, vector={"dense": [1.0]})
    answer = httpx.put(
        f"{node.url}/collections/c/points?wait=true",
        json={"points": [wrong.model_dump(exclude_unset=True)]},
    )
    assert answer.status_code == 400
    node.kill()
    node.start()
    assert client.count("c").count == 3


def test_stops_at_once_and_keeps_everything(start_node: StartNode, tmp_path: Path) -> None:
    node = start_node(tmp_path)
    client = QdrantClient(url=node.url)
    client.create_collection("c", vectors_config=DENSE)
    client.upsert("c", points(range(100)))
    assert node.stop() == 0
    node.start()
    assert client.count("c").count == 100


def test_two_nodes_cannot_open_one_folder(start_node: StartNode, tmp_path: Path) -> None:
    node = start_node(tmp_path)
    second = subprocess.run(node.command(), capture_output=True, text=True, timeout=20, check=False)
    assert second.returncode == 1
    assert "another Qdrant node" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.parametrize(
    ("method", "path", "body", "named"),
    [
        ("GET", "/telemetry", None, "GET /telemetry"),
        ("POST", "/collections/c/snapshots", None, "POST /collections/c/snapshots"),
        ("PATCH", "/collections/c", {}, "PATCH /collections/c"),
        ("POST", "/collections/c/points/query/groups", {}, "/points/query/groups"),
        ("POST", "/collections/c/points/query", {"query": {"recommend": {}}}, "recommend"),
        ("POST", "/collections/c/points/query", {"query": {"text": "a", "model": "b"}}, "text"),
        ("POST", "/collections/c/points/count", {"shard_key": "s"}, "shard_key"),
        (
            "POST",
            "/collections/c/points/count",
            {"filter": {"must": [{"key": "k", "geo_radius": {}}]}},
            "geo_radius",
        ),
        ("PUT", "/collections/c/index", {"field_name": "g", "field_schema": "geo"}, "geo"),
        (
            "PUT",
            "/collections/d",
            {"vectors": {"size": 4, "distance": "Dot"}, "quantization_config": {"scalar": {}}},
            "quantization_config",
        ),
    ],
)
def test_what_is_missing_is_named(
    qdrant: QdrantClient, qdrant_url: str, method: str, path: str, body: Any, named: str
) -> None:
    if not qdrant.collection_exists("c"):
        qdrant.create_collection("c", vectors_config=DENSE)
    answer = httpx.request(method, qdrant_url + path, json=body)
    assert answer.status_code == 501
    error = answer.json()["status"]["error"]
    assert error.startswith("not implemented: ")
    assert named in error


def test_optimises_while_it_is_read_and_written(start_node: StartNode, tmp_path: Path) -> None:
    node = start_node(tmp_path, "--optimize-after", "1500")
    client = QdrantClient(url=node.url)
    client.create_collection(
        "c",
        vectors_config={"dense": models.VectorParams(size=64, distance=models.Distance.COSINE)},
        # Small, so that few points make a segment that is worth an index.
        optimizers_config=models.OptimizersConfigDiff(indexing_threshold=100),
    )
    rng = random.Random(0)
    vectors = {n: [rng.gauss(0, 1) for _ in range(64)] for n in range(4000)}

    def write(start: int, size: int) -> None:
        batch = [
            models.PointStruct(id=n, vector={"dense": vectors[n]}, payload={"n": n})
            for n in range(start, start + size)
        ]
        client.upsert("c", batch)

    for start in range(0, 2000, 20):
        write(start, 20)
    folder = set((tmp_path / "shards").iterdir())
    written, slowest, deadline = 2000, 0.0, time.monotonic() + 60
    # The first write comes when a copy has been made, so that it has to go through the journal.
    while set((tmp_path / "shards").iterdir()) == folder and time.monotonic() < deadline:
        time.sleep(0.01)
    while (
        set((tmp_path / "shards").iterdir()) & folder or written < 2400
    ) and time.monotonic() < deadline:
        if written < 4000:
            old = (written - 2000) // 8
            write(written, 8)
            written += 8
            # Points of before the copy count for more: the engine skips an update that it takes
            # for older than the point.
            client.delete("c", points_selector=[written - 1, 1999 - old])
            client.set_payload("c", {"n": -1}, points=[written - 2, 1699 - old])
        target = rng.randrange(1400)
        began = time.monotonic()
        found = client.query_points("c", query=vectors[target], using="dense", limit=1).points
        slowest = max(slowest, time.monotonic() - began)
        assert [one.id for one in found] == [target]
    assert not set((tmp_path / "shards").iterdir()) & folder
    # An optimisation in the node's own process would stop it for as long as it takes.
    assert slowest < 1.0
    batches = (written - 2000) // 8

    def check() -> None:
        assert client.count("c").count == 2000 + batches * 6
        negative = models.FieldCondition(key="n", match=models.MatchValue(value=-1))
        assert client.count("c", models.Filter(must=[negative])).count == 2 * batches

    check()
    node.kill()
    node.start()
    check()
