"""What Flotilla expects of writing points to Qdrant and of reading them."""

from typing import Any

import httpx
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from tests.contract.points import LAST, POINTS, UUIDS, field, find, ids, status_of


def test_retrieve(qdrant: QdrantClient, fixed: str) -> None:
    found = qdrant.retrieve(fixed, [1, LAST, 99], with_vectors=True)
    assert set(ids(found)) == {1, LAST}
    first = next(one for one in found if one.id == 1)
    assert first.payload == POINTS[0].payload
    assert first.vector == POINTS[0].vector
    bare = qdrant.retrieve(fixed, [1], with_payload=False)[0]
    assert (bare.payload, bare.vector) == (None, None)
    some = qdrant.retrieve(fixed, [1], with_payload=["n", "meta.year"], with_vectors=["flat"])[0]
    assert some.payload == {"n": 1, "meta": {"year": 2020}}
    assert some.vector == {"flat": [1.0, 0.0]}
    rest = qdrant.retrieve(
        fixed, [3], with_payload=models.PayloadSelectorExclude(exclude=["tags", "live"])
    )[0]
    assert rest.payload == {"tenant": "b", "n": 3, "empty": None}


def test_single_point(qdrant_url: str, fixed: str) -> None:
    found = httpx.get(f"{qdrant_url}/collections/{fixed}/points/{LAST}")
    assert found.json()["result"]["payload"]["n"] == 4
    assert httpx.get(f"{qdrant_url}/collections/{fixed}/points/99").status_code == 404


def test_upsert_replaces_the_whole_point(qdrant: QdrantClient, collection: str) -> None:
    done = qdrant.upsert(
        collection, [models.PointStruct(id=1, vector={"dense": [0.0, 2.0]}, payload={"k": 1})]
    )
    assert done.status == models.UpdateStatus.COMPLETED
    point = qdrant.retrieve(collection, [1], with_vectors=True)[0]
    assert point.payload == {"k": 1}
    assert point.vector == {"dense": [0.0, 1.0]}  # cosine vectors are stored at length one
    assert qdrant.count(collection).count == 4


def test_upsert_in_columns(qdrant: QdrantClient, collection: str) -> None:
    qdrant.upsert(
        collection,
        models.Batch(
            ids=[11, UUIDS[1]],
            vectors={"dense": [[1.0, 0.0], [0.0, 1.0]], "flat": [[9.0, 9.0], [8.0, 8.0]]},
            payloads=[{"k": "eleven"}, {"k": "one"}],
        ),
    )
    found = qdrant.retrieve(collection, [11, UUIDS[1]], with_vectors=["flat"])
    assert {one.id: (one.payload, one.vector) for one in found} == {
        11: ({"k": "eleven"}, {"flat": [9.0, 9.0]}),
        UUIDS[1]: ({"k": "one"}, {"flat": [8.0, 8.0]}),
    }


def test_upsert_modes(qdrant: QdrantClient, collection: str) -> None:
    points = [
        models.PointStruct(id=i, vector={"dense": [1.0, 0.0]}, payload={"mode": True})
        for i in (1, 50)
    ]
    qdrant.upsert(collection, points, update_mode=models.UpdateMode.INSERT_ONLY)
    assert find(qdrant, collection, must=[field("mode", match=models.MatchValue(value=True))]) == [
        50
    ]
    qdrant.upsert(
        collection,
        [models.PointStruct(id=i, vector={"dense": [1.0, 0.0]}, payload={"u": 1}) for i in (2, 51)],
        update_mode=models.UpdateMode.UPDATE_ONLY,
    )
    assert ids(qdrant.retrieve(collection, [51])) == []
    assert qdrant.retrieve(collection, [2])[0].payload == {"u": 1}


def test_conditional_upsert_spares_what_does_not_match(
    qdrant: QdrantClient, collection: str
) -> None:
    older = models.Filter(must=[field("n", range=models.Range(lt=2))])
    points = [
        models.PointStruct(id=i, vector={"dense": [1.0, 0.0]}, payload={"n": 0}) for i in (1, 2)
    ]
    qdrant.upsert(collection, points, update_filter=older)
    found = {one.id: one.payload["n"] for one in qdrant.retrieve(collection, [1, 2])}
    assert found == {1: 0, 2: 2}


def test_a_batch_may_hold_upserts_that_each_touch_some_points_only(
    qdrant: QdrantClient, collection: str
) -> None:
    live = models.FieldCondition(key="live", match=models.MatchValue(value=True))
    points = {
        tag: [
            models.PointStruct(id=i, vector={"dense": [0.6, 0.8]}, payload={"live": tag, "new": 1})
            for i in (1, 2, 60)
        ]
        for tag in (True, False)
    }
    present = models.PointsList(
        points=points[True],
        update_filter=models.Filter(must=[live]),
        update_mode=models.UpdateMode.UPDATE_ONLY,
    )
    others = models.PointsList(points=points[False], update_filter=models.Filter(must_not=[live]))
    operations = [models.UpsertOperation(upsert=each) for each in (present, others)]
    qdrant.batch_update_points(collection, operations)
    found = {one.id: one.payload for one in qdrant.retrieve(collection, [1, 2, 60])}
    assert found == {
        1: {"live": True, "new": 1},
        2: {"live": False, "new": 1},
        60: {"live": False, "new": 1},
    }


def test_delete_by_ids_and_by_filter(qdrant: QdrantClient, collection: str) -> None:
    qdrant.delete(collection, points_selector=[1, LAST, 99])
    assert ids(qdrant.scroll(collection)[0]) == [2, 3]
    chosen = models.Filter(must=[field("tenant", match=models.MatchValue(value="a"))])
    qdrant.delete(collection, points_selector=models.FilterSelector(filter=chosen))
    assert ids(qdrant.scroll(collection)[0]) == [3]
    found = qdrant.query_points(collection, query=[1.0, 0.0], using="dense").points
    assert ids(found) == [3]


def test_payload_is_set_replaced_and_cleared(qdrant: QdrantClient, collection: str) -> None:
    def payload(point: Any) -> Any:
        return qdrant.retrieve(collection, [point])[0].payload

    mine = models.Filter(must=[field("tenant", match=models.MatchValue(value="b"))])
    qdrant.set_payload(collection, {"n": 33, "new": [1]}, points=[3])
    assert payload(3) == {
        "tenant": "b", "n": 33, "live": True, "tags": [], "empty": None, "new": [1],
    }  # fmt: skip
    qdrant.set_payload(collection, {"seen": True}, points=mine)
    assert [payload(one).get("seen") for one in (1, 2, 3, LAST)] == [None, None, True, True]
    qdrant.set_payload(collection, {"year": 1999}, points=[1], key="meta")
    assert payload(1)["meta"] == {"year": 1999, "author": {"name": "Ada"}}
    qdrant.delete_payload(collection, ["seen", "tags"], points=[3])
    assert payload(3) == {"tenant": "b", "n": 33, "live": True, "empty": None, "new": [1]}
    qdrant.delete_payload(collection, ["seen"], points=mine)
    assert "seen" not in payload(LAST)
    qdrant.overwrite_payload(collection, {"only": 1}, points=[2])
    assert payload(2) == {"only": 1}
    qdrant.overwrite_payload(collection, {"tenant": "b", "over": 1}, points=mine)
    assert (payload(3), payload(LAST)) == ({"tenant": "b", "over": 1},) * 2
    qdrant.clear_payload(collection, points_selector=[2])
    assert payload(2) == {}
    qdrant.clear_payload(collection, points_selector=models.FilterSelector(filter=mine))
    assert (payload(3), payload(LAST)) == ({}, {})
    assert payload(1)["n"] == 1
    # The indexes have followed.
    assert find(qdrant, collection, must=[field("n", range=models.Range(gte=0))]) == [1]


def test_vectors_are_updated_and_deleted(qdrant: QdrantClient, collection: str) -> None:
    qdrant.update_vectors(collection, [models.PointVectors(id=1, vector={"flat": [7.0, 7.0]})])
    point = qdrant.retrieve(collection, [1], with_vectors=True)[0]
    assert point.vector["flat"] == [7.0, 7.0]
    assert point.vector["dense"] == [1.0, 0.0]
    assert point.payload == POINTS[0].payload
    qdrant.delete_vectors(collection, ["sparse", "multi"], points=[1])
    assert set(qdrant.retrieve(collection, [1], with_vectors=True)[0].vector) == {"dense", "flat"}
    mine = models.Filter(must=[field("tenant", match=models.MatchValue(value="b"))])
    qdrant.delete_vectors(collection, ["flat"], points=models.FilterSelector(filter=mine))
    found = qdrant.query_points(collection, query=[0.0, 0.0], using="flat").points
    assert ids(found) == [2, 1]


def test_batch_of_updates_in_order(qdrant: QdrantClient, collection: str) -> None:
    chosen = models.Filter(must=[field("tenant", match=models.MatchValue(value="a"))])
    new = models.PointStruct(id=20, vector={"dense": [1.0, 0.0]}, payload={"tenant": "a"})
    results = qdrant.batch_update_points(
        collection,
        [
            models.UpsertOperation(upsert=models.PointsList(points=[new])),
            models.SetPayloadOperation(
                set_payload=models.SetPayload(payload={"live": True}, filter=chosen)
            ),
            models.DeleteOperation(
                delete=models.FilterSelector(
                    filter=models.Filter(
                        must=[chosen], must_not=[models.HasIdCondition(has_id=[20, 2])]
                    )
                )
            ),
            models.OverwritePayloadOperation(
                overwrite_payload=models.SetPayload(payload={"k": 1, "j": 2}, points=[3])
            ),
            models.DeletePayloadOperation(
                delete_payload=models.DeletePayload(keys=["j"], points=[3])
            ),
            models.ClearPayloadOperation(clear_payload=models.PointIdsList(points=[LAST])),
            models.UpdateVectorsOperation(
                update_vectors=models.UpdateVectors(
                    points=[models.PointVectors(id=3, vector={"flat": [5.0, 5.0]})]
                )
            ),
            models.DeleteVectorsOperation(
                delete_vectors=models.DeleteVectors(vector=["dense"], points=[3])
            ),
        ],
    )
    assert [one.status for one in results] == [models.UpdateStatus.COMPLETED] * 8
    found = {one.id: one for one in qdrant.scroll(collection, with_vectors=True)[0]}
    assert set(found) == {2, 3, 20, LAST}
    assert found[20].payload == {"tenant": "a", "live": True}
    assert found[2].payload["live"] is True
    assert found[3].payload == {"k": 1}
    assert found[3].vector["flat"] == [5.0, 5.0]
    assert "dense" not in found[3].vector
    assert found[LAST].payload == {}


@pytest.mark.parametrize(
    "vector",
    [{"dense": [1.0, 2.0, 3.0]}, {"absent": [1.0, 2.0]}, [1.0, 2.0]],
    ids=["dimensions", "name", "unnamed"],
)
def test_wrong_vector_is_400_and_leaves_no_trace(
    qdrant: QdrantClient, collection: str, vector: Any
) -> None:
    with pytest.raises(UnexpectedResponse) as error:
        qdrant.upsert(collection, [models.PointStruct(id=77, vector=vector)])
    assert status_of(error) == 400
    assert qdrant.count(collection).count == 4


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/points?wait=true", '{"points": [{"id": -1, "vector": {}}]}'),
        ("PUT", "/points?wait=true", '{"points": [{"id": "no uuid", "vector": {}}]}'),
        ("PUT", "/points?wait=true", '{"points": []}'),
        ("PUT", "/points?wait=true", '{"points": [{"vector": {"dense": [1, 0]}}]}'),
        ("PUT", "/points?wait=true", "{"),
        ("POST", "/points/query", '{"query": {"fusion": "none"}}'),
        ("POST", "/points/query", '{"query": [1.0, 0.0], "using": "absent"}'),
        ("POST", "/points/query", '{"prefetch": [{"query": [1, 0], "using": "dense"}]}'),
        ("POST", "/points/count", '{"filter": {"must": [{"key": "n"}]}}'),
        ("POST", "/points/count", '{"filter": {"most": []}}'),
        ("POST", "/points/delete", "{}"),
    ],
)
def test_bad_request_is_400_in_the_envelope(
    qdrant_url: str, fixed: str, method: str, path: str, body: str
) -> None:
    answer = httpx.request(method, f"{qdrant_url}/collections/{fixed}{path}", content=body,
                           headers={"content-type": "application/json"})  # fmt: skip
    assert answer.status_code in (400, 422)
    assert answer.json()["status"]["error"]


def test_sparse_vector_with_a_repeated_index_is_refused(qdrant_url: str, fixed: str) -> None:
    vector = {"sparse": {"indices": [1, 1], "values": [1.0, 2.0]}}
    answer = httpx.put(
        f"{qdrant_url}/collections/{fixed}/points", json={"points": [{"id": 5, "vector": vector}]}
    )
    assert answer.status_code in (400, 422)


def test_set_payload_of_an_absent_point_is_404(qdrant: QdrantClient, fixed: str) -> None:
    with pytest.raises(UnexpectedResponse) as error:
        qdrant.set_payload(fixed, {"a": 1}, points=[99])
    assert status_of(error) == 404
