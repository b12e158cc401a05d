"""Questions' vectors, embedded together when many are asked at once, and kept for a while."""

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import BoundedSemaphore, Lock

from flotilla.cache_use import current_use
from flotilla.errors import DependencyUnavailable
from flotilla.models import CacheOutcome
from flotilla.vectorstore.embedder import Embedder, Matrix, Vector
from flotilla.vectorstore.kept_vectors import KIND, KeptVectors
from flotilla.vectorstore.reranking import token_vectors

QUESTIONS = 4096
"""Vectors kept; 6 MB at 384 dimensions."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question whose vector is there or on its way, with where it was found."""

    writes: bool
    vector: Future[tuple[Vector, CacheOutcome]] = field(default_factory=Future)


class QueryVectors:
    """An embedder for many threads, each of which has one question.

    A thread whose turn it is embeds every question that has gathered meanwhile, so that under
    load a batch shares one run of the model, and alone a question is not delayed. A vector
    follows from its text alone, so that nothing kept here can be out of date.

    Args:
        embedder: does the work.
        turns: batches that may be embedded side by side, at best the number of processors.
        size: vectors kept, the least recently used forgotten first.
        kept: where other processes may have put them; looked into before the model is asked.
    """

    def __init__(
        self,
        embedder: Embedder,
        turns: int = 1,
        size: int = QUESTIONS,
        kept: KeptVectors | None = None,
    ) -> None:
        self._embedder = embedder
        self._elsewhere = kept
        self._turn = BoundedSemaphore(turns)
        self._size = size
        self._lock = Lock()
        self._kept: OrderedDict[str, _Asked] = OrderedDict()
        self._waiting: dict[str, _Asked] = {}
        self.name = embedder.name
        self.dimensions = embedder.dimensions
        self.max_tokens = embedder.max_tokens

    def embed_query(self, text: str) -> Vector:
        """A question's vector: shape (dimensions,)."""
        use = current_use()
        with self._lock:
            asked = self._kept.get(text)
            if asked is None:
                asked = self._kept[text] = _Asked(use.policy.writes)
                self._waiting[text] = asked
            self._kept.move_to_end(text)
        if asked.vector.done():
            use.note(KIND, CacheOutcome.HIT)
        else:
            with self._turn:
                if not asked.vector.done():
                    self._embed_waiting()
        vector, outcome = asked.vector.result()
        use.note(KIND, outcome)
        return vector

    def _embed_waiting(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        try:
            found = self._look_elsewhere(list(waiting))
            left = [text for text in waiting if text not in found]
            embedded = self._embedder.embed_queries(left) if left else ()
        except BaseException as error:
            with self._lock:
                if isinstance(error, DependencyUnavailable):
                    # Who came meanwhile has waited for the same server, and need not wait again.
                    waiting, self._waiting = waiting | self._waiting, {}
                for text in waiting:
                    self._kept.pop(text, None)
            for asked in waiting.values():
                asked.vector.set_exception(error)
            raise
        new = dict(zip(left, embedded, strict=True))
        outcome = CacheOutcome.OFF if self._elsewhere is None else CacheOutcome.MISS
        for text, asked in waiting.items():
            hit = text in found
            vector = found[text] if hit else new[text]
            asked.vector.set_result((vector, CacheOutcome.HIT if hit else outcome))
        with self._lock:
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        if self._elsewhere is not None:
            self._elsewhere.put({text: new[text] for text in left if waiting[text].writes})

    def _look_elsewhere(self, texts: Sequence[str]) -> dict[str, Vector]:
        if self._elsewhere is None:
            return {}
        found = zip(texts, self._elsewhere.get(texts), strict=True)
        return {text: vector for text, vector in found if vector is not None}

    def embed_queries(self, texts: Sequence[str]) -> Matrix:
        """Questions' vectors: shape (len(texts), dimensions), in the order given."""
        return self._embedder.embed_queries(texts)

    def embed_passages(self, texts: Sequence[str]) -> Matrix:
        """The texts' vectors: shape (len(texts), dimensions), in the order given."""
        return self._embedder.embed_passages(texts)

    def embed_tokens(self, texts: Sequence[str]) -> list[Matrix]:
        """Each text's tokens as rows of length 1.

        Raises:
            InvalidRequest: the model gives none.
        """
        with self._turn:
            return token_vectors(self._embedder, texts)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Each text's tokens, special tokens excluded and nothing cut off."""
        return self._embedder.count_tokens(texts)
