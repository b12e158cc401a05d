"""Passages and an embedder that needs no model."""

import zlib
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from flotilla.models import Passage
from flotilla.rag.text.terms import terms

MakePassage = Callable[..., Passage]


class WordEmbedder:
    """Cosine of the words that two texts share: each word is a direction of its own."""

    name = "words"
    dimensions = 512
    max_tokens = 256

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        self.embedded += texts
        return np.stack([self._vector(text) for text in texts])

    def embed_query(self, text: str) -> np.ndarray:
        return self._vector(text)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def _vector(self, text: str) -> np.ndarray:
        vector = np.zeros(self.dimensions, np.float32)
        for word in terms(text):
            vector[zlib.crc32(word.encode()) % self.dimensions] += 1
        return vector / max(1e-9, float(np.linalg.norm(vector)))


@pytest.fixture
def embedder() -> WordEmbedder:
    return WordEmbedder()


def make_passage(text: str, number: int = 0, **fields: object) -> Passage:
    """A passage that stands somewhere in the middle of its document."""
    start = 1000 * number + 37
    given: dict[str, object] = {
        "chunk_id": f"chunk-{number}",
        "document_id": "document-a",
        "document_name": "handbook.pdf",
        "version_id": "version-1",
        "collection": "default",
        "position": number,
        "text": text,
        "start": start,
        "end": start + len(text),
        "page_start": number + 1,
        "page_end": number + 1,
        "score": 1.0 / (number + 1),
    }
    return Passage.model_validate(given | fields)


@pytest.fixture
def passage() -> MakePassage:
    """Makes passages."""
    return make_passage
