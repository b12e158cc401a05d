"""Retrieval: a question's nearest passages, by meaning and by words, step by step."""

from collections.abc import Collection, Sequence
from typing import Protocol

from qdrant_client import models

from flotilla.filters import parse_filter
from flotilla.models import Passage, Query
from flotilla.retrieval_steps import FusionKind, RetrievalSteps, Search, resolve
from flotilla.settings import RetrievalSettings
from flotilla.vectorstore.bm25 import SparseVector
from flotilla.vectorstore.embedder import Embedder
from flotilla.vectorstore.fusion import Scores, fused, ranked, reciprocal_ranks
from flotilla.vectorstore.metadata_filter import metadata_conditions
from flotilla.vectorstore.point_search import Wording, live_points, one_of
from flotilla.vectorstore.points import Fusion, PointStore
from flotilla.vectorstore.timings import step


class QueryEncoder(Protocol):
    """Turns a question into a sparse vector."""

    def encode_query(self, text: str) -> SparseVector:
        """The question's terms; empty where it has none."""
        ...


class Retriever:
    """Finds the passages that a question's answer may rest on. Safe to share between threads.

    Args:
        points: the chunks' vectors.
        embedder: of the model that has made the dense ones.
        bm25: makes the questions' sparse ones.
        settings: the steps where a query does not say otherwise.
    """

    def __init__(
        self,
        points: PointStore,
        embedder: Embedder,
        bm25: QueryEncoder,
        settings: RetrievalSettings,
    ) -> None:
        self._points = points
        self._embedder = embedder
        self._bm25 = bm25
        self._settings = settings

    def search(
        self,
        query: Query,
        limit: int | None = None,
        without: Collection[str] = (),
        wordings: Sequence[str] = (),
    ) -> list[Passage]:
        """The nearest passages, best first; as many as `query.top_k` unless `limit` says other.

        Searches the query's collections, or all of the tenant's where it names none. While a
        new version is being published, passages of two versions of one document may be among
        them; the ledger knows which one counts. `without` are ids of versions to be left out, and
        `wordings` other ways to put the question, which are searched for as well.

        Raises:
            InvalidRequest: the query's filter is not of the grammar of `flotilla.filters`.
            DependencyUnavailable: Qdrant is out of reach.
        """
        steps = resolve(query.retrieval, self._settings)
        limit = limit or query.top_k
        with step("embed"):
            asked = [self._wording(text, steps) for text in (query.question, *wordings)]
        must, must_not = metadata_conditions(parse_filter(query.filter))
        if without:
            must_not.append(one_of("version_id", sorted(without)))
        selected = live_points(query.tenant_id, query.collection_ids, must, must_not)
        with step("search"):
            return self._found(query.tenant_id, asked, steps, limit, selected)

    def _wording(self, text: str, steps: RetrievalSteps) -> Wording:
        no_words = SparseVector([], [])
        sparse = no_words if steps.search is Search.DENSE else self._bm25.encode_query(text)
        return Wording(self._embedder.embed_query(text), sparse)

    def _found(
        self,
        tenant_id: str,
        asked: Sequence[Wording],
        steps: RetrievalSteps,
        limit: int,
        selected: models.Filter,
    ) -> list[Passage]:
        """The best passages after fusion."""
        if len(asked) == 1 and steps.search is not Search.HYBRID:
            return self._points.nearest(asked[0], steps.search, limit, selected)
        if len(asked) == 1 and steps.fusion is FusionKind.RRF:
            fusion = Fusion(
                prefetch=steps.prefetch,
                k=steps.rrf_k,
                dense_weight=steps.dense_weight,
                bm25_weight=steps.bm25_weight,
            )
            return self._points.fused(asked[0], fusion, limit, selected)
        depth = max(steps.prefetch, limit)
        sides = self._points.scores(asked, steps, depth, selected)
        best = _fused(sides, steps)[:limit]
        there = self._points.passages(tenant_id, [each for each, _ in best])
        return [
            there[each].model_copy(update={"score": score}) for each, score in best if each in there
        ]


def _fused(
    sides: Sequence[tuple[Scores, Scores]], steps: RetrievalSteps
) -> list[tuple[str, float]]:
    """The candidates of all wordings, the best first."""
    if steps.search is Search.HYBRID and steps.fusion is not FusionKind.RRF:
        each_fused: list[Scores] = [
            fused(steps.fusion, dense, bm25, steps.dense_weight, steps.bm25_weight)
            for dense, bm25 in sides
        ]
        if len(each_fused) == 1:
            return ranked(each_fused[0])
        rankings = [[each for each, _ in ranked(scores)] for scores in each_fused]
    else:
        rankings = [[each for each, _ in ranked(scores)] for pair in sides for scores in pair]
    return ranked(reciprocal_ranks(rankings, steps.rrf_k))
