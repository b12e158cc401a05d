"""Questions' vectors in the Redis of the caches, for all processes and across restarts."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from flotilla.cache_store import NOBODY, CacheStore, key_of
from flotilla.vectorstore.embedder import Vector

KIND = "embedding"


class KeptVectors:
    """The vectors of one embedding model, as raw float32.

    They are no tenant's own: a vector follows from its text and the model alone. The key holds the
    text's hash, so that nobody reads a question there.

    Args:
        store: holds them.
        model: of the form `fastembed:NAME`.
        dimensions: what is kept with another number is another model's, and passed over.
        seconds: for which one is kept.
    """

    def __init__(self, store: CacheStore, model: str, dimensions: int, seconds: int) -> None:
        self._store = store
        self._model = model
        self._dimensions = dimensions
        self._seconds = seconds

    def get(self, texts: Sequence[str]) -> list[Vector | None]:
        """The texts' vectors in the order given; None where one is not kept."""
        kept = self._store.get_many([self._key(text) for text in texts])
        return [self._vector(each) for each in kept]

    def put(self, vectors: Mapping[str, Vector]) -> None:
        """Keep texts' vectors."""
        values = {self._key(text): vector.tobytes() for text, vector in vectors.items()}
        self._store.put(values, self._seconds)

    def _key(self, text: str) -> str:
        digest = hashlib.sha256(f"{self._model}\0{text}".encode()).hexdigest()
        return key_of(NOBODY, KIND, digest)

    def _vector(self, kept: bytes | None) -> Vector | None:
        if kept is None or len(kept) != 4 * self._dimensions:
            return None
        return np.frombuffer(kept, np.float32)
