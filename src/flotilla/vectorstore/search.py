"""Retrieval: a question's nearest passages, by meaning and by words, in one request."""

from collections.abc import Collection, Iterable
from typing import Any, Protocol

from qdrant_client import models

from flotilla.filters import AnyOf, Condition, DateRange, NoneOf, NumberRange, Scalar, parse_filter
from flotilla.models import Passage, Query
from flotilla.settings import RagSettings
from flotilla.vectorstore.bm25 import SparseVector
from flotilla.vectorstore.embedder import Embedder
from flotilla.vectorstore.point_queries import one_of
from flotilla.vectorstore.points import Fusion, PointStore


class QueryEncoder(Protocol):
    """Turns a question into a sparse vector."""

    def encode_query(self, text: str) -> SparseVector:
        """The question's terms; empty where it has none."""
        ...


class Retriever:
    """Finds the passages that a question's answer may rest on. Safe to share between threads."""

    def __init__(
        self, points: PointStore, embedder: Embedder, bm25: QueryEncoder, settings: RagSettings
    ) -> None:
        self._points = points
        self._embedder = embedder
        self._bm25 = bm25
        self._fusion = Fusion(
            prefetch=settings.prefetch,
            k=settings.rrf_k,
            dense_weight=settings.dense_weight,
            bm25_weight=settings.bm25_weight,
        )

    def search(
        self, query: Query, limit: int | None = None, without: Collection[str] = ()
    ) -> list[Passage]:
        """The nearest passages, best first; as many as `query.top_k` unless `limit` says other.

        Searches the query's collections, or all of the tenant's where it names none. While a
        new version is being published, passages of two versions of one document may be among
        them; the ledger knows which one counts. `without` are ids of versions to be left out.

        Raises:
            InvalidRequest: the query's filter is not of the grammar of `flotilla.filters`.
            DependencyUnavailable: Qdrant is out of reach.
        """
        must, must_not = metadata_conditions(parse_filter(query.filter))
        if without:
            must_not.append(one_of("version_id", sorted(without)))
        return self._points.query(
            query.tenant_id,
            query.collection_ids,
            self._embedder.embed_query(query.question),
            self._bm25.encode_query(query.question),
            self._fusion,
            limit or query.top_k,
            must=must,
            must_not=must_not,
        )


def metadata_conditions(conditions: Iterable[Condition]) -> tuple[list[Any], list[Any]]:
    """Conditions on a document's metadata as Qdrant's, (those that must, those that must not)."""
    must: list[Any] = []
    must_not: list[Any] = []
    for condition in conditions:
        path = _path(condition.key)
        match condition:
            case AnyOf(values=values):
                must.append(models.Filter(should=_equal_any(path, values)))
            case NoneOf(values=values):
                must_not.extend(_equal_any(path, values))
            case NumberRange():
                bounds = models.Range(**_bounds(condition))
                must.append(models.FieldCondition(key=path, range=bounds))
            case DateRange():
                dates = models.DatetimeRange(**_bounds(condition))
                must.append(models.FieldCondition(key=path, range=dates))
    return must, must_not


def _path(key: str) -> str:
    # Quoted, so that whatever a user calls a field is a name and never an operator of the path.
    return ".".join(["metadata", *(f'"{part}"' for part in key.split("."))])


def _bounds(condition: NumberRange | DateRange) -> dict[str, Any]:
    return {name: getattr(condition, name) for name in ("gt", "gte", "lt", "lte")}


def _equal_any(path: str, values: tuple[Scalar, ...]) -> list[models.FieldCondition]:
    """One condition a kind of value. Numbers are ranges of one point, since Qdrant's match
    knows no floats and takes 3 and 3.0 for different values."""
    strings = [value for value in values if isinstance(value, str)]
    conditions: list[models.FieldCondition] = []
    if strings:
        conditions.append(models.FieldCondition(key=path, match=models.MatchAny(any=strings)))
    for value in values:
        if isinstance(value, bool):
            conditions.append(models.FieldCondition(key=path, match=models.MatchValue(value=value)))
        elif isinstance(value, int | float):
            point = models.Range(gte=value, lte=value)
            conditions.append(models.FieldCondition(key=path, range=point))
    return conditions
