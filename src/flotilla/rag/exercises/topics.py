"""Which of the retrieved passages are about a topic.

Retrieval finds as many passages as it is asked for, whatever they are about. What tells is whether
a passage has the topic's words, all but the least telling, or a sentence with the evidence of an
answer to it. One word of two says little: "life insurance" is not what an insurer is about.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flotilla.models import Passage
from flotilla.rag.extractive.candidates import candidates
from flotilla.rag.text.terms import coverage, terms, weights

if TYPE_CHECKING:
    from flotilla.rag.extractive.generator import ExtractiveGenerator

ON_TOPIC = 0.5
"""Share of a topic's words, by weight, that a passage and its headings need where nobody looks at
its sentences; a word that only the headings have counts half."""

NEARLY_ALL = 0.8
"""The same where the sentences of a passage with less are looked at. It is as well to have all of
the words in passage and headings together."""

NEAREST = 3
"""Passages that a language model is shown whatever they are about."""

LOOKED_AT = 8
"""Nearest passages that are looked at for the topic in other words, half a second each at most."""

LIKELY, NEAR = 0.2, 0.4
LIKELY_IN_PART, NEAR_IN_PART = 0.45, 0.33
"""Probability and cosine that the best sentence of such a passage needs, and of one that has the
share `ON_TOPIC` of the topic's words. Some two hundred and thirty topics were looked at that the
sample documents have, have in other words, or do not have; a third of them were thought of
afterwards. A name of two words is seldom as likely as a question of ten, so that less is asked of
it than of an answer; what is near in meaning without being likely is another thing of the same
kind."""


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
    enough = ON_TOPIC if sentences is None else NEARLY_ALL
    has = [
        coverage(asked, words, weight, headings) >= enough or {*asked} <= {*words, *headings}
        for words, headings in zip(worded, around, strict=True)
    ]
    if sentences is not None:
        for place in range(min(LOOKED_AT, len(passages))):
            share = coverage(asked, worded[place], weight, around[place])
            has[place] = has[place] or _in_other_words(
                topic, passages, place, weight, sentences, share
            )
    return [passage for passage, kept in zip(passages, has, strict=True) if kept]


def _in_other_words(
    topic: str,
    passages: Sequence[Passage],
    place: int,
    weight: Mapping[str, float],
    sentences: "ExtractiveGenerator",
    share: float,
) -> bool:
    in_part = share >= ON_TOPIC
    ranked = sentences.rank(topic, candidates([passages[place]]), weight)
    if not ranked or ranked[0].cosine < (NEAR_IN_PART if in_part else NEAR):
        return False
    likely = sentences.likelihood(topic, ranked[0], passages, weight)
    # A word of the topic that is there, and another that is not, speak of something else.
    if ranked[0].cosine >= NEAR and likely >= LIKELY and (in_part or share == 0):
        return True
    return share > 0 and likely >= LIKELY_IN_PART
