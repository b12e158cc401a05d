"""Vectors of sentences, kept for the next question about the same passages."""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flotilla.vectorstore.embedder import Embedder, Matrix, Vector

SENTENCES = 20_000
"""Sentences kept; 30 MB at 384 dimensions."""


class SentenceVectors:
    """An embedder's vectors of sentences, the least recently used forgotten first.

    Embedding its candidates is nearly all the time that an extractive answer takes, and the
    passages that people ask about are few. A vector follows from its text alone, so that nothing
    kept here can be out of date. One instance serves many threads.
    """

    def __init__(self, embedder: "Embedder", size: int = SENTENCES) -> None:
        self._embedder = embedder
        self._size = size
        self._kept: OrderedDict[str, Vector] = OrderedDict()
        self._lock = Lock()

    def of(self, texts: Sequence[str]) -> "Matrix":
        """The texts' vectors, row by row: shape (len(texts), dimensions)."""
        import numpy as np

        found: dict[str, Vector] = {}
        with self._lock:
            for text in texts:
                if text in self._kept:
                    self._kept.move_to_end(text)
                    found[text] = self._kept[text]
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        if missing:
            # Outside the lock: other questions go on meanwhile.
            vectors = self._embedder.embed_passages(missing)
            found.update(zip(missing, (vector.copy() for vector in vectors), strict=True))
            with self._lock:
                self._kept.update((text, found[text]) for text in missing)
                while len(self._kept) > self._size:
                    self._kept.popitem(last=False)
        return np.stack([found[text] for text in texts])
