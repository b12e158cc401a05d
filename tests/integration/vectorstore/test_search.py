"""The retriever over a real node: metadata filters, ranking, limits."""

from typing import Any

import numpy as np
import pytest

from flotilla.errors import InvalidRequest
from flotilla.models import Chunk, Query, chunk_id
from flotilla.settings import RetrievalSettings
from flotilla.vectorstore.bm25 import Bm25Encoder, SparseVector
from flotilla.vectorstore.embedder import Matrix, Vector
from flotilla.vectorstore.points import PointStore
from flotilla.vectorstore.search import Retriever

DOCUMENTS: dict[str, dict[str, Any]] = {
    "a": {"year": 2020, "state": "final", "signed": True, "author": {"name": "Ada"}},
    "b": {"year": 2022, "state": "draft", "signed": False, "filed": "2022-06-30"},
    "c": {"year": 2024.0, "state": "final", "filed": "2024-01-31T10:00:00Z", "my key": "x"},
    "d": {"year": "unknown", "tags": ["red", "blue"], "number": 2**60 + 1},
}


class LetterEmbedder:
    """A vector that counts four letters: enough to rank, and instant."""

    name = "letters"
    dimensions = 4
    max_tokens = 256

    def embed_query(self, text: str) -> Vector:
        counts = np.array([text.count(letter) + 0.01 for letter in "wxyz"], np.float32)
        return counts / np.linalg.norm(counts)

    def embed_passages(self, texts: Any) -> Matrix:
        return np.stack([self.embed_query(text) for text in texts])

    def count_tokens(self, texts: Any) -> list[int]:
        return [len(text.split()) for text in texts]


def write(
    points: PointStore,
    document: str,
    text: str,
    metadata: dict[str, Any],
    vectors: Matrix,
    terms: SparseVector,
) -> None:
    chunk = Chunk(
        id=chunk_id(document, "v", 0),
        document_id=document,
        version_id="v",
        position=0,
        text=text,
        start=0,
        end=len(text),
        page_start=None,
        page_end=None,
        tokens=1,
    )
    points.upsert("t", "c", document, metadata, [chunk], vectors, [terms])
    points.publish("t", document, "v")


@pytest.fixture
def retriever(points: PointStore, bm25: Bm25Encoder) -> Retriever:
    embedder = LetterEmbedder()
    for number, (document, metadata) in enumerate(DOCUMENTS.items()):
        text = f"{'w' * 3}{'x' * number} lease{number}"
        vectors, terms = embedder.embed_passages([text]), bm25.encode_passages([text])[0]
        write(points, document, text, metadata, vectors, terms)
    return Retriever(points, embedder, bm25, RetrievalSettings(prefetch=10))


def ask(question: str = "w", top_k: int = 10, **metadata_filter: Any) -> Query:
    return Query(
        tenant_id="t",
        question=question,
        collection_ids=("c",),
        top_k=top_k,
        filter=metadata_filter,
    )


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ({}, "abcd"),
        ({"year": 2020}, "a"),
        ({"year": 2024}, "c"),
        ({"year": "unknown"}, "d"),
        ({"year": [2020, 2022, "unknown"]}, "abd"),
        ({"year": {"gte": 2020, "lt": 2024}}, "ab"),
        ({"year": {"gt": 2020}}, "bc"),
        ({"signed": True}, "a"),
        ({"signed": {"not": True}}, "bcd"),
        ({"state": {"not": "draft"}}, "acd"),
        ({"year": {"not": [2020, "unknown"]}}, "bc"),
        ({"filed": {"gte": "2022-06-30", "lte": "2024-01-31"}}, "b"),
        ({"filed": {"gt": "2022-06-30T00:00:00Z"}}, "c"),
        ({"author.name": "Ada"}, "a"),
        ({"my key": "x"}, "c"),
        ({"tags": "blue"}, "d"),
        ({"state": "final", "year": {"lt": 2024}}, "a"),
        ({"nothing": 1}, ""),
        ({"state": {"prefix": "fi"}}, "ac"),
        ({"state": {"prefix": ["dr", "xx"]}}, "b"),
        ({"state": {"prefix": "Fi"}}, ""),
        ({"tags": {"prefix": "bl"}}, "d"),
        ({"author.name": {"prefix": "Ad"}}, "a"),
        ({"my key": {"exists": True}}, "c"),
        ({"signed": {"exists": True}}, "ab"),
        ({"filed": {"exists": False}}, "ad"),
        ({"author": {"exists": True}}, "a"),
        ({"or": [{"year": 2020}, {"state": "draft"}]}, "ab"),
        ({"or": [{"year": 2020, "state": "draft"}, {"tags": "red"}]}, "d"),
        ({"and": [{"year": {"gt": 2020}}, {"filed": {"lt": "2024-01-01"}}]}, "b"),
        ({"not": {"state": "final"}}, "bd"),
        ({"not": {"state": "final", "year": 2020}}, "bcd"),
        ({"not": [{"state": "draft"}, {"tags": "red"}]}, "ac"),
        ({"not": {"or": [{"year": 2020}, {"not": {"filed": {"exists": True}}}]}}, "bc"),
        ({"state": "final", "not": {"author.name": {"prefix": "A"}}}, "c"),
        ({"number": 2**60 + 1}, "d"),
        ({"number": 2**60}, ""),
        ({"number": {"not": [2**60, 2**60 + 2]}}, "abcd"),
        ({"number": 2**64}, ""),
    ],
)
def test_a_filter_finds_what_it_describes(
    retriever: Retriever, condition: dict[str, Any], found: str
) -> None:
    passages = retriever.search(ask(**condition))
    assert sorted(passage.document_id for passage in passages) == list(found)


def test_meaning_and_words_both_count_and_the_best_is_first(retriever: Retriever) -> None:
    passages = retriever.search(ask("www"))
    assert passages[0].document_id == "a"
    passages = retriever.search(ask("wwwxxx lease3"))
    assert passages[0].document_id == "d"
    scores = [passage.score for passage in passages]
    assert scores == sorted(scores, reverse=True)


def test_as_many_passages_as_asked_for(retriever: Retriever) -> None:
    assert len(retriever.search(ask(top_k=2))) == 2
    assert len(retriever.search(ask(top_k=2), limit=3)) == 3


def test_a_filter_outside_the_grammar_is_refused(retriever: Retriever) -> None:
    with pytest.raises(InvalidRequest) as caught:
        retriever.search(ask(year={"near": 2020}))
    assert caught.value.field == "filter.year"
