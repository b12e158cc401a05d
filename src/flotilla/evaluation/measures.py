"""How good ranks are, question by question: by ir-measures, which is trec_eval's arithmetic."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from flotilla.evaluation.data_sets import Kind
from flotilla.evaluation.ranking import document_of, documents, page_of

Values = NDArray[np.float64]
"""One value a question, in the order of the questions."""

Ranks = dict[str, list[str]]
"""By question, what was found, best first."""

Grades = dict[str, dict[str, int]]

DEPTHS = (1, 3, 5, 10, 20)

MAIN = {
    Kind.PASSAGES: "Recall@5",
    Kind.PAGES: "Recall@5",
    Kind.SPANS: "Recall@5",
}
"""What the plot shows over latency."""

OF_RANKS = {
    "nDCG@10": "nDCG@10",
    **{f"Recall@{k}": f"R@{k}" for k in DEPTHS},
    "MRR": "RR",
    "MRR@3": "RR@3",
}
"""Names as they are shown, and as ir-measures has them."""

NEAR = 1
"""Pages by which a citation may be off: a sentence that goes on overleaf is cited either way."""


def measure(
    kind: Kind, ranks: Ranks, grades: Grades, questions: Sequence[str]
) -> dict[str, Values]:
    """All measures of one way of retrieving.

    Args:
        kind: passages or pages.
        ranks: what was found.
        grades: what is right, with grades above 0.
        questions: ids of the judged ones.

    Returns: by the measure's name, one value a question. Of pages, `±1` counts a page that is next
        to the right one, and `Document recall` documents in place of pages.
    """
    values = rank_measures(OF_RANKS, ranks, grades, questions)
    if kind is not Kind.PAGES:
        return values
    for k in (5, 10):
        values[f"Recall@{k} ±1"] = _each(questions, near_recall, k, ranks, grades)
        values[f"Hit@{k} ±1"] = _each(questions, near_hit, k, ranks, grades)
    of_documents = {question: documents(found) for question, found in ranks.items()}
    right = {
        question: {document_of(item): grade for item, grade in items.items()}
        for question, items in grades.items()
    }
    names = {f"Document recall@{k}": f"R@{k}" for k in (1, 3)}
    return values | rank_measures(names, of_documents, right, questions)


def rank_measures(
    names: dict[str, str], ranks: Ranks, grades: Grades, questions: Sequence[str]
) -> dict[str, Values]:
    """ir-measures' values: by the name as it is shown, one a question."""
    import ir_measures

    places = {question: place for place, question in enumerate(questions)}
    parsed = {ir_measures.parse_measure(name): shown for shown, name in names.items()}
    values = {shown: np.zeros(len(questions)) for shown in names}
    judged = {question: grades[question] for question in questions}
    # Scores that fall with the rank: equal ones would be ordered by the items' names.
    run = {
        question: {item: float(-rank) for rank, item in enumerate(ranks.get(question, ()))}
        for question in questions
    }
    for metric in ir_measures.iter_calc(list(parsed), judged, run):
        values[parsed[metric.measure]][places[metric.query_id]] = metric.value
    return values


def near_recall(found: Sequence[str], right: Sequence[str], k: int) -> float:
    """Which share of the right pages has a page beside it, or itself, among the first k."""
    return sum(any(is_near(page, each) for page in found[:k]) for each in right) / len(right)


def near_hit(found: Sequence[str], right: Sequence[str], k: int) -> float:
    """1 where any right page has one beside it, or itself, among the first k, else 0."""
    return float(near_recall(found, right, k) > 0)


def is_near(page: str, other: str) -> bool:
    """Whether two pages are one, or neighbours in one document."""
    return document_of(page) == document_of(other) and abs(page_of(page) - page_of(other)) <= NEAR


def _each(
    questions: Sequence[str],
    value: Callable[[Sequence[str], Sequence[str], int], float],
    k: int,
    ranks: Ranks,
    grades: Grades,
) -> Values:
    return np.array([value(ranks.get(each, []), list(grades[each]), k) for each in questions])
