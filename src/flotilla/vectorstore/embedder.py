"""Text to dense vectors: the `Embedder` protocol and fastembed's models on the CPU."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from flotilla.settings import Settings
from flotilla.vectorstore.manifest import read_manifest

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


class FastembedEmbedder:
    """A model of fastembed's, loaded from a folder that `flotilla models pull` laid.

    One instance serves many threads: ONNX Runtime sessions and the tokenizer are safe to share,
    and leave the interpreter's lock while they compute.

    Args:
        model_folder: the folder with the model and its manifest.
        threads: processors that one call may use.
        batch_size: passages that go through the model at once.
        max_tokens: where passages are cut, special tokens included; the length that the model
            was trained on when None. Beyond it cost grows and quality does not.

    Raises:
        ModelMissing: there is no model in the folder.
        FileCorrupt: the folder is damaged.
    """

    def __init__(
        self,
        model_folder: Path,
        threads: int = 1,
        batch_size: int = 16,
        max_tokens: int | None = None,
    ) -> None:
        manifest = read_manifest(model_folder)

        from fastembed import TextEmbedding
        from tokenizers import Tokenizer

        self.name = manifest.model
        self.dimensions = manifest.dimensions
        self.max_tokens = max_tokens or manifest.max_tokens
        self._batch_size = batch_size
        self._model = TextEmbedding(
            manifest.model,
            threads=threads,
            providers=["CPUExecutionProvider"],
            specific_model_path=str(model_folder),
        )
        # fastembed cuts at the tokenizer's `model_max_length`, which may be twice what the
        # model was trained on.
        loaded: Any = self._model.model
        loaded.tokenizer.enable_truncation(self.max_tokens)
        self._counter = Tokenizer.from_file(str(model_folder / "tokenizer.json"))
        self._counter.no_truncation()
        self._counter.no_padding()

    def embed_passages(self, texts: Sequence[str]) -> Matrix:
        """The texts' vectors: shape (len(texts), dimensions), in the order given.

        Texts of like lengths go through the model together, since a batch costs as much as its
        longest text in every row.
        """
        vectors = np.empty((len(texts), self.dimensions), np.float32)
        order = np.argsort(self.count_tokens(texts), kind="stable")
        ordered = [texts[index] for index in order]
        embedded = self._model.passage_embed(ordered, batch_size=self._batch_size)
        for index, vector in zip(order, embedded, strict=True):
            vectors[index] = vector
        return vectors

    def embed_queries(self, texts: Sequence[str]) -> Matrix:
        """Questions' vectors: shape (len(texts), dimensions), in the order given."""
        return np.array(list(self._model.query_embed(texts)), np.float32)

    def embed_query(self, text: str) -> Vector:
        """A question's vector: shape (dimensions,)."""
        vector: Vector = self.embed_queries([text])[0]
        return vector

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Each text's tokens, special tokens excluded and nothing cut off."""
        encodings = self._counter.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding.ids) for encoding in encodings]


def load_embedder(
    settings: Settings, threads: int, batch_size: int | None = None, model: str | None = None
) -> Embedder:
    """The embedder of a model, or of the one that the settings name.

    `batch_size` is the vectorstore fleet's setting when None; `model` is of the form
    `fastembed:NAME` or `openai:NAME`. `threads` and `batch_size` count for the former alone.

    Raises:
        ConfigurationError: EMBEDDING_MODEL is of no known form, or its server has no key.
        ModelMissing: the model was not pulled yet.
        FileCorrupt: the model's folder is damaged.
        DependencyUnavailable: the model's server does not reply.
        ModelRejected: the model's server refuses the request.
    """
    model = model or settings.embedding.model
    if is_remote(model):
        from flotilla.vectorstore.openai_embedder import OpenAIEmbedder

        return OpenAIEmbedder(settings, model)
    return FastembedEmbedder(
        settings.model_folder(model),
        threads=threads,
        batch_size=batch_size or settings.vectorstore.embedding_batch,
    )


def is_remote(model: str) -> bool:
    """Whether a model is on a server, and nothing of it on this machine."""
    return not model.startswith("fastembed:")


def dimensions_of(settings: Settings, model: str) -> int:
    """The dimensions of a model's vectors, without loading it where it is on this machine.

    Raises:
        ModelMissing, FileCorrupt, ConfigurationError, DependencyUnavailable, ModelRejected: as
            `load_embedder`.
    """
    if is_remote(model):
        return load_embedder(settings, threads=1, model=model).dimensions
    return read_manifest(settings.model_folder(model)).dimensions
