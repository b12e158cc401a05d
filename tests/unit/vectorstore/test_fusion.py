"""Fusing the scores of two searches."""

from itertools import permutations

import pytest

from flotilla.retrieval_steps import FusionKind
from flotilla.vectorstore.fusion import fused, ranked, reciprocal_ranks

LINEAR, DBSF = FusionKind.LINEAR, FusionKind.DBSF
DENSE = {"a": 0.8, "b": 0.6, "c": 0.2}
BM25 = {"a": 0.0, "b": 10.0, "c": 5.0}


def test_linear_takes_each_search_from_its_least_to_its_highest() -> None:
    scores = fused(LINEAR, DENSE, BM25, 0.6, 0.4)
    # Dense: 1, 2/3, 0. BM25, in which a has no word of the question: 0, 1, 1/2.
    assert scores == pytest.approx({"a": 0.6, "b": 0.4 + 0.4, "c": 0.2})


def test_only_the_ratio_of_the_weights_counts() -> None:
    for kind in (LINEAR, DBSF):
        assert fused(kind, DENSE, BM25, 3, 2) == pytest.approx(fused(kind, DENSE, BM25, 0.6, 0.4))


def test_a_question_without_words_is_ranked_by_meaning() -> None:
    for kind in (LINEAR, DBSF):
        scores = fused(kind, DENSE, {}, 0.0, 1.0)
        assert [each for each, _ in ranked(scores)] == ["a", "b", "c"]


def test_what_a_search_does_not_tell_apart_counts_the_same() -> None:
    scores = fused(LINEAR, dict.fromkeys("abc", 0.5), BM25, 0.5, 0.5)
    assert [each for each, _ in ranked(scores)] == ["b", "c", "a"]
    assert fused(DBSF, {"a": 0.3}, {"a": 2.0}, 0.5, 0.5) == pytest.approx({"a": 0.5})


def test_equal_scores_are_ordered_by_id_however_they_came() -> None:
    rankings = {
        tuple(ranked(fused(LINEAR, dict.fromkeys(order, 0.4), dict.fromkeys(order, 3.0), 1, 1)))
        for order in permutations("abcd")
    }
    assert len(rankings) == 1
    assert [each for each, _ in rankings.pop()] == ["a", "b", "c", "d"]


def test_reciprocal_ranks_add_up() -> None:
    scores = reciprocal_ranks([(["a", "b"], 1.0), (["b", "c"], 1.0)], k=2)
    assert scores == pytest.approx({"a": 1 / 2, "b": 1 / 3 + 1 / 2, "c": 1 / 3})
    assert ranked(scores)[0][0] == "b"
    weighed = reciprocal_ranks([(["a"], 0.5), (["b"], 0.25), (["c"], 0.0)], k=60)
    assert weighed == pytest.approx({"a": 1 / 61, "b": 1 / 63})
