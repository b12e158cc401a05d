"""A Qdrant collection whose points have a dense and a BM25 vector each, whatever they stand for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qdrant_client import models

from flotilla.vectorstore.bm25 import SparseVector
from flotilla.vectorstore.embedder import Vector
from flotilla.vectorstore.lean_client import LeanClient
from flotilla.vectorstore.qdrant import CollectionAbsent, call

DENSE = "dense"
BM25 = "bm25"

TENANT_INDEX = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)


def terms_vector(sparse: SparseVector) -> models.SparseVector:
    """A sparse vector as Qdrant has it."""
    return models.SparseVector(indices=sparse.indices, values=sparse.values)


@dataclass(frozen=True)
class Fusion:
    """Weighted reciprocal rank fusion, after Cormack et al. 2009 (SIGIR, "Reciprocal rank fusion
    outperforms Condorcet and individual rank learning methods").

    A point's score is the sum over both searches of 1 / ((rank + 1) / weight + k - 1), ranks from
    0: that is how Qdrant takes weights into it. They stretch the ranks, so that among the first
    ranks, which k outweighs, they count for little.

    `prefetch` is how many candidates each search hands to the fusion.
    """

    prefetch: int
    k: int
    dense_weight: float
    bm25_weight: float


def fused(
    dense: Vector, sparse: SparseVector, fusion: Fusion, limit: int, selected: models.Filter
) -> models.QueryRequest:
    """The request that searches by both vectors and has Qdrant fuse what is found by ranks.

    An empty `sparse` leaves the ranking to the dense vector, and a weight of 0 to the other one.
    """
    sides = _sides(dense, sparse)
    if len(sides) > 1:
        weights = {DENSE: fusion.dense_weight, BM25: fusion.bm25_weight}
        sides = {name: query for name, query in sides.items() if weights[name] > 0}
        ranks = models.Rrf(k=fusion.k, weights=[weights[name] for name in sides])
    else:
        ranks = models.Rrf(k=fusion.k, weights=[1])
    return _request(sides, models.RrfQuery(rrf=ranks), fusion.prefetch, limit, selected)


def fused_by_spread(
    dense: Vector, sparse: SparseVector, prefetch: int, limit: int, selected: models.Filter
) -> models.QueryRequest:
    """The request that has Qdrant fuse by the distributions of the scores (`dbsf`).

    Both searches weigh the same; a score is the sum of as many as `sparse` leaves.
    """
    by_spread = models.FusionQuery(fusion=models.Fusion.DBSF)
    return _request(_sides(dense, sparse), by_spread, prefetch, limit, selected)


def _sides(dense: Vector, sparse: SparseVector) -> dict[str, Any]:
    sides: dict[str, Any] = {DENSE: dense.tolist()}
    if sparse.indices:
        sides[BM25] = terms_vector(sparse)
    return sides


def _request(
    sides: Mapping[str, Any],
    fusion: models.RrfQuery | models.FusionQuery,
    prefetch: int,
    limit: int,
    selected: models.Filter,
) -> models.QueryRequest:
    depth = max(prefetch, limit)
    searches = [
        models.Prefetch(query=query, using=name, filter=selected, limit=depth)
        for name, query in sides.items()
    ]
    return models.QueryRequest(query=fusion, prefetch=searches, limit=limit)


class HybridCollection:
    """Such a collection: made, counted and dropped.

    Args:
        client: as `qdrant.connect` makes it.
        collection: the Qdrant collection's name.
    """

    def __init__(self, client: LeanClient, collection: str) -> None:
        self._client = client
        self.collection = collection

    def _ensure(self, dimensions: int, indexes: Mapping[str, Any]) -> None:
        """Create the collection and the payload indexes, given by field, where they are missing."""
        if not self._exists():
            self._create(dimensions)
        for field, schema in indexes.items():
            self._index(field, schema)

    def _exists(self) -> bool:
        return call(lambda: self._client.collection_exists(self.collection))

    def _create(self, dimensions: int) -> None:
        vectors = models.VectorParams(size=dimensions, distance=models.Distance.COSINE)
        sparse = models.SparseVectorParams(modifier=models.Modifier.IDF)
        try:
            call(
                lambda: self._client.create_collection(
                    self.collection,
                    vectors_config={DENSE: vectors},
                    sparse_vectors_config={BM25: sparse},
                )
            )
        except Exception:
            # Of several workers that start at once, one creates it and the others meet a refusal.
            if not self._exists():
                raise

    def _index(self, field: str, schema: Any) -> None:
        call(lambda: self._client.create_payload_index(self.collection, field, schema))

    def drop(self) -> None:
        """Delete the Qdrant collection with all its points, if there is one."""
        call(lambda: self._client.delete_collection(self.collection))

    def total(self) -> int:
        """How many points the collection has, of all tenants."""
        return self._count(models.Filter())

    def _count(self, selected: models.Filter) -> int:
        try:
            return call(lambda: self._client.count(self.collection, selected, exact=True)).count
        except CollectionAbsent:
            return 0
