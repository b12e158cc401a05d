"""Reading points: their counts, the vectors that they hold, and passages of them in no order of
nearness. The search over them is in `point_search`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qdrant_client import models

from flotilla.models import Passage
from flotilla.vectorstore.bm25 import SparseVector
from flotilla.vectorstore.embedder import Vector
from flotilla.vectorstore.hybrid_collection import BM25, DENSE
from flotilla.vectorstore.point_search import (
    PointSearcher,
    equal,
    one_of,
    passage_of,
    tenants,
)
from flotilla.vectorstore.qdrant import CollectionAbsent, call


@dataclass(frozen=True, eq=False)
class StoredVectors:
    """A point's vectors as they are stored: the dense one of length 1, and the BM25 weights."""

    dense: Vector
    sparse: SparseVector


class PointReader(PointSearcher):
    """Reads the points of a Qdrant collection; every method takes the tenant first.

    All methods raise DependencyUnavailable, which is retryable, when Qdrant is out of reach or
    failing, and find nothing while the collection does not exist.

    Args:
        client: as `qdrant.connect` makes it.
        collection: the Qdrant collection's name, see `points.collection_name`.
    """

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
        given = [equal(name, value) for name, value in fields.items() if value is not None]
        return self._count(tenants(tenant_id, *given))

    def count_documents(self, tenant_id: str, document_ids: Sequence[str]) -> int:
        """How many points some hundreds of documents have, live or not; exact."""
        return self._count(tenants(tenant_id, one_of("document_id", document_ids)))

    def present(self, tenant_id: str, ids: Sequence[str]) -> set[str]:
        """Which of the ids are those of the tenant's points, in one request."""
        return {one["id"] for one in self._records(tenant_id, ids, ["tenant_id"], False)}

    def vectors_of(self, tenant_id: str, ids: Sequence[str]) -> dict[str, StoredVectors]:
        """The vectors of the tenant's points with these ids, in one request.

        Points that are not there, such as those of a version that has just been replaced, are
        left out: whoever wants to reuse vectors embeds the missing ones.
        """
        found = self._records(tenant_id, ids, ["tenant_id"], True)
        return {one["id"]: _stored(one["vector"]) for one in found}

    def spread(
        self, tenant_id: str, collection_ids: Sequence[str], limit: int, begin: str
    ) -> list[Passage]:
        """Live passages of the collections from here and there, each with the score 0.

        Points lie in the order of their ids, which say nothing of their documents; `begin` is the
        id to begin at, any UUID, and after the last one the first ones follow.
        """
        selected = tenants(tenant_id, equal("live", True), one_of("collection_id", collection_ids))
        found: dict[str, Passage] = {}
        for offset in (begin, None):
            if len(found) < limit:
                for passage in self._scroll(selected, limit - len(found), offset):
                    found.setdefault(passage.chunk_id, passage)
        return list(found.values())

    def of_version(self, tenant_id: str, version_id: str, limit: int) -> list[Passage]:
        """Live passages of a version in no order, each with the score 0."""
        selected = tenants(tenant_id, equal("live", True), equal("version_id", version_id))
        return self._scroll(selected, limit, None)

    def _scroll(self, selected: models.Filter, limit: int, offset: str | None) -> list[Passage]:
        try:
            records, _ = call(
                lambda: self._client.scroll(
                    self.collection,
                    selected,
                    limit=limit,
                    offset=offset,
                    with_payload=True,
                    with_vectors=False,
                )
            )
        except CollectionAbsent:
            return []
        return [passage_of(str(record.id), record.payload, 0.0) for record in records]


def _stored(vectors: Mapping[str, Any]) -> StoredVectors:
    # A point whose text has stopwords alone may come back without its empty sparse vector.
    terms = vectors.get(BM25) or {"indices": [], "values": []}
    sparse = SparseVector(terms["indices"], terms["values"])
    return StoredVectors(np.array(vectors[DENSE], np.float32), sparse)
