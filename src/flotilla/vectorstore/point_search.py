"""Searching points: the two searches, each by itself or fused, and the passages that they find."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qdrant_client import models

from flotilla.models import Passage
from flotilla.retrieval_steps import FusionKind, RetrievalSteps, Search
from flotilla.vectorstore.bm25 import SparseVector
from flotilla.vectorstore.embedder import Vector
from flotilla.vectorstore.fusion import Scores
from flotilla.vectorstore.hybrid_collection import (
    BM25,
    DENSE,
    Fusion,
    HybridCollection,
    fused,
    fused_by_spread,
    terms_vector,
)
from flotilla.vectorstore.lean_client import FoundPoint
from flotilla.vectorstore.qdrant import CollectionAbsent, call

LINEAR = (FusionKind.LINEAR, FusionKind.LINEAR_EXACT)


def equal(field: str, value: str | bool) -> models.FieldCondition:
    """The condition that a field of the payload has this value."""
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))


def one_of(field: str, values: Sequence[str]) -> models.FieldCondition:
    """The condition that a field of the payload has one of these values."""
    return models.FieldCondition(key=field, match=models.MatchAny(any=list(values)))


def tenants(tenant_id: str, *conditions: Any, must_not: Sequence[Any] = ()) -> models.Filter:
    """The tenant filter, narrowed by further conditions."""
    return models.Filter(
        must=[equal("tenant_id", tenant_id), *conditions], must_not=list(must_not) or None
    )


@dataclass(frozen=True, eq=False)
class Wording:
    """A text to search for: its dense vector, and its terms, of which it may have none. Of a search
    that looks at one of the two alone the other is empty."""

    dense: Vector
    sparse: SparseVector


class PointSearcher(HybridCollection):
    """Searches the live points of a Qdrant collection.

    All methods raise DependencyUnavailable, which is retryable, when Qdrant is out of reach or
    failing, and find nothing while the collection does not exist.

    Args:
        client: as `qdrant.connect` makes it.
        collection: the Qdrant collection's name, see `points.collection_name`.
    """

    def fused(
        self, wording: Wording, fusion: Fusion, limit: int, selected: models.Filter
    ) -> list[Passage]:
        """The selected passages that are nearest by both vectors, best first, fused by Qdrant."""
        return self._passages(fused(wording.dense, wording.sparse, fusion, limit, selected))

    def fused_by_spread(
        self, wording: Wording, prefetch: int, limit: int, selected: models.Filter
    ) -> list[Passage]:
        """The same by the distributions of their scores, each of which weighs the same."""
        found = self._passages(
            fused_by_spread(wording.dense, wording.sparse, prefetch, limit, selected)
        )
        if not wording.sparse.indices:
            return found
        # Qdrant adds up what is a mean here.
        return [each.model_copy(update={"score": each.score / 2}) for each in found]

    def nearest(
        self, wording: Wording, by: Search, limit: int, selected: models.Filter
    ) -> list[Passage]:
        """The selected passages that are nearest by one of the vectors, best first."""
        if by is Search.DENSE:
            return self._passages(_by_dense(wording, limit, filter=selected))
        if not wording.sparse.indices:
            return []
        return self._passages(_by_bm25(wording, limit, filter=selected))

    def _passages(self, request: models.QueryRequest) -> list[Passage]:
        request.with_payload = True
        [points] = self._batch([request])
        return _ordered(points)

    def scores(
        self,
        wordings: Sequence[Wording],
        steps: RetrievalSteps,
        depth: int,
        selected: models.Filter,
    ) -> list[tuple[Scores, Scores]]:
        """Of each wording the candidates' dense and BM25 scores.

        One request for all searches, each of which gives its `depth` best candidates. Where scores
        are to be added up, each candidate gets one of either search: of one that only the other
        search has returned, the least that it has returned, which is more than its own. For
        `linear_exact` a second request asks for its own, which costs about half of having Qdrant
        score the candidates of both in the first.
        """
        asked = [_searches(wording, steps, depth, selected) for wording in wordings]
        found = self._sides(asked)
        if steps.search is Search.HYBRID and steps.fusion is FusionKind.LINEAR_EXACT:
            unknown = [
                _unknown(wording, sides, depth)
                for wording, sides in zip(wordings, found, strict=True)
            ]
            for sides, more in zip(found, self._sides(unknown), strict=True):
                for name, scores in more.items():
                    sides[name] |= scores
        if steps.search is Search.HYBRID and steps.fusion in LINEAR:
            is_exact = steps.fusion is FusionKind.LINEAR_EXACT
            for sides in found:
                _complete(sides, is_whole=is_exact or len(sides[BM25]) < depth)
        return [(sides[DENSE], sides[BM25]) for sides in found]

    def _sides(
        self, asked: Sequence[Mapping[str, models.QueryRequest]]
    ) -> list[dict[str, dict[str, float]]]:
        answers = iter(self._batch([each for searches in asked for each in searches.values()]))
        found = []
        for searches in asked:
            sides: dict[str, dict[str, float]] = {DENSE: {}, BM25: {}}
            for name in searches:
                sides[name] = {point["id"]: point["score"] for point in next(answers)}
            found.append(sides)
        return found

    def _batch(self, requests: list[models.QueryRequest]) -> list[list[FoundPoint]]:
        if not requests:
            return []
        try:
            return call(lambda: self._client.find(self.collection, requests))
        except CollectionAbsent:
            return [[] for _ in requests]

    def passages(self, tenant_id: str, ids: Sequence[str]) -> dict[str, Passage]:
        """The tenant's live passages under these ids, each with the score 0, in one request.

        Those that are not there, or no longer, are left out.
        """
        return {
            record["id"]: passage_of(record["id"], record.get("payload"), 0.0)
            for record in self._records(tenant_id, ids, True, False)
            if (record.get("payload") or {}).get("live")
        }

    def dense_vectors(self, tenant_id: str, ids: Sequence[str]) -> dict[str, Vector]:
        """The dense vectors, of length 1, of those of the tenant's points that are there."""
        found = self._records(tenant_id, ids, ["tenant_id"], [DENSE])
        return {one["id"]: np.array(one["vector"][DENSE], np.float32) for one in found}

    def _records(
        self,
        tenant_id: str,
        ids: Sequence[str],
        payload: bool | list[str],
        vectors: bool | list[str],
    ) -> list[FoundPoint]:
        if not ids:
            return []
        try:
            found = call(lambda: self._client.look_up(self.collection, ids, payload, vectors))
        except CollectionAbsent:
            return []
        return [one for one in found if (one.get("payload") or {}).get("tenant_id") == tenant_id]


def live_points(
    tenant_id: str,
    collection_ids: Sequence[str],
    must: Sequence[Any] = (),
    must_not: Sequence[Any] = (),
) -> models.Filter:
    """What a search may find: the tenant's live points of the collections, of any where none is
    named, that meet further conditions."""
    conditions = [equal("live", True), *must]
    if collection_ids:
        conditions.append(one_of("collection_id", collection_ids))
    return tenants(tenant_id, *conditions, must_not=must_not)


def narrowed(selected: models.Filter, condition: models.FieldCondition) -> models.Filter:
    """The filter with one more condition that has to hold."""
    return models.Filter(must=[selected, condition])


def _ordered(points: Sequence[FoundPoint]) -> list[Passage]:
    """Points as passages. Qdrant orders those of one score as it comes upon them."""
    found = [passage_of(point["id"], point.get("payload"), point["score"]) for point in points]
    return sorted(found, key=lambda each: (-each.score, each.chunk_id))


def _searches(
    wording: Wording, steps: RetrievalSteps, depth: int, selected: models.Filter
) -> dict[str, models.QueryRequest]:
    by_words = bool(wording.sparse.indices)
    searches = {}
    if steps.search is not Search.BM25:
        searches[DENSE] = _by_dense(wording, depth, filter=selected)
    if steps.search is not Search.DENSE and by_words:
        searches[BM25] = _by_bm25(wording, depth, filter=selected)
    return searches


def _complete(sides: Mapping[str, dict[str, float]], *, is_whole: bool) -> None:
    """Give every candidate a score of either search.

    `is_whole` says that BM25 has returned all it has a score for, such as a search that has
    returned less than it might: the rest have no word of the question, and 0 is their true score.
    """
    dense, bm25 = sides[DENSE], sides[BM25]
    if not bm25:  # words decide nothing
        return
    ids = dense.keys() | bm25.keys()
    least = 0.0 if is_whole else min(bm25.values())
    for scores, missing in ((dense, min(dense.values(), default=0.0)), (bm25, least)):
        for each in ids - scores.keys():
            scores[each] = missing


def _unknown(
    wording: Wording, sides: Mapping[str, Mapping[str, float]], depth: int
) -> dict[str, models.QueryRequest]:
    """What asks for the scores that candidates of one search lack of the other.

    A search that has returned less than it might has nothing to say of the rest: they have no word
    of the question.
    """
    dense, bm25 = sides[DENSE], sides[BM25]
    searches = {}
    by_words_alone = [each for each in bm25 if each not in dense]
    if by_words_alone:
        searches[DENSE] = _by_dense(wording, len(by_words_alone), filter=_these(by_words_alone))
    by_meaning_alone = [each for each in dense if each not in bm25]
    if by_meaning_alone and len(bm25) >= depth:
        searches[BM25] = _by_bm25(wording, len(by_meaning_alone), filter=_these(by_meaning_alone))
    return searches


def _these(ids: Sequence[str]) -> models.Filter:
    return models.Filter(must=[models.HasIdCondition(has_id=list(ids))])


def _by_dense(wording: Wording, limit: int, **more: Any) -> models.QueryRequest:
    return models.QueryRequest(query=wording.dense.tolist(), using=DENSE, limit=limit, **more)


def _by_bm25(wording: Wording, limit: int, **more: Any) -> models.QueryRequest:
    terms = terms_vector(wording.sparse)
    return models.QueryRequest(query=terms, using=BM25, limit=limit, **more)


def passage_of(point_id: str, payload: Mapping[str, Any] | None, score: float) -> Passage:
    """The passage that a point with this payload is, with this score."""
    payload = payload or {}
    return Passage(
        chunk_id=point_id,
        collection=payload["collection_id"],
        score=score,
        heading_path=tuple(payload["heading_path"]),
        **{name: payload[name] for name in _COPIED},
        **{name: payload[name] for name in _SINCE if name in payload},
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

_SINCE = ("data_type", "html", "box")
"""Fields that points of earlier times lack."""
