"""What Flotilla expects of Qdrant. Runs against the node, or against a server at QDRANT_URL."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

UUIDS = [str(UUID(int=n)) for n in range(5)]

# Dense vectors at growing angles from the first axis; sparse ones share rarer and rarer terms.
POINTS = [
    models.PointStruct(
        id=1,
        vector={
            "dense": [1.0, 0.0],
            "flat": [1.0, 0.0],
            "sparse": models.SparseVector(indices=[7], values=[1.0]),
            "multi": [[1.0, 0.0], [0.0, 1.0]],
        },
        payload={
            "tenant": "a",
            "n": 1,
            "price": 1.5,
            "live": True,
            "when": "2024-01-01T00:00:00Z",
            "text": "The quick brown fox",
            "tags": ["x", "y", "z"],
            "meta": {"year": 2020, "author": {"name": "Ada"}},
            "rows": [{"kind": "p", "size": 1}, {"kind": "q", "size": 9}],
        },
    ),
    models.PointStruct(
        id=2,
        vector={
            "dense": [0.8, 0.6],
            "flat": [4.0, 0.0],
            "sparse": models.SparseVector(indices=[7, 8], values=[1.0, 1.0]),
            "multi": [[0.5, 0.0]],
        },
        payload={
            "tenant": "a",
            "n": 2,
            "price": 2.5,
            "live": False,
            "when": "2024-06-01T12:00:00+02:00",
            "text": "A lazy dog sleeps",
            "tags": ["y"],
            "meta": {"year": 2021},
            "rows": [{"kind": "p", "size": 9}],
        },
    ),
    models.PointStruct(
        id=3,
        vector={
            "dense": [0.6, 0.8],
            "flat": [2.0, 2.0],
            "sparse": models.SparseVector(indices=[7, 9], values=[1.0, 3.0]),
        },
        payload={"tenant": "b", "n": 3, "live": True, "tags": [], "empty": None},
    ),
    models.PointStruct(
        id=UUIDS[4],
        vector={"dense": [0.0, 1.0], "flat": [0.0, 3.0]},
        payload={"tenant": "b", "n": 4, "price": -1.0, "text": "quick dog", "doc": UUIDS[0]},
    ),
]
LAST = UUIDS[4]
INDEXES: dict[str, Any] = {
    "tenant": models.KeywordIndexParams(type="keyword", is_tenant=True),
    "n": models.PayloadSchemaType.INTEGER,
    "price": models.PayloadSchemaType.FLOAT,
    "live": models.PayloadSchemaType.BOOL,
    "when": models.PayloadSchemaType.DATETIME,
    "doc": models.PayloadSchemaType.UUID,
    "text": models.TextIndexParams(
        type="text", tokenizer=models.TokenizerType.WORD, lowercase=True
    ),
}


def make(qdrant: QdrantClient, name: str) -> None:
    qdrant.create_collection(
        name,
        vectors_config={
            "dense": models.VectorParams(size=2, distance=models.Distance.COSINE),
            "flat": models.VectorParams(size=2, distance=models.Distance.EUCLID),
            "multi": models.VectorParams(
                size=2,
                distance=models.Distance.DOT,
                multivector_config=models.MultiVectorConfig(
                    comparator=models.MultiVectorComparator.MAX_SIM
                ),
            ),
        },
        sparse_vectors_config={"sparse": models.SparseVectorParams(modifier=models.Modifier.IDF)},
    )
    for field, schema in INDEXES.items():
        qdrant.create_payload_index(name, field, schema)
    qdrant.upsert(name, POINTS)


@pytest.fixture
def collection(qdrant: QdrantClient, unique: Callable[[], str]) -> str:
    """A collection of its own, with POINTS in it."""
    name = unique()
    make(qdrant, name)
    return name


@pytest.fixture(scope="module")
def fixed(qdrant: QdrantClient) -> Any:
    """A collection with POINTS in it, for tests that only read."""
    name = f"contract_{uuid4().hex}"
    make(qdrant, name)
    yield name
    qdrant.delete_collection(name)


def ids(points: Any) -> list[Any]:
    return [point.id for point in points]


def status_of(error: pytest.ExceptionInfo[UnexpectedResponse]) -> int | None:
    return error.value.status_code


def find(qdrant: QdrantClient, name: str, **clauses: Any) -> list[Any]:
    """The ids that a filter lets through, the same by scroll, count and query."""
    chosen = models.Filter(**clauses)
    found = ids(qdrant.scroll(name, scroll_filter=chosen)[0])
    assert qdrant.count(name, count_filter=chosen).count == len(found)
    queried = qdrant.query_points(name, query=[1.0, 0.0], using="dense", query_filter=chosen)
    assert set(ids(queried.points)) == set(found)
    return found


def field(key: str, **condition: Any) -> models.FieldCondition:
    return models.FieldCondition(key=key, **condition)


# --- service -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["healthz", "readyz", "livez"])
def test_health(qdrant_url: str, path: str) -> None:
    answer = httpx.get(f"{qdrant_url}/{path}")
    assert answer.status_code == 200
    assert "passed" in answer.text or "ready" in answer.text


def test_version_is_the_clients(qdrant: QdrantClient) -> None:
    info = qdrant.info()
    assert "qdrant" in info.title
    assert info.version.startswith("1.")


# --- collections ---------------------------------------------------------------------------


def test_collection_info(qdrant: QdrantClient, fixed: str) -> None:
    info = qdrant.get_collection(fixed)
    assert info.points_count == len(POINTS)
    assert info.status in (models.CollectionStatus.GREEN, models.CollectionStatus.YELLOW)
    vectors = info.config.params.vectors
    assert isinstance(vectors, dict)
    assert (vectors["dense"].size, vectors["dense"].distance) == (2, models.Distance.COSINE)
    assert vectors["flat"].distance == models.Distance.EUCLID
    assert vectors["multi"].multivector_config is not None
    sparse = info.config.params.sparse_vectors
    assert sparse is not None
    assert sparse["sparse"].modifier == models.Modifier.IDF
    types = {name: one.data_type.value for name, one in info.payload_schema.items()}
    assert types == {
        "tenant": "keyword",
        "n": "integer",
        "price": "float",
        "live": "bool",
        "when": "datetime",
        "doc": "uuid",
        "text": "text",
    }
    assert info.payload_schema["tenant"].params.is_tenant is True
    assert info.payload_schema["text"].params.tokenizer == models.TokenizerType.WORD
    assert info.payload_schema["price"].points == 3


def test_collections_are_made_listed_and_deleted(
    qdrant: QdrantClient, unique: Callable[[], str]
) -> None:
    name = unique()
    assert not qdrant.collection_exists(name)
    vectors = models.VectorParams(size=3, distance=models.Distance.DOT)
    assert qdrant.create_collection(name, vectors_config=vectors)
    assert qdrant.collection_exists(name)
    assert name in [one.name for one in qdrant.get_collections().collections]
    with pytest.raises(UnexpectedResponse) as error:
        qdrant.create_collection(name, vectors_config=vectors)
    assert status_of(error) == 409
    assert qdrant.delete_collection(name)
    assert not qdrant.collection_exists(name)
    assert name not in [one.name for one in qdrant.get_collections().collections]


def test_unnamed_vector(qdrant: QdrantClient, unique: Callable[[], str]) -> None:
    name = unique()
    qdrant.create_collection(
        name, vectors_config=models.VectorParams(size=2, distance=models.Distance.DOT)
    )
    qdrant.upsert(name, [models.PointStruct(id=i, vector=[float(i), 1.0]) for i in (1, 2, 3)])
    found = qdrant.query_points(name, query=[2.0, 1.0], with_vectors=True).points
    assert [(one.id, one.score, one.vector) for one in found] == [
        (3, 7.0, [3.0, 1.0]),
        (2, 5.0, [2.0, 1.0]),
        (1, 3.0, [1.0, 1.0]),
    ]
    params = qdrant.get_collection(name).config.params
    assert isinstance(params.vectors, models.VectorParams)


@pytest.mark.parametrize(
    "request_of",
    [
        lambda client: client.get_collection("absent"),
        lambda client: client.count("absent"),
        lambda client: client.query_points("absent", query=[1.0]),
        lambda client: client.upsert("absent", [models.PointStruct(id=1, vector=[1.0])]),
        lambda client: client.delete("absent", points_selector=[1]),
    ],
)
def test_unknown_collection_is_404(qdrant: QdrantClient, request_of: Any) -> None:
    with pytest.raises(UnexpectedResponse) as error:
        request_of(qdrant)
    assert status_of(error) == 404
    assert b"absent" in error.value.content


# --- aliases -------------------------------------------------------------------------------


def create_alias(name: str, alias: str) -> models.CreateAliasOperation:
    return models.CreateAliasOperation(
        create_alias=models.CreateAlias(collection_name=name, alias_name=alias)
    )


def delete_alias(alias: str) -> models.DeleteAliasOperation:
    return models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))


def test_alias_switches_between_collections(
    qdrant: QdrantClient, collection: str, unique: Callable[[], str]
) -> None:
    other, alias, renamed = unique(), unique(), unique()
    make(qdrant, other)
    qdrant.delete(other, points_selector=[1])
    qdrant.update_collection_aliases([create_alias(collection, alias)])
    assert qdrant.count(alias).count == 4
    assert qdrant.collection_exists(alias)
    # Both in one request: there is no moment without the alias.
    qdrant.update_collection_aliases([delete_alias(alias), create_alias(other, alias)])
    assert qdrant.count(alias).count == 3
    qdrant.update_collection_aliases(
        [
            models.RenameAliasOperation(
                rename_alias=models.RenameAlias(old_alias_name=alias, new_alias_name=renamed)
            )
        ]
    )
    assert not qdrant.collection_exists(alias)
    assert qdrant.get_collection(renamed).points_count == 3
    pairs = {(one.alias_name, one.collection_name) for one in qdrant.get_aliases().aliases}
    assert (renamed, other) in pairs
    assert alias not in {name for name, _ in pairs}
    assert [one.alias_name for one in qdrant.get_collection_aliases(other).aliases] == [renamed]
    assert qdrant.get_collection_aliases(collection).aliases == []
    assert renamed not in [one.name for one in qdrant.get_collections().collections]
    qdrant.update_collection_aliases([delete_alias(renamed)])
    assert not qdrant.collection_exists(renamed)


def test_alias_goes_with_its_collection(qdrant: QdrantClient, unique: Callable[[], str]) -> None:
    name, alias = unique(), unique()
    make(qdrant, name)
    qdrant.update_collection_aliases([create_alias(name, alias)])
    qdrant.delete_collection(name)
    assert not qdrant.collection_exists(alias)


def test_alias_of_nothing_is_404_and_changes_nothing(
    qdrant: QdrantClient, collection: str, unique: Callable[[], str]
) -> None:
    with pytest.raises(UnexpectedResponse) as error:
        qdrant.update_collection_aliases([create_alias("absent", unique())])
    assert status_of(error) == 404


# --- writing and reading points ------------------------------------------------------------


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


# --- payload indexes -----------------------------------------------------------------------


def test_index_is_made_over_what_is_there_and_deleted(
    qdrant: QdrantClient, collection: str
) -> None:
    qdrant.create_payload_index(collection, "meta.year", models.PayloadSchemaType.INTEGER)
    schema = qdrant.get_collection(collection).payload_schema
    assert schema["meta.year"].points == 2
    chosen = [field("meta.year", range=models.Range(gt=2020))]
    assert find(qdrant, collection, must=chosen) == [2]
    qdrant.delete_payload_index(collection, "meta.year")
    assert "meta.year" not in qdrant.get_collection(collection).payload_schema
    assert find(qdrant, collection, must=chosen) == [2]


# --- filters -------------------------------------------------------------------------------

A = field("tenant", match=models.MatchValue(value="a"))
LIVE = field("live", match=models.MatchValue(value=True))
DEAR = field("price", range=models.Range(gte=2.5))


@pytest.mark.parametrize(
    ("clauses", "expected"),
    [
        ({"must": [A]}, [1, 2]),
        ({"must": A}, [1, 2]),
        ({"must": [A, LIVE]}, [1]),
        ({"should": [LIVE, DEAR]}, [1, 2, 3]),
        ({"must_not": [A]}, [3, LAST]),
        ({"must_not": [A, LIVE]}, [LAST]),
        ({"must": [A], "should": [DEAR], "must_not": [LIVE]}, [2]),
        ({"min_should": models.MinShould(conditions=[A, LIVE, DEAR], min_count=2)}, [1, 2]),
        ({"min_should": models.MinShould(conditions=[A, LIVE, DEAR], min_count=3)}, []),
        ({"must": [models.Filter(should=[models.Filter(must_not=[A]), DEAR])]}, [2, 3, LAST]),
        ({}, [1, 2, 3, LAST]),
    ],
)
def test_clauses(
    qdrant: QdrantClient, fixed: str, clauses: dict[str, Any], expected: list[Any]
) -> None:
    assert find(qdrant, fixed, **clauses) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (field("n", match=models.MatchValue(value=2)), [2]),
        (field("live", match=models.MatchValue(value=True)), [1, 3]),
        (field("live", match=models.MatchValue(value=False)), [2]),
        (field("n", match=models.MatchValue(value=True)), []),
        (field("tags", match=models.MatchValue(value="y")), [1, 2]),
        (field("doc", match=models.MatchValue(value=UUIDS[0])), [LAST]),
        (field("meta.author.name", match=models.MatchValue(value="Ada")), [1]),
        (field("n", match=models.MatchAny(any=[1, 4, 9])), [1, LAST]),
        (field("tenant", match=models.MatchAny(any=["b", "c"])), [3, LAST]),
        (field("tags", match=models.MatchExcept(**{"except": ["y"]})), [1]),
        (field("text", match=models.MatchText(text="QUICK")), [1, LAST]),
        (field("text", match=models.MatchText(text="dog quick")), [LAST]),
        (field("text", match=models.MatchTextAny(text_any="lazy fox")), [1, 2]),
        (field("n", range=models.Range(gt=1, lte=3)), [2, 3]),
        (field("price", range=models.Range(gte=-1.0, lt=1.5)), [LAST]),
        (field("when", range=models.DatetimeRange(gte="2024-06-01T10:00:00Z")), [2]),
        (field("when", range=models.DatetimeRange(gt="2024-06-01T10:00:00Z")), []),
        (field("when", range=models.DatetimeRange(lt="2024-06-01T10:00:00Z")), [1]),
        (field("tags", values_count=models.ValuesCount(gte=2)), [1]),
        (field("tags", values_count=models.ValuesCount(lt=2, gt=0)), [2]),
        (models.IsEmptyCondition(is_empty=models.PayloadField(key="tags")), [3, LAST]),
        (models.IsNullCondition(is_null=models.PayloadField(key="empty")), [3]),
        (field("price", is_empty=True), [3]),
        (field("empty", is_null=True), [3]),
        (models.HasIdCondition(has_id=[2, LAST, 99]), [2, LAST]),
        (models.HasVectorCondition(has_vector="multi"), [1, 2]),
    ],
)
def test_conditions(qdrant: QdrantClient, fixed: str, condition: Any, expected: list[Any]) -> None:
    assert find(qdrant, fixed, must=[condition]) == expected


def test_nested_binds_conditions_to_one_element(qdrant: QdrantClient, fixed: str) -> None:
    kind = field("kind", match=models.MatchValue(value="p"))
    size = field("size", range=models.Range(gt=5))
    nested = models.NestedCondition(
        nested=models.Nested(key="rows", filter=models.Filter(must=[kind, size]))
    )
    assert find(qdrant, fixed, must=[nested]) == [2]
    apart = [
        field("rows[].kind", match=models.MatchValue(value="p")),
        field("rows[].size", range=models.Range(gt=5)),
    ]
    assert find(qdrant, fixed, must=apart) == [1, 2]


# --- scroll, count, facet ------------------------------------------------------------------


def test_scroll_in_pages(qdrant: QdrantClient, fixed: str) -> None:
    first, following = qdrant.scroll(fixed, limit=2)
    assert (ids(first), following) == ([1, 2], 3)
    second, following = qdrant.scroll(fixed, limit=2, offset=following)
    assert (ids(second), following) == ([3, LAST], None)
    page, following = qdrant.scroll(fixed, limit=1, scroll_filter=models.Filter(must_not=[A]))
    assert (ids(page), following) == ([3], LAST)
    page = qdrant.scroll(fixed, limit=1, with_payload=["n"], with_vectors=["flat"])[0]
    assert (page[0].payload, page[0].vector) == ({"n": 1}, {"flat": [1.0, 0.0]})


def test_scroll_in_the_order_of_a_field(qdrant: QdrantClient, fixed: str) -> None:
    down = models.OrderBy(key="price", direction=models.Direction.DESC)
    assert ids(qdrant.scroll(fixed, order_by=down)[0]) == [2, 1, LAST]
    assert ids(qdrant.scroll(fixed, order_by="price")[0]) == [LAST, 1, 2]
    late = models.OrderBy(key="n", start_from=3)
    assert ids(qdrant.scroll(fixed, order_by=late)[0]) == [3, LAST]


def test_count(qdrant: QdrantClient, fixed: str) -> None:
    assert qdrant.count(fixed).count == 4
    assert qdrant.count(fixed, count_filter=models.Filter(must=[A]), exact=True).count == 2


def test_facet(qdrant: QdrantClient, fixed: str) -> None:
    hits = qdrant.facet(fixed, "tenant", exact=True).hits
    assert {one.value: one.count for one in hits} == {"a": 2, "b": 2}
    hits = qdrant.facet(fixed, "tenant", facet_filter=models.Filter(must=[DEAR]), exact=True).hits
    assert [(one.value, one.count) for one in hits] == [("a", 1)]


# --- queries -------------------------------------------------------------------------------

SPARSE = models.SparseVector(indices=[9, 7], values=[1.0, 1.0])


def test_nearest_by_cosine(qdrant: QdrantClient, fixed: str) -> None:
    found = qdrant.query_points(fixed, query=[2.0, 0.0], using="dense", with_payload=["n"]).points
    assert ids(found) == [1, 2, 3, LAST]
    assert [one.score for one in found] == pytest.approx([1.0, 0.8, 0.6, 0.0], abs=1e-6)
    assert found[1].payload == {"n": 2}
    assert found[0].vector is None


def test_nearest_by_distance(qdrant: QdrantClient, fixed: str) -> None:
    found = qdrant.query_points(fixed, query=[0.0, 0.0], using="flat").points
    assert [(one.id, round(one.score, 4)) for one in found] == [
        (1, 1.0),
        (3, 2.8284),
        (LAST, 3.0),
        (2, 4.0),
    ]


def test_nearest_of_many_vectors(qdrant: QdrantClient, fixed: str) -> None:
    found = qdrant.query_points(fixed, query=[[1.0, 0.0], [1.0, 1.0]], using="multi").points
    assert [(one.id, one.score) for one in found] == [(1, 2.0), (2, 1.0)]


def test_nearest_sparse_counts_rare_terms_more(qdrant: QdrantClient, fixed: str) -> None:
    found = qdrant.query_points(fixed, query=SPARSE, using="sparse").points
    assert found[0].id == 3
    assert set(ids(found)) == {1, 2, 3}
    scores = {one.id: one.score for one in found}
    # Term 7 is in all three, term 9 in one of them, with weight 3: without idf it would be 4 to 1.
    assert scores[1] == pytest.approx(scores[2])
    assert scores[3] / scores[1] > 8


def test_limit_offset_and_threshold(qdrant: QdrantClient, fixed: str) -> None:
    near = {"query": [1.0, 0.0], "using": "dense"}
    assert ids(qdrant.query_points(fixed, limit=2, offset=1, **near).points) == [2, 3]
    assert ids(qdrant.query_points(fixed, score_threshold=0.7, **near).points) == [1, 2]
    far = qdrant.query_points(fixed, query=[0.0, 0.0], using="flat", score_threshold=2.9).points
    assert ids(far) == [1, 3]
    exact = models.SearchParams(exact=True, hnsw_ef=32)
    assert ids(qdrant.query_points(fixed, search_params=exact, **near).points)[0] == 1


def test_query_with_vectors_and_without_payload(qdrant: QdrantClient, fixed: str) -> None:
    found = qdrant.query_points(
        fixed, query=[1.0, 0.0], using="dense", limit=1, with_payload=False, with_vectors=["sparse"]
    ).points[0]
    assert found.payload is None
    assert found.vector == {"sparse": models.SparseVector(indices=[7], values=[1.0])}


def test_query_by_id_leaves_the_point_out(qdrant: QdrantClient, fixed: str) -> None:
    assert ids(qdrant.query_points(fixed, query=3, using="dense").points) == [2, LAST, 1]
    mine = models.Filter(must=[A])
    found = qdrant.query_points(fixed, query=LAST, using="dense", query_filter=mine).points
    assert ids(found) == [2, 1]
    with pytest.raises(UnexpectedResponse) as error:
        qdrant.query_points(fixed, query=99, using="dense")
    assert status_of(error) == 404


def test_query_without_a_question_goes_by_id(qdrant: QdrantClient, fixed: str) -> None:
    assert ids(qdrant.query_points(fixed, limit=3).points) == [1, 2, 3]


# Dense order 1 2 3 LAST, sparse order 3 then 1 and 2 in either order; the prefetches take the
# first two of one and the first of the other.
DENSE_TWO = models.Prefetch(query=[1.0, 0.0], using="dense", limit=2)
SPARSE_ONE = models.Prefetch(query=SPARSE, using="sparse", limit=1)


def test_fusion_by_reciprocal_ranks(qdrant: QdrantClient, fixed: str) -> None:
    found = qdrant.query_points(
        fixed,
        prefetch=[DENSE_TWO, SPARSE_ONE],
        query=models.RrfQuery(rrf=models.Rrf(k=60, weights=[0.7, 0.3])),
    ).points
    assert ids(found) == [1, 2, 3]
    turned = qdrant.query_points(
        fixed,
        prefetch=[DENSE_TWO, SPARSE_ONE],
        query=models.RrfQuery(rrf=models.Rrf(k=60, weights=[0.3, 0.7])),
    ).points
    assert ids(turned) == [3, 1, 2]
    assert turned[0].score == pytest.approx(found[0].score)
    plain = qdrant.query_points(
        fixed,
        prefetch=[DENSE_TWO, SPARSE_ONE],
        query=models.FusionQuery(fusion=models.Fusion.RRF),
    ).points
    # With k=2 and ranks from 0: 1/2, 1/2, 1/3.
    assert {one.id: round(one.score, 3) for one in plain} == {1: 0.5, 3: 0.5, 2: 0.333}
    both = qdrant.query_points(
        fixed,
        prefetch=[DENSE_TWO, models.Prefetch(query=[1.0, 0.0], using="flat", limit=1)],
        query=models.RrfQuery(rrf=models.Rrf(k=10)),
    ).points
    assert both[0].score == pytest.approx(2 / 10)


def test_fusion_by_distribution_of_scores(qdrant: QdrantClient, fixed: str) -> None:
    dense = models.Prefetch(query=[1.0, 0.0], using="dense", limit=4)
    found = qdrant.query_points(
        fixed,
        prefetch=[dense, dense],
        query=models.FusionQuery(fusion=models.Fusion.DBSF),
    ).points
    assert ids(found) == [1, 2, 3, LAST]
    # Spread by 3 standard deviations about the mean, and the same from both sides.
    scores = [1.0, 0.8, 0.6, 0.0]
    mean = sum(scores) / 4
    spread = (sum((one - mean) ** 2 for one in scores) / 3) ** 0.5
    expected = [2 * (one - mean + 3 * spread) / (6 * spread) for one in scores]
    assert [one.score for one in found] == pytest.approx(expected, abs=1e-4)


def test_filters_of_prefetches_and_of_the_whole(qdrant: QdrantClient, fixed: str) -> None:
    mine = models.Filter(must_not=[A])
    fused = models.FusionQuery(fusion=models.Fusion.RRF)
    own = models.Prefetch(query=[1.0, 0.0], using="dense", limit=1, filter=mine)
    assert ids(qdrant.query_points(fixed, prefetch=[own], query=fused).points) == [3]
    # The filter of the whole holds within the prefetches already: their limit comes after it.
    bare = models.Prefetch(query=[1.0, 0.0], using="dense", limit=1)
    found = qdrant.query_points(fixed, prefetch=[bare], query=fused, query_filter=mine)
    assert ids(found.points) == [3]


def test_nested_prefetch_rescores(qdrant: QdrantClient, fixed: str) -> None:
    inner = models.Prefetch(query=[1.0, 0.0], using="dense", limit=3)
    middle = models.Prefetch(prefetch=[inner], query=[0.0, 1.0], using="dense", limit=2)
    found = qdrant.query_points(fixed, prefetch=middle, query=[4.0, 0.0], using="flat").points
    # Of 1, 2, 3 the nearest to the second axis are 3 and 2; of these 2 is nearest to (4, 0).
    assert [(one.id, round(one.score, 3)) for one in found] == [(2, 0.0), (3, 2.828)]


def test_query_in_the_order_of_a_field(qdrant: QdrantClient, fixed: str) -> None:
    down = models.OrderByQuery(order_by=models.OrderBy(key="n", direction=models.Direction.DESC))
    assert ids(qdrant.query_points(fixed, query=down, limit=3).points) == [LAST, 3, 2]


def test_sample(qdrant: QdrantClient, fixed: str) -> None:
    some = qdrant.query_points(
        fixed, query=models.SampleQuery(sample=models.Sample.RANDOM), limit=2
    ).points
    assert len(set(ids(some))) == 2


def test_batch_of_queries(qdrant: QdrantClient, fixed: str) -> None:
    answers = qdrant.query_batch_points(
        fixed,
        [
            models.QueryRequest(query=[0.0, 1.0], using="dense", limit=1, with_payload=True),
            models.QueryRequest(query=SPARSE, using="sparse", limit=1),
            models.QueryRequest(query=[1.0, 0.0], using="dense", filter=models.Filter(must=[DEAR])),
        ],
    )
    assert [ids(one.points) for one in answers] == [[LAST], [3], [2]]
    assert answers[0].points[0].payload["n"] == 4
