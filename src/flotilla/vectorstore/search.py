"""Retrieval: a question's nearest passages, by meaning and by words, step by step."""

from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np
from qdrant_client import models

from flotilla.filters import parse_filter
from flotilla.models import Passage, Query
from flotilla.retrieval_steps import FusionKind, Rerank, RetrievalSteps, Search, resolve
from flotilla.settings import RetrievalSettings
from flotilla.step_times import step
from flotilla.vectorstore.bm25 import SparseVector
from flotilla.vectorstore.diversity import diverse
from flotilla.vectorstore.document_scores import by_documents, document_scores
from flotilla.vectorstore.embedder import Embedder
from flotilla.vectorstore.fusion import Scores, fused, ranked, reciprocal_ranks
from flotilla.vectorstore.metadata_filter import metadata_conditions
from flotilla.vectorstore.neighbours import grown
from flotilla.vectorstore.point_search import Wording, live_points, narrowed, one_of
from flotilla.vectorstore.points import Fusion, PointStore
from flotilla.vectorstore.reranking import LoadScoring, Scoring, late_interaction, reranked


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
        cross_encoder: gives the model that reranks; None where none is ever asked for.
    """

    def __init__(
        self,
        points: PointStore,
        embedder: Embedder,
        bm25: QueryEncoder,
        settings: RetrievalSettings,
        cross_encoder: LoadScoring | None = None,
    ) -> None:
        self._points = points
        self._embedder = embedder
        self._bm25 = bm25
        self._settings = settings
        self._cross_encoder = cross_encoder

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
            InvalidRequest: the query's filter is not of the grammar of `flotilla.filters`, or the
                embedding model cannot rerank.
            ModelMissing: the model that is to rerank is not on this machine.
            DependencyUnavailable: Qdrant is out of reach.
        """
        steps = resolve(query.retrieval, self._settings)
        limit = limit or query.top_k
        with step("embed"):
            asked = [self._wording(text, steps) for text in (query.question, *wordings)]
        must = metadata_conditions(parse_filter(query.filter))
        must_not = [one_of("version_id", sorted(without))] if without else []
        selected = live_points(query.tenant_id, query.collection_ids, must, must_not)
        pool = _pool(steps, limit)
        with step("search"):
            found = self._found(query.tenant_id, asked, steps, pool, selected)
        best: dict[str, float] = {}
        if steps.documents:
            with step("documents"):
                best = self._documents(query.question, found, steps.documents)
                others = {each.document_id for each in found} - best.keys()
                if others:
                    selected = narrowed(selected, one_of("document_id", sorted(best)))
                    found = self._found(query.tenant_id, asked, steps, pool, selected)
        if steps.rerank is not Rerank.NONE:
            with step("rerank"):
                depth = max(steps.rerank_depth, limit)
                found = reranked(query.question, found, depth, self._scoring(steps.rerank))
        if best:
            found = by_documents(found, best)
        if steps.mmr:
            with step("mmr"):
                ids = [each.chunk_id for each in found]
                vectors = self._points.dense_vectors(query.tenant_id, ids)
                found = diverse(found, vectors, steps.mmr, limit)
        return found[:limit]

    def _documents(self, question: str, found: Sequence[Passage], limit: int) -> dict[str, float]:
        """The best documents with their scores."""
        scores = document_scores(
            question, found, lambda text: self._bm25.encode_query(text).indices
        )
        return dict(ranked(scores)[:limit])

    def _scoring(self, rerank: Rerank) -> Scoring:
        if rerank is Rerank.LATE_INTERACTION:
            return late_interaction(self._embedder)
        assert self._cross_encoder is not None  # noqa: S101 - given wherever it may be asked for
        return self._cross_encoder()

    def expand(self, query: Query, passages: Sequence[Passage]) -> list[Passage]:
        """Passages that were found with what stands around them, where the query asks for it."""
        steps = resolve(query.retrieval, self._settings)
        if not steps.expand_tokens or not passages:
            return list(passages)

        def read(ids: Sequence[str]) -> dict[str, Passage]:
            return self._points.passages(query.tenant_id, ids)

        with step("expand"):
            return grown(passages, steps.expand_tokens, read, self._embedder.count_tokens)

    def _wording(self, text: str, steps: RetrievalSteps) -> Wording:
        dense, sparse = np.zeros(0, np.float32), SparseVector([], [])
        if steps.search is not Search.BM25:
            dense = self._embedder.embed_query(text)
        if steps.search is not Search.DENSE:
            sparse = self._bm25.encode_query(text)
        return Wording(dense, sparse)

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
        even = steps.dense_weight == steps.bm25_weight
        if len(asked) == 1 and steps.fusion is FusionKind.DBSF and even:
            return self._points.fused_by_spread(asked[0], steps.prefetch, limit, selected)
        depth = max(steps.prefetch, limit)
        sides = self._points.scores(asked, steps, depth, selected)
        best = _fused(sides, steps)[:limit]
        there = self._points.passages(tenant_id, [each for each, _ in best])
        return [
            there[each].model_copy(update={"score": score}) for each, score in best if each in there
        ]


def _pool(steps: RetrievalSteps, limit: int) -> int:
    """How many passages the steps behind the fusion choose from."""
    pool = limit
    if steps.rerank is not Rerank.NONE:
        pool = max(pool, steps.rerank_depth)
    if steps.documents or steps.mmr:
        pool = max(pool, steps.prefetch)
    return pool


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
        rankings = [(_order(scores), 1.0) for scores in each_fused]
    else:
        weights = (steps.dense_weight, steps.bm25_weight)
        if steps.search is not Search.HYBRID:
            weights = (1.0, 1.0)
        rankings = [
            (_order(scores), weight)
            for pair in sides
            for scores, weight in zip(pair, weights, strict=True)
        ]
    return ranked(reciprocal_ranks(rankings, steps.rrf_k))


def _order(scores: Scores) -> list[str]:
    return [each for each, _ in ranked(scores)]
