"""Earlier questions that mean the same, found by their vectors and confirmed by their words.

The questions of one scope, which may share answers, stand in a list of the Redis of the caches,
each with its vector and the key of its answer. Redis itself does not search: each process keeps a
copy of the lists that it uses, and reads on in them where it has stopped.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from flotilla.cache_store import CacheStore, key_of
from flotilla.rag.caching.likeness import alike
from flotilla.vectorstore.embedder import Matrix, Vector

KIND = "semantic"

LONGEST = 512
"""Questions of a scope that are remembered, the oldest forgotten first."""

SCOPES = 64
"""Scopes of which a process keeps its copy, 0.8 MB each at 384 dimensions when it is full."""

CONFIRMED = 3
"""Earlier questions whose answers are looked for, the nearest first: some may be gone."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier question that means the same: the key of its answer, and how near it is."""

    question: str
    answer_key: str
    cosine: float


@dataclass
class _Copy:
    """One scope's questions as far as they are read."""

    read_to: str = "0"
    questions: list[tuple[str, str]] = field(default_factory=list)
    vectors: Matrix | None = None


class EarlierQuestions:
    """The questions that were answered; safe to share between threads.

    Args:
        store: holds them.
        threshold: cosine from which two may mean the same.
    """

    def __init__(self, store: CacheStore, threshold: float) -> None:
        self._store = store
        self._threshold = threshold
        self._lock = Lock()
        self._copies: OrderedDict[str, _Copy] = OrderedDict()

    def find(self, tenant_id: str, scope: str, question: str, vector: Vector) -> list[Earlier]:
        """Questions of the scope that mean the same as this one, the nearest first."""
        copy = self._copy(scope)
        entries = self._store.read_on(key_of(tenant_id, KIND, scope), copy.read_to)
        with self._lock:
            _read_on(copy, entries, len(vector))
            vectors, questions = copy.vectors, list(copy.questions)
        if vectors is None:
            return []
        cosines = vectors @ vector
        near = np.flatnonzero(cosines >= self._threshold)
        ordered = near[np.argsort(-cosines[near], kind="stable")]
        found: dict[str, Earlier] = {}
        for index in ordered:
            earlier, key = questions[index]
            if key not in found and alike(question, earlier):
                found[key] = Earlier(earlier, key, min(1.0, round(float(cosines[index]), 4)))
                if len(found) == CONFIRMED:
                    break
        return list(found.values())

    def add(
        self, tenant_id: str, scope: str, question: str, vector: Vector, key: str, seconds: int
    ) -> None:
        """Remember a question whose answer is kept under the key, for so long."""
        fields = {"question": question.encode(), "answer": key.encode(), "vector": vector.tobytes()}
        self._store.append(key_of(tenant_id, KIND, scope), fields, LONGEST, seconds)

    def _copy(self, scope: str) -> _Copy:
        with self._lock:
            copy = self._copies.setdefault(scope, _Copy())
            self._copies.move_to_end(scope)
            while len(self._copies) > SCOPES:
                self._copies.popitem(last=False)
            return copy


def _read_on(copy: _Copy, entries: list[tuple[str, dict[bytes, bytes]]], dimensions: int) -> None:
    new = [
        (entry_id, fields)
        for entry_id, fields in entries
        # Another thread may have read some of them meanwhile.
        if _number(entry_id) > _number(copy.read_to) and len(fields[b"vector"]) == 4 * dimensions
    ]
    if not new:
        return
    vectors = np.stack([np.frombuffer(fields[b"vector"], np.float32) for _, fields in new])
    together = vectors if copy.vectors is None else np.concatenate([copy.vectors, vectors])
    copy.questions += [
        (fields[b"question"].decode(), fields[b"answer"].decode()) for _, fields in new
    ]
    copy.vectors, copy.questions = together[-LONGEST:], copy.questions[-LONGEST:]
    copy.read_to = new[-1][0]


def _number(entry_id: str) -> tuple[int, int]:
    moment, _, number = entry_id.partition("-")
    return int(moment), int(number or 0)
