"""Answers against what is right: refusals, words, quotes, and a judge's verdicts."""

from pathlib import Path

import pytest

from flotilla.evaluation import answers
from flotilla.evaluation.answers import Asked
from flotilla.evaluation.data_sets import DataSet, read_data_set
from flotilla.evaluation.gold import Gold
from flotilla.models import Answer, Citation
from tests.doubles.data_sets import lay_beir, lay_pages


class FakeJudge:
    """Finds answers correct that have the word quay, and never says whether they are grounded."""

    name = "openai:a-judge"

    def correct(self, question: str, answer: str, right: str) -> float | None:
        return float("quay" in answer)

    def grounded(self, answer: str, passages: list[str]) -> float | None:
        return None


def nowhere(_source: str, _hit: object) -> list[tuple[int, int]]:
    return []


def gold_of(data_set: DataSet) -> Gold:
    return Gold(data_set, {each.name: [each.id] for each in data_set.sources}, nowhere)


def citation(name: str, quote: str, page: int | None = None) -> Citation:
    return Citation(
        number=1,
        document_id="d",
        document_name=name,
        chunk_id="c",
        page_start=page,
        page_end=page,
        quote=quote,
        start=0,
        end=len(quote),
    )


def asked(data_set: DataSet, number: int, text: str, *citations: Citation) -> Asked:
    question = data_set.questions[number]
    answer = Answer(
        question=question.form("text"),
        text=text or "The documents do not say.",
        answerable=bool(text),
        citations=citations,
        passages=(),
        model="openai:a-model",
    )
    return Asked(question, answer.question, answer, 12.0)


@pytest.fixture
def data_set(tmp_path: Path) -> DataSet:
    return read_data_set(lay_beir(tmp_path))


def test_refusals_answers_and_quotes(data_set: DataSet) -> None:
    fuel = next(each for each in data_set.sources if each.id == "fuel")
    right = citation(fuel.name, "Diesel is sold at the north quay")
    elsewhere = citation("other.txt", "Diesel is sold\nat the north quay")
    wrong = citation("other.txt", "Diesel is not sold")
    runs = [
        asked(data_set, 0, "At the north quay [1].", right, elsewhere, wrong),
        asked(data_set, 1, ""),  # refused, though there is an answer
        asked(data_set, 3, "The horse is twelve [1].", wrong),  # answered, though there is none
    ]

    found = answers.measure(runs, gold_of(data_set), None, None, lambda _done, _total: None)

    means = {name: each.estimate.mean for name, each in found.measures.items()}
    assert means["answered, where there is an answer"] == 0.5
    assert means["refused, where there is no answer"] == 0.0
    assert means["words of the right answer"] == 0.5
    assert means["quotes from what is right"] == pytest.approx(2 / 3)
    assert found.measures["quotes from what is right"].questions == 1
    assert {each.judged_by for each in found.measures.values()} == {"strings and quotes"}
    assert "no judge model is configured" in found.notes[0]


def test_a_judge(data_set: DataSet) -> None:
    runs = [
        asked(data_set, 0, "At the north quay."),
        asked(data_set, 1, ""),
        asked(data_set, 3, ""),
    ]

    found = answers.measure(
        runs,
        gold_of(data_set),
        FakeJudge(),  # type: ignore[arg-type]
        None,
        lambda _done, _total: None,
    )

    correct = found.measures["correct"]
    # A refusal is not put to the judge: it is not right where there is an answer.
    assert (correct.estimate.mean, correct.questions) == (0.5, 2)
    assert correct.judged_by == "openai:a-judge"
    assert "grounded" not in found.measures
    assert found.unjudged == 1


def test_a_question_without_an_answer_at_all_is_told(data_set: DataSet) -> None:
    failed = Asked(data_set.questions[0], "?", None, 5.0, "q1: It took too long.")

    found = answers.measure([failed], gold_of(data_set), None, None, lambda _d, _t: None)

    assert (found.asked, found.measures, found.errors) == (1, {}, ["q1: It took too long."])


def test_a_quote_overleaf_is_right(tmp_path: Path) -> None:
    data_set = read_data_set(lay_pages(tmp_path))
    gold = gold_of(data_set)

    assert gold.share("p1", [citation("files/rules.pdf", "Cats", 4)]) == 1.0
    assert gold.share("p1", [citation("files/rules.pdf", "Cats", 5)]) == 0.0
    assert gold.share("p1", []) == 0.0
