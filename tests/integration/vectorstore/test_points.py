"""Points on a real Qdrant node: tenants apart, versions swapped, everything repeatable."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from qdrant_client import QdrantClient

from flotilla.errors import DependencyUnavailable
from flotilla.models import Passage
from flotilla.settings import QdrantSettings, Settings
from flotilla.vectorstore.bm25 import SparseVector
from flotilla.vectorstore.point_search import Wording, live_points
from flotilla.vectorstore.points import Fusion, PointStore
from flotilla.vectorstore.qdrant import connect
from tests.conftest import free_port
from tests.integration.vectorstore.passages import DIMENSIONS, axis, write

EVEN = Fusion(prefetch=20, k=60, dense_weight=0.5, bm25_weight=0.5)


def find(points: PointStore, *, tenant: str = "t1", collections: tuple[str, ...] = (), **more: Any):
    vector = np.array(axis(0), np.float32)
    terms = more.pop("terms", SparseVector([1], [1.0]))
    selected = live_points(tenant, collections, **more)
    return points.fused(Wording(vector, terms), EVEN, 20, selected)


def versions(passages: list[Passage]) -> set[str]:
    return {passage.version_id for passage in passages}


def test_a_passage_comes_back_with_all_that_was_written(points: PointStore) -> None:
    first, *_ = write(points, "d1", "v1", live=True)
    best = find(points)[0]
    assert best == Passage(
        chunk_id=first.id,
        document_id="d1",
        document_name="d1.pdf",
        version_id="v1",
        collection="c1",
        position=0,
        text=first.text,
        start=0,
        end=9,
        page_start=1,
        page_end=2,
        heading_path=("Part", "Chapter"),
        metadata={"year": 2024},
        score=best.score,
    )


def test_points_stay_hidden_until_their_version_is_published(points: PointStore) -> None:
    write(points, "d1", "v1")
    assert find(points) == []
    points.publish("t1", "d1", "v1")
    assert versions(find(points)) == {"v1"}


def test_publish_shows_one_version_and_may_be_repeated(points: PointStore) -> None:
    write(points, "d1", "v1", live=True)
    write(points, "d2", "v1", live=True)
    write(points, "d1", "v2")
    write(points, "d1", "v3")
    for _ in range(2):
        points.publish("t1", "d1", "v2")
    assert points.count("t1", version_id="v1", live=True) == 6
    assert points.count("t1", document_id="d1", version_id="v2", live=True) == 3
    assert points.count("t1", version_id="v3", live=False) == 3


def test_writing_twice_writes_once(points: PointStore) -> None:
    for _ in range(2):
        write(points, "d1", "v1", live=True)
    assert points.count("t1") == 3


@pytest.mark.parametrize(
    ("remove", "left"),
    [
        (lambda points: points.remove_version("t1", "d1", "v1"), 9),
        (lambda points: points.remove_documents("t1", ["d1"]), 6),
    ],
    ids=["version", "document"],
)
def test_removal_takes_what_it_names_and_may_be_repeated(
    points: PointStore, remove: Callable[[PointStore], None], left: int
) -> None:
    write(points, "d1", "v1", live=True)
    write(points, "d1", "v2")
    write(points, "d2", "v1", live=True)
    write(points, "d3", "v1", collection="c2", live=True)
    write(points, "d1", "v1x", tenant="t2", live=True)
    for _ in range(2):
        remove(points)
    assert points.count("t1") == left
    assert points.count("t2") == 3


def test_no_method_reaches_over_to_another_tenant(points: PointStore) -> None:
    theirs = write(points, "d1", "v1", tenant="t2", live=True)
    write(points, "d2", "v1", tenant="t2")
    points.publish("t1", "d2", "v1")
    points.publish("t1", "d1", "v1")
    points.remove_version("t1", "d1", "v1")
    points.remove_documents("t1", ["d1"])
    assert find(points, tenant="t1") == []
    assert points.count("t1") == 0
    assert len(find(points, tenant="t2")) == len(theirs)


def test_a_query_is_narrowed_to_its_collections(points: PointStore) -> None:
    write(points, "d1", "v1", collection="c1", live=True)
    write(points, "d2", "v1", collection="c2", live=True)
    write(points, "d3", "v1", collection="c3", live=True)
    found = find(points, collections=("c1", "c3"))
    assert {passage.document_id for passage in found} == {"d1", "d3"}
    assert {passage.document_id for passage in find(points)} == {"d1", "d2", "d3"}


def test_the_fusion_weighs_both_rankings(points: PointStore) -> None:
    # By vector position 0 is first; by words position 2 is the only one found.
    write(points, "d1", "v1", live=True)
    vector, terms = np.array(axis(0), np.float32), SparseVector([3], [1.0])

    def first(dense: float, bm25: float) -> int:
        fusion = Fusion(prefetch=20, k=1, dense_weight=dense, bm25_weight=bm25)
        found = points.fused(Wording(vector, terms), fusion, 3, live_points("t1", ()))
        return found[0].position

    assert first(0.9, 0.1) == 0
    assert first(0.1, 0.9) == 2


def test_a_question_without_terms_is_ranked_by_its_vector(points: PointStore) -> None:
    write(points, "d1", "v1", live=True)
    assert find(points, terms=SparseVector([], []))[0].position == 0


def test_many_workers_may_create_the_collection_at_once(client: QdrantClient) -> None:
    name = f"test-{uuid4()}"
    stores = [PointStore(client, name, DIMENSIONS) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(PointStore.ensure, stores))
    info = client.get_collection(name)
    client.delete_collection(name)
    assert set(info.payload_schema) == {
        "tenant_id",
        "collection_id",
        "document_id",
        "version_id",
        "live",
    }


def test_without_the_collection_nothing_is_found_and_a_write_creates_it(
    client: QdrantClient,
) -> None:
    points = PointStore(client, f"test-{uuid4()}", DIMENSIONS)
    points.remove_documents("t1", ["d1"])
    assert find(points) == []
    assert points.count("t1") == 0
    write(points, "d1", "v1", live=True)
    assert len(find(points)) == 3
    client.delete_collection(points.collection)


def test_an_absent_qdrant_is_worth_a_retry() -> None:
    absent = connect(Settings(qdrant=QdrantSettings(url=f"http://127.0.0.1:{free_port()}")))
    points = PointStore(absent, "test", DIMENSIONS)
    with pytest.raises(DependencyUnavailable, match="QDRANT_URL") as caught:
        points.count("t1")
    assert caught.value.retryable


def test_a_spread_is_of_live_points_of_the_collections_wherever_it_begins(
    points: PointStore,
) -> None:
    for number in range(8):
        write(points, f"d{number}", "v1", live=True)
    write(points, "hidden", "v1")
    write(points, "other", "v1", collection="c2", live=True)
    write(points, "theirs", "v1", tenant="t2", live=True)
    seen = []
    for begin in ("0" * 32, "8" * 32, "f" * 32):
        found = points.spread("t1", ["c1"], 10, str(UUID(begin)))
        assert len({passage.chunk_id for passage in found}) == len(found) == 10
        assert {passage.document_id for passage in found} <= {f"d{n}" for n in range(8)}
        assert len({passage.document_id for passage in found}) >= 4
        seen.append([passage.chunk_id for passage in found])
    assert seen[0] != seen[1], "it begins elsewhere"
    everything = points.spread("t1", ["c1"], 100, str(UUID("8" * 32)))
    assert len(everything) == 24
    assert points.spread("t1", ["nowhere"], 10, str(UUID("8" * 32))) == []
