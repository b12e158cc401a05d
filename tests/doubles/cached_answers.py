"""A space whose embedder knows a few questions, and answers that count how often they are made."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.models import Answer, Citation, Mode, Passage, Query
from flotilla.rag.caching.keys import Asked
from flotilla.vectorstore.embedder import Matrix, Vector
from flotilla.vectorstore.spaces import VectorSpace

ASKED = "How long is the warranty on a used car?"


class WordEmbedder:
    """A text's vector is its letters' frequencies: what is written alike is near."""

    name = "letters"
    dimensions = 26
    max_tokens = 256

    def embed_queries(self, texts: Sequence[str]) -> Matrix:
        counts = [[text.lower().count(chr(97 + i)) for i in range(26)] for text in texts]
        vectors = np.array(counts, np.float32) + 0.01
        matrix: Matrix = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return matrix.astype(np.float32)

    def embed_query(self, text: str) -> Vector:
        vector: Vector = self.embed_queries([text])[0]
        return vector


class FakeSpace:
    """As much of a space as the caches ask for."""

    def __init__(self, space_id: str = "space-1") -> None:
        self.id = space_id
        self.embedder = WordEmbedder()


def space(space_id: str = "space-1") -> VectorSpace:
    return cast("VectorSpace", FakeSpace(space_id))


def asked(question: str = ASKED, **values: Any) -> Asked:
    reader = values.pop("reader", None)
    mode = values.pop("mode", Mode.SIMPLE)
    query: dict[str, Any] = {
        "tenant_id": DEFAULT_TENANT,
        "question": question,
        "collection_ids": (DEFAULT_TENANT,),
    }
    return Asked(query=Query(**query | values), mode=mode, reader=reader)


PASSAGE = Passage(
    chunk_id="c",
    document_id="d",
    document_name="warranty.txt",
    version_id="v",
    collection="default",
    position=0,
    text="12 months",
    start=0,
    end=9,
    page_start=None,
    page_end=None,
    score=0.5,
)
CITATION = Citation(
    number=1,
    document_id="d",
    document_name="warranty.txt",
    chunk_id="c",
    page_start=None,
    page_end=None,
    quote="12 months",
    start=0,
    end=9,
)


def answer(text: str = "12 months [1]", **values: Any) -> Answer:
    given: dict[str, Any] = {
        "question": ASKED,
        "text": text,
        "answerable": True,
        "citations": (CITATION,),
        "passages": (PASSAGE,),
        "model": "extractive",
        "timings": {"retrieve": 5.0, "generate": 7.0},
    }
    return Answer(**given | values)


class Computing:
    """Gives an answer, and counts how often it was asked for one."""

    def __init__(self, make: Callable[[], Answer] = answer) -> None:
        self._make = make
        self.times = 0

    def __call__(self) -> Answer:
        self.times += 1
        return self._make()
