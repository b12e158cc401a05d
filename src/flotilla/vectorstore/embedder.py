"""Text to dense vectors: what every embedding model can do."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
"""Shape (dimensions,), of length 1."""

Matrix = NDArray[np.float32]
"""Shape (texts, dimensions), each row of length 1."""


class Embedder(Protocol):
    """Turns texts into vectors whose inner product says how alike two texts are.

    `max_tokens` is where a text is cut off, special tokens included.
    """

    name: str
    dimensions: int
    max_tokens: int

    def embed_passages(self, texts: Sequence[str]) -> Matrix:
        """The texts' vectors, row by row in the order given: shape (len(texts), dimensions)."""
        ...

    def embed_queries(self, texts: Sequence[str]) -> Matrix:
        """Questions' vectors: shape (len(texts), dimensions), in the order given."""
        ...

    def embed_query(self, text: str) -> Vector:
        """A question's vector: shape (dimensions,)."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Each text's tokens, special tokens excluded and nothing cut off."""
        ...


@runtime_checkable
class TokenEmbedder(Protocol):
    """An embedder that gives the vectors of single tokens as well."""

    def embed_tokens(self, texts: Sequence[str]) -> list[Matrix]:
        """Each text's tokens in their context, special ones excluded: shape (tokens, dimensions),
        each row of length 1."""
        ...
