"""The points in Qdrant: written, published and removed. Reading them is in `point_queries`.

Every method takes the tenant first, and one Qdrant collection holds all tenants, as Qdrant
advises; which of Flotilla's collections a point belongs to is a payload field.

A point is live or not. Searches see live points alone, and only two methods make a point live or
change one that is: `publish` and `rewrite`. So a worker that is late, because it was paused or its
message came twice, can write whatever it likes with `upsert`: nobody sees it, and nothing that
is published is hidden or changed by it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from qdrant_client import models

from flotilla.errors import DependencyUnavailable
from flotilla.ledger import spaces
from flotilla.models import Chunk
from flotilla.settings import Settings
from flotilla.vectorstore.bm25 import SparseVector
from flotilla.vectorstore.embedder import Matrix
from flotilla.vectorstore.hybrid_collection import (
    BM25,
    DENSE,
    TENANT_INDEX,
    Fusion,
    terms_vector,
)
from flotilla.vectorstore.lean_client import LeanClient
from flotilla.vectorstore.point_queries import PointReader, StoredVectors
from flotilla.vectorstore.point_search import equal, one_of, tenants
from flotilla.vectorstore.qdrant import CollectionAbsent, call

__all__ = ["BM25", "DENSE", "Fusion", "PointStore", "StoredVectors", "collection_name"]

KEYWORD_INDEXES = ("collection_id", "document_id", "version_id")

NOT_PAYLOAD = frozenset(("id", "tokens", "vector_of", "context"))
"""Fields of a chunk that its point does not carry."""


def collection_name(settings: Settings) -> str:
    """The Qdrant collection of the embedding model that the settings name.

    Another model has other dimensions and another meaning, hence another collection.
    """
    return spaces.collection_name(settings.qdrant.collection, settings.embedding.model)


class PointStore(PointReader):
    """A Qdrant collection of chunks with a dense and a BM25 vector each.

    Every method may be repeated, and may run in many threads and processes at once. All raise
    DependencyUnavailable, which is retryable, when Qdrant is out of reach or failing.

    Args:
        client: as `qdrant.connect` makes it.
        collection: the Qdrant collection's name, see `collection_name`.
        dimensions: of the dense vectors.
    """

    def __init__(self, client: LeanClient, collection: str, dimensions: int) -> None:
        super().__init__(client, collection)
        self._dimensions = dimensions

    # --- the collection --------------------------------------------------------------------

    def ensure(self) -> None:
        """Create the collection and its payload indexes where they are missing."""
        keywords = dict.fromkeys(KEYWORD_INDEXES, models.PayloadSchemaType.KEYWORD)
        live = {"live": models.PayloadSchemaType.BOOL}
        self._ensure(self._dimensions, {"tenant_id": TENANT_INDEX} | keywords | live)

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
    ) -> None:
        """Write one point a chunk, under the chunk's id, that no search sees until `publish`.

        `dense` has shape (len(chunks), dimensions); `sparse` has one vector a chunk. Points that
        are live already stay as they are.
        """
        if not chunks:
            return
        shared = _shared(tenant_id, collection_id, document_name, metadata)
        self._update([_hidden(_points(shared | {"live": False}, chunks, dense, sparse))])

    def rewrite(
        self,
        tenant_id: str,
        collection_id: str,
        document_name: str,
        metadata: Mapping[str, Any],
        chunks: Sequence[Chunk],
        dense: Matrix,
        sparse: Sequence[SparseVector],
    ) -> None:
        """Write the points of a version that is live anew, in place and in one batched call.

        Points that are live are replaced and stay live, so that every search finds them before,
        meanwhile and after. Points that are missing are written hidden: `publish`, which asks
        the ledger first, makes them live. So a worker that is late by a version adds nothing to
        what a search sees.
        """
        if not chunks:
            return
        shared = _shared(tenant_id, collection_id, document_name, metadata)
        present = _upsert(
            _points(shared | {"live": True}, chunks, dense, sparse),
            update_filter=models.Filter(must=[equal("live", True)]),
            update_mode=models.UpdateMode.UPDATE_ONLY,
        )
        missing = _hidden(_points(shared | {"live": False}, chunks, dense, sparse))
        self._update([present, missing])

    def _update(self, operations: list[Any]) -> None:
        try:
            call(lambda: self._client.batch_update_points(self.collection, operations, wait=True))
        except CollectionAbsent:
            self.ensure()
            call(lambda: self._client.batch_update_points(self.collection, operations, wait=True))

    def publish(self, tenant_id: str, document_id: str, version_id: str) -> None:
        """Make this version's points live, all in one call.

        Those of the version before stay: they answer until the ledger names this one, and are
        removed then.
        """
        selected = tenants(
            tenant_id, equal("document_id", document_id), equal("version_id", version_id)
        )
        show = models.SetPayloadOperation(
            set_payload=models.SetPayload(payload={"live": True}, filter=selected)
        )
        try:
            call(lambda: self._client.batch_update_points(self.collection, [show], wait=True))
        except CollectionAbsent as error:
            raise DependencyUnavailable(
                "Qdrant has lost the collection while a document was being indexed; "
                "ingest the document again."
            ) from error

    def remove_version(self, tenant_id: str, document_id: str, version_id: str) -> int:
        """Delete the points of one version of a document; returns how many there were."""
        return self._delete(
            tenants(tenant_id, equal("document_id", document_id), equal("version_id", version_id))
        )

    def remove_documents(self, tenant_id: str, document_ids: Sequence[str]) -> int:
        """Delete all points of some hundreds of documents; returns how many there were."""
        return self._delete(tenants(tenant_id, one_of("document_id", document_ids)))

    def _delete(self, selected: models.Filter) -> int:
        found = self._count(selected)
        selector = models.FilterSelector(filter=selected)
        try:
            # Also where nothing was counted: a late worker may have written meanwhile.
            call(lambda: self._client.delete(self.collection, selector, wait=True))
        except CollectionAbsent:
            return 0
        return found


def _shared(
    tenant_id: str, collection_id: str, document_name: str, metadata: Mapping[str, Any]
) -> dict[str, Any]:
    """What the payloads of all points of a version have in common."""
    return {
        "tenant_id": tenant_id,
        "collection_id": collection_id,
        "document_name": document_name,
        "metadata": dict(metadata),
    }


def _points(
    shared: Mapping[str, Any],
    chunks: Sequence[Chunk],
    dense: Matrix,
    sparse: Sequence[SparseVector],
) -> list[models.PointStruct]:
    return [
        models.PointStruct(
            id=chunk.id,
            vector={
                DENSE: row,
                BM25: terms_vector(terms),
            },
            payload={**shared, **chunk.model_dump(mode="json", exclude=set(NOT_PAYLOAD))},
        )
        for chunk, row, terms in zip(chunks, dense.tolist(), sparse, strict=True)
    ]


def _upsert(points: list[models.PointStruct], **options: Any) -> models.UpsertOperation:
    return models.UpsertOperation(upsert=models.PointsList(points=points, **options))


def _hidden(points: list[models.PointStruct]) -> models.UpsertOperation:
    """An upsert that leaves live points alone: the filter says which existing ones it may touch."""
    return _upsert(points, update_filter=models.Filter(must_not=[equal("live", True)]))
