"""The points in Qdrant: written, published, removed, counted and queried.

This is the one place that builds the tenant filter, and every method takes the tenant first.
One Qdrant collection holds all tenants, as Qdrant advises; which of Flotilla's collections a
point belongs to is a payload field.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qdrant_client import QdrantClient, models

from flotilla.errors import DependencyUnavailable
from flotilla.models import Chunk, Passage
from flotilla.settings import Settings
from flotilla.vectorstore.bm25 import SparseVector
from flotilla.vectorstore.embedder import Matrix, Vector
from flotilla.vectorstore.qdrant import CollectionAbsent, call

DENSE = "dense"
BM25 = "bm25"

KEYWORD_INDEXES = ("collection_id", "document_id", "version_id")


def collection_name(settings: Settings) -> str:
    """The Qdrant collection of the embedding model that the settings name.

    Another model has other dimensions and another meaning, hence another collection.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", settings.embedding_model_name.lower()).strip("-")
    return f"{settings.qdrant.collection}-{slug}"


@dataclass(frozen=True)
class Fusion:
    """Weighted reciprocal rank fusion: a point's score is the sum over both searches of
    weight / (k + rank), after Cormack et al. 2009 (SIGIR, "Reciprocal rank fusion outperforms
    Condorcet and individual rank learning methods").

    `prefetch` is how many candidates each search hands to the fusion.
    """

    prefetch: int
    k: int
    dense_weight: float
    bm25_weight: float


class PointStore:
    """A Qdrant collection of chunks with a dense and a BM25 vector each.

    Every method may be repeated, and may run in many threads and processes at once. All raise
    DependencyUnavailable, which is retryable, when Qdrant is out of reach or failing.

    Args:
        client: as `qdrant.connect` makes it.
        collection: the Qdrant collection's name, see `collection_name`.
        dimensions: of the dense vectors.
    """

    def __init__(self, client: QdrantClient, collection: str, dimensions: int) -> None:
        self._client = client
        self._dimensions = dimensions
        self.collection = collection

    # --- the collection --------------------------------------------------------------------

    def ensure(self) -> None:
        """Create the collection and its payload indexes where they are missing."""
        if not self._exists():
            self._create()
        self._index("tenant_id", models.KeywordIndexParams(type="keyword", is_tenant=True))
        for field in KEYWORD_INDEXES:
            self._index(field, models.PayloadSchemaType.KEYWORD)
        self._index("live", models.PayloadSchemaType.BOOL)

    def _exists(self) -> bool:
        return call(lambda: self._client.collection_exists(self.collection))

    def _create(self) -> None:
        vectors = models.VectorParams(size=self._dimensions, distance=models.Distance.COSINE)
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

    # --- writing ---------------------------------------------------------------------------

    def upsert(
        self,
        tenant_id: str,
        collection_id: str,
        document_name: str,
        metadata: Mapping[str, Any],
        chunks: Sequence[Chunk],
        dense: Matrix,
        sparse: Sequence[SparseVector],
        live: bool = False,
    ) -> None:
        """Write one point a chunk, under the chunk's id.

        `dense` has shape (len(chunks), dimensions); `sparse` has one vector a chunk. Points stay
        out of every search until `publish`, unless `live` is set.
        """
        if not chunks:
            return
        shared = {
            "tenant_id": tenant_id,
            "collection_id": collection_id,
            "document_name": document_name,
            "metadata": dict(metadata),
            "live": live,
        }
        points = [
            models.PointStruct(
                id=chunk.id,
                vector={
                    DENSE: row,
                    BM25: models.SparseVector(indices=terms.indices, values=terms.values),
                },
                payload={**shared, **_payload(chunk)},
            )
            for chunk, row, terms in zip(chunks, dense.tolist(), sparse, strict=True)
        ]
        try:
            call(lambda: self._client.upsert(self.collection, points, wait=True))
        except CollectionAbsent:
            self.ensure()
            call(lambda: self._client.upsert(self.collection, points, wait=True))

    def publish(
        self, tenant_id: str, document_id: str, version_id: str, superseded: Sequence[str]
    ) -> None:
        """Make this version's points live and delete those of the `superseded` versions, in one
        batched call: a reader sees the version before or this one.

        Only the versions that are named lose their points: a late call for an old version can
        never take those of a newer one away.
        """
        document = _equal("document_id", document_id)
        operations: list[Any] = [
            models.SetPayloadOperation(
                set_payload=models.SetPayload(
                    payload={"live": True},
                    filter=_of(tenant_id, document, _equal("version_id", version_id)),
                )
            )
        ]
        if superseded:
            older = models.FieldCondition(
                key="version_id", match=models.MatchAny(any=list(superseded))
            )
            selector = models.FilterSelector(filter=_of(tenant_id, document, older))
            operations.append(models.DeleteOperation(delete=selector))
        try:
            call(lambda: self._client.batch_update_points(self.collection, operations, wait=True))
        except CollectionAbsent as error:
            raise DependencyUnavailable(
                "Qdrant has lost the collection while a document was being indexed; "
                "ingest the document again."
            ) from error

    def remove_version(self, tenant_id: str, document_id: str, version_id: str) -> None:
        """Delete the points of one version of a document."""
        self._delete(
            _of(tenant_id, _equal("document_id", document_id), _equal("version_id", version_id))
        )

    def remove_document(self, tenant_id: str, document_id: str) -> None:
        """Delete all of a document's points."""
        self._delete(_of(tenant_id, _equal("document_id", document_id)))

    def remove_collection(self, tenant_id: str, collection_id: str) -> None:
        """Delete the points of all documents of a collection."""
        self._delete(_of(tenant_id, _equal("collection_id", collection_id)))

    def _delete(self, selected: models.Filter) -> None:
        selector = models.FilterSelector(filter=selected)
        try:
            call(lambda: self._client.delete(self.collection, selector, wait=True))
        except CollectionAbsent:
            return

    # --- reading ---------------------------------------------------------------------------

    def count(
        self,
        tenant_id: str,
        *,
        collection_id: str | None = None,
        document_id: str | None = None,
        version_id: str | None = None,
        live: bool | None = None,
    ) -> int:
        """How many of the tenant's points have all of the given fields; exact."""
        fields = {
            "collection_id": collection_id,
            "document_id": document_id,
            "version_id": version_id,
            "live": live,
        }
        given = [_equal(name, value) for name, value in fields.items() if value is not None]
        selected = _of(tenant_id, *given)
        try:
            return call(lambda: self._client.count(self.collection, selected, exact=True)).count
        except CollectionAbsent:
            return 0

    def query(
        self,
        tenant_id: str,
        collection_ids: Sequence[str],
        dense: Vector,
        sparse: SparseVector,
        fusion: Fusion,
        limit: int,
        must: Sequence[Any] = (),
        must_not: Sequence[Any] = (),
    ) -> list[Passage]:
        """The tenant's live passages that are nearest by both vectors, best first.

        One request. `collection_ids` narrows the search unless it is empty; `must` and
        `must_not` are further conditions of Qdrant's; an empty `sparse` leaves the ranking to
        the dense vector.
        """
        conditions = [_equal("live", True), *must]
        if collection_ids:
            wanted = models.MatchAny(any=list(collection_ids))
            conditions.append(models.FieldCondition(key="collection_id", match=wanted))
        selected = _of(tenant_id, *conditions, must_not=must_not)
        depth = max(fusion.prefetch, limit)
        prefetch = [
            models.Prefetch(query=dense.tolist(), using=DENSE, filter=selected, limit=depth)
        ]
        weights = [fusion.dense_weight]
        if sparse.indices:
            terms = models.SparseVector(indices=sparse.indices, values=sparse.values)
            prefetch.append(models.Prefetch(query=terms, using=BM25, filter=selected, limit=depth))
            weights.append(fusion.bm25_weight)
        ranks = models.RrfQuery(rrf=models.Rrf(k=fusion.k, weights=weights))
        try:
            found = call(
                lambda: self._client.query_points(
                    self.collection, query=ranks, prefetch=prefetch, limit=limit
                )
            )
        except CollectionAbsent:
            return []
        return [_passage(point) for point in found.points]


def _equal(field: str, value: str | bool) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))


def _of(tenant_id: str, *conditions: Any, must_not: Sequence[Any] = ()) -> models.Filter:
    """The tenant filter, narrowed by further conditions."""
    return models.Filter(
        must=[_equal("tenant_id", tenant_id), *conditions], must_not=list(must_not) or None
    )


def _payload(chunk: Chunk) -> dict[str, Any]:
    return chunk.model_dump(mode="json", exclude={"id", "tokens"})


def _passage(point: models.ScoredPoint) -> Passage:
    payload = point.payload or {}
    return Passage(
        chunk_id=str(point.id),
        collection=payload["collection_id"],
        score=point.score,
        heading_path=tuple(payload["heading_path"]),
        **{name: payload[name] for name in _COPIED},
    )


_COPIED = (
    "document_id",
    "document_name",
    "version_id",
    "position",
    "text",
    "start",
    "end",
    "page_start",
    "page_end",
    "metadata",
)
