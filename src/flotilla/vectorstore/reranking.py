"""The best candidates in a new order: by a model that compares question and passage in full."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from flotilla.errors import InvalidRequest
from flotilla.models import Passage
from flotilla.retrieval_steps import FIELD
from flotilla.vectorstore.embedder import Embedder, Matrix, TokenEmbedder


class Scoring(Protocol):
    """Says how well each text answers a question; higher is better."""

    def __call__(self, question: str, texts: Sequence[str], /) -> list[float]: ...


def reranked(
    question: str, passages: Sequence[Passage], depth: int, scoring: Scoring
) -> list[Passage]:
    """The first `depth` passages by their new scores; those behind them are left out, since the two
    kinds of scores do not compare."""
    head = passages[:depth]
    if not head:
        return []
    scores = scoring(question, [read(passage) for passage in head])
    scored = [
        passage.model_copy(update={"score": float(score)})
        for passage, score in zip(head, scores, strict=True)
    ]
    return sorted(scored, key=lambda each: -each.score)  # equal ones stay as they were


def read(passage: Passage) -> str:
    """What of a passage is compared: its headings stand ahead of it, as one reads it."""
    return "\n".join([*passage.heading_path[-2:], passage.text])


def late_interaction(embedder: Embedder) -> Scoring:
    """Scores by the tokens of question and passage: the mean over the question's tokens of the
    highest cosine with any token of the passage.

    After Khattab and Zaharia 2020 (SIGIR, "ColBERT: Efficient and Effective Passage Search via
    Contextualized Late Interaction over BERT"). The embedding model was not trained for it, and its
    tokens are compared as they are.

    Raises:
        InvalidRequest: the embedding model gives no vectors of tokens.
    """

    def scores(question: str, texts: Sequence[str], /) -> list[float]:
        asked, *found = token_vectors(embedder, [question, *texts])
        return [_nearest(asked, tokens) for tokens in found]

    return scores


def _nearest(asked: Matrix, tokens: Matrix) -> float:
    if not len(asked) or not len(tokens):
        return 0.0
    return float(np.mean(np.max(asked @ tokens.T, axis=1)))


def token_vectors(embedder: Embedder, texts: Sequence[str]) -> list[Matrix]:
    """Each text's tokens as rows of length 1.

    Raises:
        InvalidRequest: the model gives none, as one on a server does not.
    """
    if not isinstance(embedder, TokenEmbedder):
        raise InvalidRequest(
            f"The embedding model {embedder.name} gives no vectors of single tokens: set rerank to "
            "cross_encoder or none.",
            field=f"{FIELD}.rerank",
        )
    return embedder.embed_tokens(texts)


LoadScoring = Callable[[], Scoring]
"""Gives what scores passages, loaded when it is first needed."""
