"""A census of a Qdrant collection over all tenants, for the sweep alone.

Everything that answers a tenant's request goes through `points`, which knows no other tenants.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from qdrant_client import models

from flotilla.vectorstore.lean_client import LeanClient
from flotilla.vectorstore.point_search import equal, one_of
from flotilla.vectorstore.qdrant import CollectionAbsent, call

PAGE = 1000
"""Points of one request. Handing over rows holds up the node's other work while it lasts."""


class Origin(NamedTuple):
    """Where a point comes from."""

    tenant_id: str
    document_id: str
    version_id: str


FIELDS = list(Origin._fields)


class PointCensus:
    """Goes through all points of a collection, and counts those of given versions.

    Raises DependencyUnavailable, which is retryable, when Qdrant is out of reach or failing. A
    collection that does not exist has no points.

    Args:
        client: as `qdrant.connect` makes it.
        collection: the Qdrant collection's name.
    """

    def __init__(self, client: LeanClient, collection: str) -> None:
        self._client = client
        self._collection = collection

    def pages(self, size: int = PAGE) -> Iterator[list[Origin]]:
        """The origins of all points, page by page in the order of the points' ids.

        Points that are written meanwhile may be among them or not. Points that are not of
        Flotilla's making have no origin and are left out.
        """
        offset: models.ExtendedPointId | None = None
        while True:
            records, offset = self._page(size, offset)
            yield [
                Origin(**{name: record.payload[name] for name in FIELDS})
                for record in records
                if record.payload and record.payload.keys() >= set(FIELDS)
            ]
            if offset is None:
                return

    def _page(
        self, size: int, offset: models.ExtendedPointId | None
    ) -> tuple[list[models.Record], models.ExtendedPointId | None]:
        try:
            return call(
                lambda: self._client.scroll(
                    self._collection,
                    limit=size,
                    offset=offset,
                    with_payload=FIELDS,
                    with_vectors=False,
                )
            )
        except CollectionAbsent:
            return [], None

    def live_counts(self, version_ids: Sequence[str]) -> dict[str, int]:
        """How many live points each of the versions has; exact, in one request."""
        counts = dict.fromkeys(version_ids, 0)
        if not counts:
            return counts
        chosen = models.Filter(must=[equal("live", True), one_of("version_id", list(counts))])
        try:
            found = call(
                lambda: self._client.facet(
                    self._collection,
                    "version_id",
                    facet_filter=chosen,
                    limit=len(counts),
                    exact=True,
                )
            )
        except CollectionAbsent:
            return counts
        return counts | {str(hit.value): hit.count for hit in found.hits}
