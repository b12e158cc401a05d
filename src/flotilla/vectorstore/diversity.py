"""Passages that differ from one another: maximal marginal relevance, after Carbonell and Goldstein
1998 (SIGIR, "The Use of MMR, Diversity-Based Reranking for Reordering Documents")."""

from collections.abc import Mapping, Sequence

import numpy as np

from flotilla.models import Passage
from flotilla.vectorstore.document_scores import normalised
from flotilla.vectorstore.embedder import Vector


def diverse(
    passages: Sequence[Passage], vectors: Mapping[str, Vector], diversity: float, limit: int
) -> list[Passage]:
    """So many passages, each with its score, in the order in which they are chosen.

    The next one is that for which (1 - diversity) · relevance - diversity · likeness is highest:
    relevance is its score, from 0 for the least of all to 1 for the highest, and likeness the
    cosine of its vector and that of the passage nearest to it which is chosen already.

    Args:
        passages: the candidates, the best first.
        vectors: by the passages' ids, of length 1; one without is like none.
        diversity: from 0 to 1.
        limit: how many are chosen.
    """
    if not passages:
        return []
    width = max((len(vector) for vector in vectors.values()), default=1)
    rows = np.stack([vectors.get(each.chunk_id, np.zeros(width)) for each in passages])
    relevance = np.array(normalised(passages))
    likeness = np.zeros(len(passages))
    left = np.ones(len(passages), bool)
    chosen: list[int] = []
    while len(chosen) < min(limit, len(passages)):
        gain = (1 - diversity) * relevance - diversity * likeness
        # The first of those that are equal, which is the better one.
        best = int(np.argmax(np.where(left, gain, -np.inf)))
        alike = rows @ rows[best]
        likeness = np.maximum(likeness, alike) if chosen else alike
        left[best] = False
        chosen.append(best)
    return [passages[each] for each in chosen]
