"""Whatever a worker does that is late, what is published stays as it is."""

import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from qdrant_client import QdrantClient

from flotilla.models import Chunk
from flotilla.vectorstore.bm25 import SparseVector
from flotilla.vectorstore.points import PointStore
from tests.integration.vectorstore.passages import DIMENSIONS, axis, chunk, replace, write


def texts(client: QdrantClient, points: PointStore, live: bool) -> dict[str, str]:
    found, _ = client.scroll(points.collection, limit=1000, with_payload=True)
    payloads = {str(point.id): point.payload or {} for point in found}
    return {one: payload["text"] for one, payload in payloads.items() if payload["live"] is live}


def changed(chunks: list[Chunk], text: str) -> list[Chunk]:
    return [one.model_copy(update={"text": text}) for one in chunks]


def rewrite(points: PointStore, chunks: list[Chunk], tenant: str = "t1") -> None:
    dense = np.array([axis(3)] * len(chunks), np.float32)
    sparse = [SparseVector([9], [2.0])] * len(chunks)
    points.rewrite(tenant, "c1", "renamed.pdf", {"year": 2025}, chunks, dense, sparse)


def test_a_late_upsert_neither_hides_nor_changes_what_is_published(
    client: QdrantClient, points: PointStore
) -> None:
    written = write(points, "d1", "v1")
    points.publish("t1", "d1", "v1")
    before = texts(client, points, live=True)
    late = changed(written, "late")
    dense = np.array([axis(3)] * len(late), np.float32)
    points.upsert("t1", "c1", "late.pdf", {}, late, dense, [SparseVector([9], [1.0])] * len(late))
    assert texts(client, points, live=True) == before
    vectors = points.vectors_of("t1", [written[0].id])[written[0].id]
    assert vectors.dense.tolist() == axis(0)


def test_an_upsert_that_comes_twice_before_publication_takes_the_last(
    client: QdrantClient, points: PointStore
) -> None:
    written = write(points, "d1", "v1")
    again = changed(written, "again")
    dense = np.array([axis(0)] * len(again), np.float32)
    points.upsert("t1", "c1", "d1.pdf", {}, again, dense, [SparseVector([1], [1.0])] * len(again))
    assert set(texts(client, points, live=False).values()) == {"again"}


def test_a_late_upsert_of_a_replaced_version_stays_hidden(points: PointStore) -> None:
    write(points, "d1", "v1", live=True)
    write(points, "d1", "v2")
    replace(points, "d1", "v1", "v2")
    write(points, "d1", "v1")
    assert points.count("t1", version_id="v1", live=True) == 0
    assert points.count("t1", version_id="v2", live=True) == 3


@pytest.mark.parametrize("seed", range(3))
def test_publication_wins_over_any_number_of_late_writers(points: PointStore, seed: int) -> None:
    rng = random.Random(seed)
    write(points, "d1", "v1")
    jobs = [lambda: write(points, "d1", "v1") for _ in range(12)]
    jobs.insert(rng.randrange(12), lambda: points.publish("t1", "d1", "v1"))
    with ThreadPoolExecutor(6) as pool:
        for job in [pool.submit(job) for job in jobs]:
            job.result()
    assert points.count("t1", live=True) == 3
    assert points.count("t1") == 3


def test_a_rewrite_replaces_live_points_in_place(client: QdrantClient, points: PointStore) -> None:
    written = write(points, "d1", "v1", live=True)
    rewrite(points, changed(written, "anew"))
    assert set(texts(client, points, live=True).values()) == {"anew"}
    assert points.count("t1") == 3
    stored = points.vectors_of("t1", [one.id for one in written])
    assert all(vectors.dense.tolist() == axis(3) for vectors in stored.values())
    assert all(vectors.sparse == SparseVector([9], [2.0]) for vectors in stored.values())


def test_a_rewrite_shows_what_was_missing_only_when_it_is_published(points: PointStore) -> None:
    written = write(points, "d1", "v1", chunks=2, live=True)
    rewrite(points, [*written, chunk("d1", "v1", 2)])
    assert points.count("t1", live=True) == 2
    points.publish("t1", "d1", "v1")
    assert points.count("t1", live=True) == 3


def test_a_late_rewrite_of_a_replaced_version_shows_nothing(points: PointStore) -> None:
    written = write(points, "d1", "v1", live=True)
    write(points, "d1", "v2")
    replace(points, "d1", "v1", "v2")
    rewrite(points, written)
    assert points.count("t1", live=True) == points.count("t1", version_id="v2", live=True) == 3


def test_a_document_answers_wholly_while_it_is_rewritten(points: PointStore) -> None:
    written = write(points, "d1", "v1", chunks=20, live=True)
    seen: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        rewriting = pool.submit(lambda: [rewrite(points, written) for _ in range(20)])
        while not rewriting.done():
            seen.append(points.count("t1", live=True))
        rewriting.result()
    assert seen
    assert set(seen) == {20}


def test_a_write_to_a_collection_that_does_not_exist_makes_it(client: QdrantClient) -> None:
    store = PointStore(client, "test-rewritten", DIMENSIONS)
    try:
        rewrite(store, [chunk("d1", "v1", 0)])
        assert store.count("t1", live=False) == 1
    finally:
        client.delete_collection(store.collection)
