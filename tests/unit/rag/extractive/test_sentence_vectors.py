import numpy as np

from flotilla.rag.extractive.sentence_vectors import SentenceVectors
from tests.unit.rag.conftest import WordEmbedder


def test_a_sentence_is_embedded_once(embedder: WordEmbedder) -> None:
    vectors = SentenceVectors(embedder)
    vectors.of(["one car", "two cars"])
    asked = ["two cars", "three keys", "two cars"]
    again = vectors.of(asked)
    assert embedder.embedded == ["one car", "two cars", "three keys"]
    assert np.array_equal(
        again, WordEmbedder().embed_passages(["two cars", "three keys", "two cars"])
    )


def test_the_least_recently_used_is_forgotten_first(embedder: WordEmbedder) -> None:
    vectors = SentenceVectors(embedder, size=2)
    for texts in (["a1", "b2"], ["a1"], ["c3"], ["a1"], ["b2"]):
        vectors.of(texts)
    assert embedder.embedded == ["a1", "b2", "c3", "b2"]
