"""fastembed's embedding models, on this machine's processors."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from flotilla.errors import InvalidRequest
from flotilla.step_times import step, worked_elsewhere
from flotilla.vectorstore.embedder import Matrix, Vector
from flotilla.vectorstore.manifest import published_name, read_manifest
from flotilla.vectorstore.token_batches import BATCH_TOKENS, Tokenized, batches

PADDING = ("direction", "pad_id", "pad_type_id", "pad_token")
"""What of a tokenizer's padding a single text's takes."""


class FastembedEmbedder:
    """A model of fastembed's, loaded from a folder that `flotilla models pull` laid.

    One instance serves many threads: ONNX Runtime sessions and the tokenizer are safe to share,
    and leave the interpreter's lock while they compute.

    Args:
        model_folder: the folder with the model and its manifest.
        threads: processors that one batch may use.
        lanes: batches of passages that are embedded at once, of all callers together; each caller
            embeds in its own thread when None. Two lanes of one thread do more than one of two,
            whose threads wait for each other after every operation.
        batch_tokens: tokens that go through the model at once, padding included.
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
        lanes: int | None = None,
        batch_tokens: int = BATCH_TOKENS,
        max_tokens: int | None = None,
    ) -> None:
        manifest = read_manifest(model_folder)

        from fastembed import TextEmbedding
        from tokenizers import Tokenizer

        self.name = manifest.model
        self.dimensions = manifest.dimensions
        self.max_tokens = max_tokens or manifest.max_tokens
        self._batch_tokens = batch_tokens
        self._model = TextEmbedding(
            published_name(manifest.model),
            threads=threads,
            providers=["CPUExecutionProvider"],
            specific_model_path=str(model_folder),
        )
        # fastembed cuts at the tokenizer's `model_max_length`, which may be twice what the
        # model was trained on.
        loaded: Any = self._model.model
        loaded.tokenizer.enable_truncation(self.max_tokens)
        self._padding = loaded.tokenizer.padding
        self._tokenize = loaded.tokenize
        loaded.tokenize = self._encodings
        self._tokenizer = Tokenizer.from_str(loaded.tokenizer.to_str())
        self._tokenizer.no_padding()
        self._counter = Tokenizer.from_file(str(model_folder / "tokenizer.json"))
        self._counter.no_truncation()
        self._counter.no_padding()
        self._lanes = ThreadPoolExecutor(lanes, "embedding") if lanes else None

    def embed_passages(self, texts: Sequence[str]) -> Matrix:
        """The texts' vectors: shape (len(texts), dimensions), in the order given.

        Texts of like lengths go through the model together, since a batch costs as much as its
        longest text in every row. What several threads ask for at once is embedded in the order
        in which they came.
        """
        vectors = np.empty((len(texts), self.dimensions), np.float32)
        with step("tokenise"):
            tokenized = self._tokenized(texts)
            places = batches([len(text.encoding) for text in tokenized], self._batch_tokens)
        parts = [[tokenized[place] for place in batch] for batch in places]
        for batch, found in zip(places, self._embed(parts), strict=True):
            vectors[batch] = found
        return vectors

    def _embed(self, parts: list[list[Tokenized]]) -> list[Matrix]:
        if self._lanes is None:
            return [self._embed_batch(part) for part in parts]
        running = [self._lanes.submit(self._embed_timed, part) for part in parts]
        try:
            done = [future.result() for future in running]
            worked_elsewhere("embed", sum(seconds for _, seconds in done))
            return [found for found, _ in done]
        finally:
            for future in running:  # where one has failed, nobody waits for the others
                future.cancel()

    def _embed_timed(self, part: list[Tokenized]) -> tuple[Matrix, float]:
        began = time.thread_time()
        return self._embed_batch(part), time.thread_time() - began

    def _embed_batch(self, part: list[Tokenized]) -> Matrix:
        return np.asarray(list(self._model.passage_embed(part, batch_size=len(part))), np.float32)

    def _tokenized(self, texts: Sequence[str]) -> list[Tokenized]:
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        return [Tokenized.of(text, found) for text, found in zip(texts, encodings, strict=True)]

    def _encodings(self, documents: list[str], **options: Any) -> Any:
        """What fastembed's own `tokenize` gives; a model that changes its texts has new ones."""
        if not all(isinstance(text, Tokenized) for text in documents):
            return self._tokenize(documents, **options)
        encodings = [text.encoding for text in documents if isinstance(text, Tokenized)]
        longest = max(len(encoding) for encoding in encodings)
        padding = {name: self._padding[name] for name in PADDING}
        for encoding in encodings:
            encoding.pad(longest, **padding)
        return encodings

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
        tokenized = self._tokenized(texts)
        for places in batches([len(text.encoding) for text in tokenized], self._batch_tokens):
            batch = [tokenized[place] for place in places]
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
