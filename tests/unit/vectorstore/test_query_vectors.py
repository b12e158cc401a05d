"""Questions asked at once share a run of the model; none is lost, none gets another's vector."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from flotilla.errors import DependencyUnavailable
from flotilla.vectorstore.embedder import Matrix, Vector
from flotilla.vectorstore.query_vectors import QueryVectors
from tests.conftest import wait_until


class CountingEmbedder:
    """Embeds a text as its length; the first run waits until `gate` opens."""

    name = "counting"
    dimensions = 1
    max_tokens = 256

    def __init__(self) -> None:
        self.runs: list[list[str]] = []
        self.gate = threading.Event()
        self.error: Exception | None = None

    def embed_queries(self, texts: Sequence[str]) -> Matrix:
        self.runs.append(list(texts))
        assert self.gate.wait(10)
        if self.error is not None:
            raise self.error
        return np.array([[len(text)] for text in texts], np.float32)

    def embed_passages(self, texts: Sequence[str]) -> Matrix:
        return self.embed_queries(texts)

    def embed_query(self, text: str) -> Vector:
        return self.embed_queries([text])[0]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]


@pytest.fixture
def embedder() -> CountingEmbedder:
    return CountingEmbedder()


def test_questions_that_gather_during_a_run_share_the_next(embedder: CountingEmbedder) -> None:
    vectors = QueryVectors(embedder)
    texts = ["a" * length for length in range(1, 33)]
    with ThreadPoolExecutor(len(texts)) as pool:
        futures = [pool.submit(vectors.embed_query, text) for text in texts]
        embedder.gate.set()
        found = [float(future.result(10)[0]) for future in futures]
    assert found == [float(len(text)) for text in texts]
    assert sum(len(run) for run in embedder.runs) == len(texts)


def test_the_same_question_is_embedded_once(embedder: CountingEmbedder) -> None:
    embedder.gate.set()
    vectors = QueryVectors(embedder)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(vectors.embed_query, ["again"] * 50))
    assert embedder.runs == [["again"]]


def test_only_the_most_recent_questions_are_kept(embedder: CountingEmbedder) -> None:
    embedder.gate.set()
    vectors = QueryVectors(embedder, size=2)
    for text in ("one", "two", "one", "three", "one", "two"):
        vectors.embed_query(text)
    assert embedder.runs == [["one"], ["two"], ["three"], ["two"]]


def test_a_failure_reaches_everyone_who_waited_and_is_not_kept(embedder: CountingEmbedder) -> None:
    embedder.error = RuntimeError("the model is broken")
    vectors = QueryVectors(embedder)
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(vectors.embed_query, f"question {n}") for n in range(4)]
        embedder.gate.set()
        for future in futures:
            with pytest.raises(RuntimeError, match="broken"):
                future.result(10)
    embedder.error = None
    assert vectors.embed_query("question 1")[0] == len("question 1")


def test_who_comes_while_a_server_hangs_does_not_wait_for_it_anew(
    embedder: CountingEmbedder,
) -> None:
    embedder.error = DependencyUnavailable("The embedding model's server did not reply in time.")
    vectors = QueryVectors(embedder)
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(vectors.embed_query, "first")]
        wait_until(lambda: bool(embedder.runs))
        futures += [pool.submit(vectors.embed_query, f"question {n}") for n in range(3)]
        wait_until(lambda: len(vectors._waiting) == 3)
        embedder.gate.set()
        for future in futures:
            with pytest.raises(DependencyUnavailable):
                future.result(10)
    assert embedder.runs == [["first"]]
