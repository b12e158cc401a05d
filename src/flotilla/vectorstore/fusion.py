"""How several searches' scores of the same candidates become one score each.

Reciprocal ranks of one hybrid search are fused by Qdrant itself (`hybrid_collection`); what is here
is done on what its searches returned. Equal scores are ordered by the candidates' ids, so that the
same searches always give the same ranking.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from flotilla.retrieval_steps import FusionKind

Scores = Mapping[str, float]
"""Candidates' scores by their ids, higher is better."""

MIDDLE = 0.5
"""The score by which candidates count that a search does not tell apart at all."""


def ranked(scores: Scores) -> list[tuple[str, float]]:
    """The candidates with their scores, the best first."""
    return sorted(scores.items(), key=lambda each: (-each[1], each[0]))


def fused(
    kind: FusionKind, dense: Scores, bm25: Scores, dense_weight: float, bm25_weight: float
) -> dict[str, float]:
    """One score for each candidate of either search, between 0 and 1 for the linear kinds.

    For the linear kinds both mappings have a score of every candidate, see `PointSearcher.scores`;
    after Bruch, Gai and Ingber 2022 (arXiv:2210.11934, "An Analysis of Fusion Functions for Hybrid
    Retrieval").

    Args:
        kind: any but `rrf`.
        dense: cosines.
        bm25: sums of term weights; empty where the question has no words.
        dense_weight: of the first, beside that of the second: only their ratio counts.
        bm25_weight: of the second.
    """
    if not bm25:
        dense_weight, bm25_weight = 1.0, 0.0
    total = dense_weight + bm25_weight
    sides = ((dense, dense_weight / total), (bm25, bm25_weight / total))
    if kind is FusionKind.DBSF:
        return _sum([(_spread(scores), weight) for scores, weight in sides])
    return _sum([(_from_least(scores), weight) for scores, weight in sides])


def reciprocal_ranks(rankings: Sequence[tuple[Sequence[str], float]], k: int) -> dict[str, float]:
    """The sum over all rankings, each with its weight, of 1 / ((rank + 1) / weight + k - 1), ranks
    from 0: as Qdrant computes it, see `hybrid_collection.Fusion`."""
    scores: dict[str, float] = {}
    for ranking, weight in rankings:
        for rank, each in enumerate(ranking if weight else ()):
            scores[each] = scores.get(each, 0.0) + 1 / ((rank + 1) / weight + k - 1)
    return scores


def _sum(sides: Sequence[tuple[Scores, float]]) -> dict[str, float]:
    fused: dict[str, float] = {}
    for scores, weight in sides:
        for each, score in scores.items():
            fused[each] = fused.get(each, 0.0) + weight * score
    return fused


def _from_least(scores: Scores) -> dict[str, float]:
    """The scores from their least, at 0, to their highest, at 1."""
    if not scores:
        return {}
    lowest, highest = min(scores.values()), max(scores.values())
    if highest <= lowest:
        return dict.fromkeys(scores, MIDDLE)
    return {each: (score - lowest) / (highest - lowest) for each, score in scores.items()}


def _spread(scores: Scores) -> dict[str, float]:
    """The scores from three standard deviations below their mean, 0, to three above, 1, as Qdrant
    computes its `dbsf`: the deviation is that of a sample, and nothing is cut off."""
    values = np.fromiter(scores.values(), float, len(scores))
    deviation = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    if deviation == 0:
        return dict.fromkeys(scores, MIDDLE)
    mean = float(values.mean())
    return {
        each: (score - mean + 3 * deviation) / (6 * deviation) for each, score in scores.items()
    }
