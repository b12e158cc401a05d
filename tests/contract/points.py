"""The points that the contract suite writes, and how its tests look at what is found."""

from typing import Any
from uuid import UUID

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


A = field("tenant", match=models.MatchValue(value="a"))
LIVE = field("live", match=models.MatchValue(value=True))
DEAR = field("price", range=models.Range(gte=2.5))
