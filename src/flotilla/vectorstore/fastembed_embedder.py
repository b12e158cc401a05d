"""fastembed's embedding models, on this machine's processors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flotilla.errors import InvalidRequest
from flotilla.vectorstore.embedder import Matrix, Vector
from flotilla.vectorstore.manifest import read_manifest


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

    def embed_tokens(self, texts: Sequence[str]) -> list[Matrix]:
        """Each text's tokens in their context, special ones excluded: shape (tokens, dimensions),
        each row of length 1.

        Raises:
            InvalidRequest: the model hands out whole texts' vectors alone.
        """
        loaded: Any = self._model.model
        found: list[Matrix] = [np.empty((0, self.dimensions), np.float32)] * len(texts)
        order = np.argsort(self.count_tokens(texts), kind="stable")
        for begin in range(0, len(texts), self._batch_size):
            places = order[begin : begin + self._batch_size]
            batch = [texts[place] for place in places]
            rows = np.asarray(loaded.onnx_embed(batch).model_output, np.float32)
            if rows.ndim != 3:
                raise InvalidRequest(
                    f"The embedding model {self.name} gives no vectors of single tokens: set "
                    "rerank to cross_encoder or none.",
                    field="retrieval.rerank",
                )
            for place, row, encoding in zip(places, rows, loaded.tokenize(batch), strict=True):
                said = np.array(encoding.attention_mask) > np.array(encoding.special_tokens_mask)
                tokens = row[said]
                lengths = np.linalg.norm(tokens, axis=1, keepdims=True)
                found[place] = tokens / np.maximum(lengths, 1e-9)
        return found

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Each text's tokens, special tokens excluded and nothing cut off."""
        encodings = self._counter.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding.ids) for encoding in encodings]
