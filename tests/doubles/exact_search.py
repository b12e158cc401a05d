"""Retrieval by the fleet's vectors, weights and fusion over all chunks, without a vector store."""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flotilla.retrieval_steps import FusionKind
from flotilla.settings import RetrievalSettings
from flotilla.vectorstore.bm25 import Bm25Encoder
from flotilla.vectorstore.fusion import Scores, fused, ranked


class ExactSearch:
    """Searches texts by meaning, by words, or by both: by the same formulas as Qdrant, exactly.

    Args:
        texts: what the vectors are made of.
        rows: their dense vectors, of length 1, shape (len(texts), dimensions).
        settings: the fusion, `linear` or `dbsf`, its weights and its candidates.
    """

    def __init__(
        self, texts: Sequence[str], rows: NDArray[Any], settings: RetrievalSettings
    ) -> None:
        self._rows = rows
        self._settings = settings
        self._bm25 = Bm25Encoder()
        self._weights: dict[int, list[tuple[int, float]]] = defaultdict(list)
        average = sum(map(len, self._bm25.terms(texts))) / max(1, len(texts))
        for place, sparse in enumerate(self._bm25.encode_passages(texts, average)):
            for term, weight in zip(sparse.indices, sparse.values, strict=True):
                self._weights[term].append((place, weight))

    def search(self, question: str, row: NDArray[Any], by: str = "both") -> list[tuple[int, float]]:
        """Places of texts with their scores, best first: `dense`, `bm25` or `both`.

        Args:
            question: its words.
            row: its dense vector.
            by: what decides.
        """
        dense = self._best(self._rows @ row) if by != "bm25" else {}
        bm25 = self._best(self._by_words(question)) if by != "dense" else {}
        bm25 = {each: score for each, score in bm25.items() if score > 0}
        scores: Scores = dense | bm25
        if dense and bm25:
            fusion = FusionKind(self._settings.fusion)
            if fusion is FusionKind.LINEAR:
                dense, bm25 = self._completed(dense, bm25)
            weights = self._settings.dense_weight, self._settings.bm25_weight
            scores = fused(fusion, dense, bm25, *weights)
        return [(int(each), score) for each, score in ranked(scores)]

    def _completed(
        self, dense: dict[str, float], bm25: dict[str, float]
    ) -> tuple[dict[str, float], dict[str, float]]:
        ids = dense.keys() | bm25.keys()
        # Where fewer have a word of the question than might be returned, the others have none.
        least = min(bm25.values()) if len(bm25) >= self._settings.prefetch else 0.0
        return (
            {each: dense.get(each, min(dense.values())) for each in ids},
            {each: bm25.get(each, least) for each in ids},
        )

    def _by_words(self, question: str) -> NDArray[np.float64]:
        count = len(self._rows)
        scores = np.zeros(count)
        for term in self._bm25.encode_query(question).indices:
            found = self._weights.get(term, [])
            rarity = math.log(1 + (count - len(found) + 0.5) / (len(found) + 0.5))
            for place, weight in found:
                scores[place] += rarity * weight
        return scores

    def _best(self, scores: NDArray[Any]) -> dict[str, float]:
        places = np.argsort(-scores, kind="stable")[: self._settings.prefetch]
        return {str(place): float(scores[place]) for place in places}
