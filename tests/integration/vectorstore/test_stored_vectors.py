"""Vectors that are read back, so that chunks whose text did not change keep theirs."""

import numpy as np
from qdrant_client import QdrantClient

from flotilla.vectorstore.bm25 import SparseVector
from flotilla.vectorstore.points import PointStore
from tests.integration.vectorstore.passages import DIMENSIONS, chunk, write


def test_vectors_come_back_as_they_were_written(points: PointStore) -> None:
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(2, DIMENSIONS)).astype(np.float32)
    dense /= np.linalg.norm(dense, axis=1, keepdims=True)
    chunks = [chunk("d1", "v1", 0), chunk("d1", "v1", 1)]
    sparse = [SparseVector([3, 70000], [1.25, 0.5]), SparseVector([], [])]
    points.upsert("t1", "c1", "d1.pdf", {}, chunks, dense, sparse)
    found = points.vectors_of("t1", [one.id for one in chunks])
    assert found.keys() == {one.id for one in chunks}
    for one, row, terms in zip(chunks, dense, sparse, strict=True):
        assert found[one.id].dense.dtype == np.float32
        np.testing.assert_allclose(found[one.id].dense, row, atol=1e-6)
        assert found[one.id].sparse == terms


def test_reused_vectors_do_not_drift(points: PointStore) -> None:
    dense = np.array([[0.1, 0.7, -0.3, 0.2]], np.float32)
    first = chunk("d1", "v0", 0)
    points.upsert("t1", "c1", "d1.pdf", {}, [first], dense, [SparseVector([1], [0.3])])
    original = points.vectors_of("t1", [first.id])[first.id]
    last = original
    for number in range(1, 6):
        next_one = chunk("d1", f"v{number}", 0)
        points.upsert("t1", "c1", "d1.pdf", {}, [next_one], last.dense[None], [last.sparse])
        last = points.vectors_of("t1", [next_one.id])[next_one.id]
    np.testing.assert_allclose(last.dense, original.dense, atol=1e-6)
    assert last.sparse == original.sparse


def test_another_tenants_and_missing_points_are_left_out(points: PointStore) -> None:
    mine = write(points, "d1", "v1")
    theirs = write(points, "d2", "v1", tenant="t2")
    wanted = [mine[0].id, theirs[0].id, chunk("d3", "v1", 0).id]
    assert points.vectors_of("t1", wanted).keys() == {mine[0].id}
    assert points.vectors_of("t1", []) == {}


def test_without_the_collection_there_are_no_vectors(client: QdrantClient) -> None:
    store = PointStore(client, "test-absent", DIMENSIONS)
    assert store.vectors_of("t1", [chunk("d1", "v1", 0).id]) == {}


def test_the_id_that_vectors_were_taken_from_is_not_stored(
    client: QdrantClient, points: PointStore
) -> None:
    one = chunk("d1", "v2", 0).model_copy(update={"vector_of": chunk("d1", "v1", 0).id})
    dense = np.array([[1.0, 0.0, 0.0, 0.0]], np.float32)
    points.upsert("t1", "c1", "d1.pdf", {}, [one], dense, [SparseVector([1], [1.0])])
    [found] = client.retrieve(points.collection, [one.id])
    assert found.payload is not None
    assert "vector_of" not in found.payload
