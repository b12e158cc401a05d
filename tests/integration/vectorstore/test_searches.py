"""The kinds of search and of fusion on a real node, beside what their formulas give."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from qdrant_client import models

from flotilla.models import Chunk, Passage, Query, chunk_id
from flotilla.retrieval_steps import FusionKind, Retrieval, Search
from flotilla.settings import RetrievalSettings
from flotilla.step_times import timing_steps
from flotilla.vectorstore.bm25 import SparseVector
from flotilla.vectorstore.embedder import Matrix, Vector
from flotilla.vectorstore.fusion import fused, ranked
from flotilla.vectorstore.points import BM25, DENSE, PointStore
from flotilla.vectorstore.search import Retriever

WORDS = {"quay": 1, "crane": 2, "tide": 3}

# Angle of the dense vector in degrees, the question's being 0, and the words.
CHUNKS: list[tuple[int, dict[str, float]]] = [
    (10, {}),
    (25, {"quay": 1.0}),
    (40, {"crane": 2.0}),
    (55, {"quay": 0.5, "crane": 1.5}),
    (85, {"crane": 3.0, "tide": 1.0}),
    (120, {"tide": 2.0}),
]
TEXTS = [f"chunk {number}" for number in range(len(CHUNKS))]


def at(degrees: int) -> Vector:
    angle = np.deg2rad(degrees)
    return np.array([np.cos(angle), np.sin(angle), 0, 0], np.float32)


class Compass:
    """Each question points to the angle that it names; its words follow."""

    name = "compass"
    dimensions = 4
    max_tokens = 256

    def embed_query(self, text: str) -> Vector:
        return at(int(text.split()[0]))

    def embed_queries(self, texts: Sequence[str]) -> Matrix:
        return np.stack([self.embed_query(text) for text in texts])

    embed_passages = embed_queries

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def encode_query(self, text: str) -> SparseVector:
        words = text.split()[1:]
        return SparseVector([WORDS[word] for word in words], [1.0] * len(words))


@pytest.fixture
def store(points: PointStore) -> PointStore:
    chunks = [
        Chunk(
            id=chunk_id("d", "v", number),
            document_id="d",
            version_id="v",
            position=number,
            text=text,
            start=0,
            end=len(text),
            page_start=None,
            page_end=None,
            tokens=2,
        )
        for number, text in enumerate(TEXTS)
    ]
    dense = np.stack([at(degrees) for degrees, _ in CHUNKS])
    sparse = [
        SparseVector([WORDS[word] for word in words], list(words.values())) for _, words in CHUNKS
    ]
    points.upsert("t", "c", "d.txt", {}, chunks, dense, sparse)
    points.publish("t", "d", "v")
    return points


def search(store: PointStore, question: str = "0 quay crane", **asked: Any) -> list[Passage]:
    wordings = asked.pop("wordings", ())
    retriever = Retriever(store, Compass(), Compass(), RetrievalSettings())
    query = Query(
        tenant_id="t",
        question=question,
        collection_ids=("c",),
        top_k=asked.pop("top_k", 6),
        retrieval=Retrieval(**asked),
    )
    return retriever.search(query, wordings=wordings)


def numbers(passages: list[Passage]) -> list[int]:
    return [passage.position for passage in passages]


def every_score(store: PointStore) -> tuple[dict[str, float], dict[str, float]]:
    """All chunks' scores by each search alone."""
    terms = Compass().encode_query("0 quay crane")
    found = store._client.query_batch_points(
        store.collection,
        [
            models.QueryRequest(query=at(0).tolist(), using=DENSE, limit=10),
            models.QueryRequest(
                query=models.SparseVector(indices=terms.indices, values=terms.values),
                using=BM25,
                limit=10,
            ),
        ],
    )
    dense, sparse = ({str(one.id): one.score for one in side.points} for side in found)
    return dense, sparse


def test_by_meaning_alone_and_by_words_alone(store: PointStore) -> None:
    assert numbers(search(store, search=Search.DENSE)) == [0, 1, 2, 3, 4, 5]
    assert numbers(search(store, search=Search.BM25))[:1] == [4]
    assert set(numbers(search(store, search=Search.BM25))) == {1, 2, 3, 4}
    assert search(store, "0", search=Search.BM25) == []


def test_what_a_search_did_not_return_counts_as_its_least(store: PointStore) -> None:
    dense, sparse = every_score(store)
    weights = {"dense_weight": 0.6, "bm25_weight": 0.4}
    near = dict(sorted(dense.items(), key=lambda each: -each[1])[:2])
    said = dict(sorted(sparse.items(), key=lambda each: -each[1])[:2])
    ids = near.keys() | said.keys()
    expected = fused(
        FusionKind.LINEAR,
        {each: near.get(each, min(near.values())) for each in ids},
        {each: said.get(each, min(said.values())) for each in ids},
        0.6,
        0.4,
    )
    found = search(store, fusion=FusionKind.LINEAR, prefetch=2, top_k=2, **weights)
    best = dict(ranked(expected)[:2])
    assert {each.chunk_id: each.score for each in found} == pytest.approx(best, abs=1e-4)


def test_scores_that_a_search_did_not_return_are_asked_for(store: PointStore) -> None:
    kind = FusionKind.LINEAR_EXACT
    dense, sparse = every_score(store)
    # One candidate of each search: 0, which has no word of the question, and 4, which is far.
    best = {chunk_id("d", "v", number) for number in (0, 4)}
    expected = fused(
        kind,
        {each: dense[each] for each in best},
        {each: sparse.get(each, 0.0) for each in best},
        0.6,
        0.4,
    )
    asked = {"fusion": kind, "dense_weight": 0.6, "bm25_weight": 0.4}
    found = search(store, prefetch=1, top_k=1, **asked)
    assert {each.chunk_id: each.score for each in found} == pytest.approx(
        {each: score for each, score in expected.items() if score == max(expected.values())},
        abs=1e-4,
    )
    whole = {each.chunk_id: each.score for each in search(store, **asked)}
    assert whole == pytest.approx(
        fused(kind, dense, {each: sparse.get(each, 0.0) for each in dense}, 0.6, 0.4), abs=1e-4
    )


def test_dbsf_is_qdrants_own_where_both_weigh_the_same(store: PointStore) -> None:
    terms = Compass().encode_query("0 quay crane")
    own = store._client.query_points(
        store.collection,
        prefetch=[
            models.Prefetch(query=at(0).tolist(), using=DENSE, limit=10),
            models.Prefetch(
                query=models.SparseVector(indices=terms.indices, values=terms.values),
                using=BM25,
                limit=10,
            ),
        ],
        query=models.FusionQuery(fusion=models.Fusion.DBSF),
    ).points
    expected = {str(each.id): each.score / 2 for each in own}
    # Where the weights differ by however little, scores are added up here.
    for weight in (1, 1.00001):
        found = search(store, fusion=FusionKind.DBSF, dense_weight=1, bm25_weight=weight)
        assert {each.chunk_id: each.score for each in found} == pytest.approx(expected, abs=1e-4)


def test_ranks_are_fused_here_as_qdrant_does_it(store: PointStore) -> None:
    # The same wording twice is ranked as it is once.
    asked: dict[str, Any] = {"fusion": "rrf", "dense_weight": 0.7, "bm25_weight": 0.3, "rrf_k": 5}
    once = search(store, **asked)
    twice = search(store, wordings=["0 quay crane"], **asked)
    assert [each.score for each in twice] == pytest.approx([2 * each.score for each in once])
    assert numbers(twice) == numbers(once)


@pytest.mark.parametrize("kind", list(FusionKind))
def test_a_search_that_counts_nothing_has_no_say(store: PointStore, kind: FusionKind) -> None:
    by_words = search(store, fusion=kind, dense_weight=0, bm25_weight=1, top_k=4)
    assert numbers(by_words) == numbers(search(store, search=Search.BM25))
    by_meaning = search(store, fusion=kind, dense_weight=1, bm25_weight=0, top_k=6)
    assert numbers(by_meaning) == [0, 1, 2, 3, 4, 5]
    without_words = search(store, "0", fusion=kind, dense_weight=0, bm25_weight=1)
    assert numbers(without_words) == [0, 1, 2, 3, 4, 5]


def test_a_question_without_words_is_answered_by_meaning(store: PointStore) -> None:
    for kind in FusionKind:
        assert numbers(search(store, "0", fusion=kind)) == [0, 1, 2, 3, 4, 5]


def test_other_wordings_bring_what_they_find(store: PointStore) -> None:
    for kind in FusionKind:
        alone = search(store, "0 quay", fusion=kind, prefetch=2, top_k=2)
        assert 5 not in numbers(alone)
        found = search(store, "0 quay", fusion=kind, prefetch=2, top_k=4, wordings=["120 tide"])
        assert 5 in numbers(found)
        assert set(numbers(alone)) & set(numbers(found))


def test_other_tenants_points_have_no_part_in_it(store: PointStore) -> None:
    retriever = Retriever(store, Compass(), Compass(), RetrievalSettings())
    for kind in FusionKind:
        query = Query(
            tenant_id="another",
            question="0 quay",
            collection_ids=(),
            retrieval=Retrieval(fusion=kind),
        )
        assert retriever.search(query, wordings=["10 tide"]) == []


def test_the_steps_are_timed(store: PointStore) -> None:
    with timing_steps() as times:
        search(store, fusion=FusionKind.LINEAR)
    assert set(times.milliseconds()) == {"embed", "search"}
