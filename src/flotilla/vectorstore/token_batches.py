"""Texts of like lengths together, in batches of so many tokens."""

from collections.abc import Sequence
from typing import Any

BATCH_TOKENS = 256
"""Tokens that go through a model at once. What a layer computes of them stays within a processor's
caches, and few are padding: of batches of some thousand tokens a text takes a third longer."""


class Tokenized(str):
    """A text that carries its tokens, so that it is not read twice: once to be put among texts of
    its length, and again to be embedded."""

    encoding: Any

    @classmethod
    def of(cls, text: str, encoding: Any) -> "Tokenized":
        """The text with its encoding, a `tokenizers.Encoding` without padding."""
        made = cls(text)
        made.encoding = encoding
        return made


def batches(lengths: Sequence[int], tokens: int = BATCH_TOKENS) -> list[list[int]]:
    """Places of texts, so that each batch has about `tokens` tokens with its padding.

    Every row of a batch costs as much as its longest, so texts of like lengths are together. The
    longest come first: where several batches are embedded at once, the last are done at about the
    same time. A text that is longer than a batch is one by itself.
    """
    made: list[list[int]] = []
    longest = 0
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        if not made or (len(made[-1]) + 1) * longest > tokens:
            made.append([])
            longest = max(1, lengths[place])
        made[-1].append(place)
    return made
