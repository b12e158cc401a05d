"""The points of conversations' turns: written, found by their meaning, and removed.

They stand in a Qdrant collection of their own beside that of the space's documents, so that no
search for passages can meet one, whatever its filter. Every method takes the tenant and, where it
finds something, the user first. A point has no text: the ledger has that, and decides what is
still there.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from qdrant_client import models

from flotilla.vectorstore.bm25 import SparseVector
from flotilla.vectorstore.embedder import Matrix, Vector
from flotilla.vectorstore.hybrid_collection import (
    BM25,
    DENSE,
    TENANT_INDEX,
    Fusion,
    HybridCollection,
    fused,
    terms_vector,
)
from flotilla.vectorstore.lean_client import LeanClient
from flotilla.vectorstore.point_search import equal, one_of, tenants
from flotilla.vectorstore.qdrant import CollectionAbsent, call

SUFFIX = "__turns"
"""Behind the name of the space's collection. No space's own can end so: its letters are those of
`ledger.spaces.collection_name`."""

INDEXES = ("user_id", "conversation_id")

PAGE = 1000
"""Points of one request of a census."""


class TurnPoint(NamedTuple):
    """Whose turn a point is."""

    id: str
    tenant_id: str
    user_id: str
    conversation_id: str


class NearTurn(NamedTuple):
    """A turn that was found, with the cosine of its vector and the question's."""

    id: str
    similarity: float


class TurnPoints(HybridCollection):
    """A space's collection of turns, with a dense and a BM25 vector each.

    Every method may be repeated. All raise DependencyUnavailable, which is retryable, when Qdrant
    is out of reach or failing; a collection that is not there has no points.

    Args:
        client: as `qdrant.connect` makes it.
        collection: the name of the space's collection of documents.
        dimensions: of the dense vectors.
    """

    def __init__(self, client: LeanClient, collection: str, dimensions: int) -> None:
        super().__init__(client, collection + SUFFIX)
        self._dimensions = dimensions

    def ensure(self) -> None:
        """Create the collection and its payload indexes where they are missing."""
        keywords = dict.fromkeys(INDEXES, models.PayloadSchemaType.KEYWORD)
        self._ensure(self._dimensions, {"tenant_id": TENANT_INDEX} | keywords)

    def upsert(
        self, turns: Sequence[TurnPoint], dense: Matrix, sparse: Sequence[SparseVector]
    ) -> None:
        """Write one point a turn, under the turn's id.

        `dense` has shape (len(turns), dimensions); `sparse` has one vector a turn.
        """
        points = [
            models.PointStruct(
                id=turn.id,
                vector={
                    DENSE: row,
                    BM25: terms_vector(terms),
                },
                payload=dict(zip(turn._fields[1:], turn[1:], strict=True)),
            )
            for turn, row, terms in zip(turns, dense.tolist(), sparse, strict=True)
        ]
        if not points:
            return
        try:
            call(lambda: self._client.upsert(self.collection, points, wait=True))
        except CollectionAbsent:
            self.ensure()
            call(lambda: self._client.upsert(self.collection, points, wait=True))

    def nearest(
        self,
        tenant_id: str,
        user_id: str,
        dense: Vector,
        sparse: SparseVector,
        fusion: Fusion,
        limit: int,
        without: Sequence[str] = (),
    ) -> list[NearTurn]:
        """This user's turns that are nearest by both vectors, best first, without those of these
        ids."""
        selected = tenants(
            tenant_id,
            equal("user_id", user_id),
            must_not=[models.HasIdCondition(has_id=list(without))] if without else [],
        )
        search = fused(dense, sparse, fusion, limit, selected)
        search.with_vector = [DENSE]
        try:
            [found] = call(lambda: self._client.find(self.collection, [search]))
        except CollectionAbsent:
            return []
        return [NearTurn(point["id"], _cosine(point["vector"], dense)) for point in found]

    def remove(self, tenant_id: str, turn_ids: Sequence[str]) -> None:
        """Delete the points of some turns of a tenant's."""
        if turn_ids:
            self._delete(tenants(tenant_id, models.HasIdCondition(has_id=list(turn_ids))))

    def remove_conversation(self, tenant_id: str, conversation_id: str) -> int:
        """Delete the points of a conversation; returns how many there were."""
        selected = tenants(tenant_id, equal("conversation_id", conversation_id))
        found = self._count(selected)
        # Also where nothing was counted: a late worker may have written meanwhile.
        self._delete(selected)
        return found

    def remove_conversations(self, tenant_id: str, conversation_ids: Sequence[str]) -> None:
        """Delete the points of some hundreds of conversations."""
        if conversation_ids:
            self._delete(tenants(tenant_id, one_of("conversation_id", conversation_ids)))

    def _delete(self, selected: models.Filter) -> None:
        selector = models.FilterSelector(filter=selected)
        try:
            call(lambda: self._client.delete(self.collection, selector, wait=True))
        except CollectionAbsent:
            return

    def pages(self, size: int = PAGE) -> Iterator[list[TurnPoint]]:
        """All points of all tenants, page by page, for the sweep alone."""
        offset: models.ExtendedPointId | None = None
        while True:
            try:
                records, offset = call(
                    lambda at=offset: self._client.scroll(  # type: ignore[misc]
                        self.collection,
                        limit=size,
                        offset=at,
                        with_payload=True,
                        with_vectors=False,
                    )
                )
            except CollectionAbsent:
                return
            yield [
                TurnPoint(
                    str(record.id), *(str(record.payload[name]) for name in TurnPoint._fields[1:])
                )
                for record in records
                if record.payload and record.payload.keys() >= set(TurnPoint._fields[1:])
            ]
            if offset is None:
                return


def _cosine(vectors: Any, question: Vector) -> float:
    return float(np.array(vectors[DENSE], np.float32) @ question)
