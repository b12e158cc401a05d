"""Which of the retrieved passages are about a topic.

Retrieval finds as many passages as it is asked for, whatever they are about. What tells is whether
a passage has the topic's words, or a sentence with the evidence of an answer to it.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flotilla.models import Passage
from flotilla.rag.candidates import candidates
from flotilla.rag.terms import coverage, terms, weights

if TYPE_CHECKING:
    from flotilla.rag.extractive import ExtractiveGenerator

ON_TOPIC = 0.5
"""Share of a topic's words, by weight, that a passage and its headings need."""

NEAREST = 3
"""Passages that a language model is shown whatever they are about."""

LOOKED_AT = 8
"""Nearest passages that are looked at for the topic in other words, half a second each at most."""

LIKELY, NEAR = 0.2, 0.4
"""Probability and cosine that the best sentence of such a passage needs. Some ninety topics were
looked at that the sample documents have, have in other words, or do not have. A name of two words
is seldom as likely as a question of ten, so that less is asked of it than of an answer; what is
near in meaning without being likely is another thing of the same kind."""


def on_topic(
    passages: Sequence[Passage], topic: str, sentences: "ExtractiveGenerator | None" = None
) -> list[Passage]:
    """Those of retrieved passages that are about the topic, which may be none.

    Args:
        passages: the nearest first.
        topic: what was asked for.
        sentences: tells which of the nearest have it in other words; without it, the topic's own
            words count alone.
    """
    worded = [terms(p.text) for p in passages]
    around = [terms(" ".join((p.document_name, *p.heading_path))) for p in passages]
    weight = weights(worded)
    asked = terms(topic)
    has = [
        coverage(asked, words, weight, headings) >= ON_TOPIC
        for words, headings in zip(worded, around, strict=True)
    ]
    if sentences is not None:
        for place in range(min(LOOKED_AT, len(passages))):
            has[place] = has[place] or _in_other_words(topic, passages, place, weight, sentences)
    return [passage for passage, kept in zip(passages, has, strict=True) if kept]


def _in_other_words(
    topic: str,
    passages: Sequence[Passage],
    place: int,
    weight: Mapping[str, float],
    sentences: "ExtractiveGenerator",
) -> bool:
    ranked = sentences.rank(topic, candidates([passages[place]]), weight)
    if not ranked or ranked[0].cosine < NEAR:
        return False
    return sentences.likelihood(topic, ranked[0], passages, weight) >= LIKELY
