"""What strings say of an answer."""

import pytest

from flotilla.evaluation import checks
from flotilla.models import Answer, Citation, Passage


def passage(text: str) -> Passage:
    return Passage(
        chunk_id="c",
        document_id="d",
        document_name="prices.txt",
        version_id="v",
        collection="harbour",
        position=0,
        text=text,
        start=0,
        end=len(text),
        page_start=None,
        page_end=None,
        score=1.0,
    )


def citation(quote: str) -> Citation:
    return Citation(
        number=1,
        document_id="d",
        document_name="prices.txt",
        chunk_id="c",
        page_start=None,
        page_end=None,
        quote=quote,
        start=0,
        end=len(quote),
    )


def test_words_and_numbers_of_the_right_answer() -> None:
    found = checks.against_right_answer(
        "A mooring costs 1200 a year [2].", "Moorings cost 1,200 a year, or 130 a month."
    )

    # mooring, cost and year of mooring, cost, year and month; 1200 of 1200 and 130.
    assert found["words of the right answer"] == pytest.approx(3 / 4)
    assert found["numbers of the right answer"] == pytest.approx(1 / 2)
    assert found["F1 by words"] == pytest.approx(2 * 3 / (4 + 3))


def test_a_refusal_has_nothing_of_the_right_answer() -> None:
    found = checks.against_right_answer("", "Ninety.")

    assert found == {"words of the right answer": 0.0, "F1 by words": 0.0}


def test_what_stands_in_the_passages() -> None:
    answer = Answer(
        question="?",
        text="A pilot costs 90 and a parrot [1].",
        answerable=True,
        citations=(citation("A pilot  costs 90."), citation("A parrot costs 5.")),
        passages=(passage("A pilot\ncosts 90."),),
        model="extractive",
    )

    found = checks.against_passages(answer)

    assert found["words that stand in the passages"] == pytest.approx(2 / 3)
    assert found["numbers that stand in the passages"] == 1.0
    assert found["quotes that stand in the passages"] == 0.5
