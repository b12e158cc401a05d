"""Questions' vectors, embedded together when many are asked at once, and kept for a while."""

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from threading import BoundedSemaphore, Lock

from flotilla.vectorstore.embedder import Embedder, Matrix, Vector

QUESTIONS = 4096
"""Vectors kept; 6 MB at 384 dimensions."""


class QueryVectors:
    """An embedder for many threads, each of which has one question.

    A thread whose turn it is embeds every question that has gathered meanwhile, so that under
    load a batch shares one run of the model, and alone a question is not delayed. A vector
    follows from its text alone, so that nothing kept here can be out of date.

    Args:
        embedder: does the work.
        turns: batches that may be embedded side by side, at best the number of processors.
        size: vectors kept, the least recently used forgotten first.
    """

    def __init__(self, embedder: Embedder, turns: int = 1, size: int = QUESTIONS) -> None:
        self._embedder = embedder
        self._turn = BoundedSemaphore(turns)
        self._size = size
        self._lock = Lock()
        self._kept: OrderedDict[str, Future[Vector]] = OrderedDict()
        self._waiting: dict[str, Future[Vector]] = {}
        self.name = embedder.name
        self.dimensions = embedder.dimensions
        self.max_tokens = embedder.max_tokens

    def embed_query(self, text: str) -> Vector:
        """A question's vector: shape (dimensions,)."""
        with self._lock:
            future = self._kept.get(text)
            if future is None:
                future = self._kept[text] = Future()
                self._waiting[text] = future
            self._kept.move_to_end(text)
        if not future.done():
            with self._turn:
                if not future.done():
                    self._embed_waiting()
        return future.result()

    def _embed_waiting(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        try:
            vectors = self._embedder.embed_queries(list(waiting))
        except BaseException as error:
            with self._lock:
                for text in waiting:
                    self._kept.pop(text, None)
            for future in waiting.values():
                future.set_exception(error)
            raise
        for future, vector in zip(waiting.values(), vectors, strict=True):
            future.set_result(vector)
        with self._lock:
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)

    def embed_queries(self, texts: Sequence[str]) -> Matrix:
        """Questions' vectors: shape (len(texts), dimensions), in the order given."""
        return self._embedder.embed_queries(texts)

    def embed_passages(self, texts: Sequence[str]) -> Matrix:
        """The texts' vectors: shape (len(texts), dimensions), in the order given."""
        return self._embedder.embed_passages(texts)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Each text's tokens, special tokens excluded and nothing cut off."""
        return self._embedder.count_tokens(texts)
