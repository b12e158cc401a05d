"""Measures against values that were worked out by hand."""

import math

import pytest

from flotilla.evaluation import measures, span_measures
from flotilla.evaluation.data_sets import Kind, Span
from flotilla.evaluation.ranking import ranked
from flotilla.evaluation.retrieval import Hit
from flotilla.evaluation.span_measures import Stretch, figures, within


def hit(document: str, first: int | None = None, last: int | None = None) -> Hit:
    return Hit(document, "", 0, 1, first, last or first)


def test_a_passage_counts_by_its_best_chunk() -> None:
    hits = [hit("b.txt"), hit("a.txt"), hit("b.txt"), hit("unknown.txt"), hit("c.txt")]
    found_as = {"a.txt": ["a"], "b.txt": ["b"], "c.txt": ["c", "c2"]}

    assert ranked(Kind.PASSAGES, hits, found_as) == ["b", "a", "c", "c2"]


def test_a_chunk_of_two_pages_has_both() -> None:
    hits = [hit("a.pdf", 4, 5), hit("a.pdf", 5), hit("b.txt")]

    assert ranked(Kind.PAGES, hits, {"a.pdf": ["a"], "b.txt": ["b"]}) == ["a#4", "a#5", "b#1"]


def test_ranks_with_grades() -> None:
    ranks = {"q": ["x", "good", "y", "best"], "nothing": [], "late": list("abcdefghijk")}
    grades = {"q": {"best": 2, "good": 1, "missing": 1}, "nothing": {"z": 1}, "late": {"k": 1}}

    found = measures.measure(Kind.PASSAGES, ranks, grades, ["q", "nothing", "late"])

    gained = 1 / math.log2(3) + 2 / math.log2(5)
    ideal = 2 / math.log2(2) + 1 / math.log2(3) + 1 / math.log2(4)
    assert found["nDCG@10"] == pytest.approx([gained / ideal, 0, 0])
    assert found["Recall@1"] == pytest.approx([0, 0, 0])
    assert found["Recall@3"] == pytest.approx([1 / 3, 0, 0])
    assert found["Recall@5"] == pytest.approx([2 / 3, 0, 0])
    assert found["Recall@20"] == pytest.approx([2 / 3, 0, 1])
    assert found["MRR"] == pytest.approx([1 / 2, 0, 1 / 11])
    assert found["MRR@3"] == pytest.approx([1 / 2, 0, 0])


def test_equal_scores_cannot_change_the_order() -> None:
    found = measures.measure(Kind.PASSAGES, {"q": ["z", "a", "m"]}, {"q": {"m": 1}}, ["q"])

    assert found["MRR"] == pytest.approx([1 / 3])


def test_pages_near_the_right_one_and_documents() -> None:
    ranks = {"q": ["b#9", "a#4", "a#30"]}
    grades = {"q": {"a#5": 1, "a#20": 1}}

    found = measures.measure(Kind.PAGES, ranks, grades, ["q"])

    assert found["Recall@5"] == pytest.approx([0])
    assert found["Recall@5 ±1"] == pytest.approx([0.5])
    assert found["Hit@5 ±1"] == pytest.approx([1])
    assert found["Document recall@1"] == pytest.approx([0])
    assert found["Document recall@3"] == pytest.approx([1])


def test_a_page_is_near_in_its_own_document_alone() -> None:
    assert measures.is_near("a#1#4", "a#1#5")
    assert not measures.is_near("a#4", "b#4")
    assert not measures.is_near("a#4", "a#6")


def test_spans_by_character() -> None:
    gold = [Span("a", 100, 200), Span("a", 300, 400)]
    # 50 of the first span, seen twice; 400 characters are read.
    found = [
        Stretch("a", ((50, 150), (900, 1000))),
        Stretch("a", ((0, 150),)),
        Stretch("b", ((0, 50),)),
    ]

    recall, precision, iou = figures(found, gold)

    assert recall == pytest.approx(50 / 200)
    assert precision == pytest.approx(50 / 400)
    assert iou == pytest.approx(50 / (400 + 200 - 50))
    assert figures([], gold) == (0, 0, 0)


def test_gold_that_overlaps_counts_once() -> None:
    gold = [Span("a", 0, 100), Span("a", 50, 150)]

    assert figures([Stretch("a", ((0, 150),))], gold) == pytest.approx((1, 1, 1))


def test_a_budget_cuts_the_last_chunk() -> None:
    found = [Stretch("a", ((0, 300),)), Stretch("b", ((10, 200), (500, 600)))]

    assert within(found, 100) == [Stretch("a", ((0, 300),)), Stretch("b", ((10, 110),))]
    assert within(found, 1000) == found


def test_depths_and_budgets_of_spans() -> None:
    chunks = [Stretch("b", ((0, 4000),)), Stretch("a", ((100, 200),))]

    found = span_measures.measure({"q": chunks}, {"q": [Span("a", 100, 200)]}, ["q"])

    assert found["Recall@1"] == pytest.approx([0])
    assert found["Recall@3"] == pytest.approx([1])
    assert found["Precision@3"] == pytest.approx([100 / 4100])
    assert found["Recall@1000 tokens"] == pytest.approx([0])
    assert found["Recall@2000 tokens"] == pytest.approx([1])
