"""A thing that is told by a number is not another thing, and no time is its number."""

import pytest

from flotilla.models import Passage
from flotilla.rag.extractive.candidates import candidates
from flotilla.rag.extractive.identifiers import of_what_is_named
from flotilla.rag.text.numerals import numbers
from flotilla.rag.text.terms import terms

TABLE = (
    "House | Days | Hours\n--- | --- | ---\nAmselweg 3 | 9 October | 7:30 to 15:30\n"
    "Amselweg 5 | 13 October | 7:30 to 15:30\nAmselweg 7 | 15 October | 8:00 to 16:00"
)
CODES = (
    "Stock no. | Model | Year | Price\n--- | --- | --- | ---\nSL-2021 | Octavia | 2020 | £14,100\n"
    "SL-2042 | Leon | 2021 | £17,100\nSL-2043 | Polo | 2021 | £11,000"
)


def kept(question: str, text: str) -> list[str]:
    passage = Passage(
        chunk_id="c", document_id="d", document_name="list.pdf", version_id="v", collection="c",
        score=1, position=0, text=text, start=0, end=len(text), heading_path=(),
        page_start=None, page_end=None,
    )  # fmt: skip
    found = of_what_is_named(question, candidates([passage]))
    return [c.sentence.text.split(" |")[0] for c in found]


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("Aufgang Amselweg 7", ["Amselweg 7"]),
        ("When do they come to Amselweg 5?", ["Amselweg 5"]),
        ("When do they come to Amselweg 30?", []),
        ("When do they come in October?", ["Amselweg 3", "Amselweg 5", "Amselweg 7"]),
        ("Who comes on October 15?", ["Amselweg 3", "Amselweg 5", "Amselweg 7"]),
        ("Does Amselweg 9 days later?", ["Amselweg 3", "Amselweg 5", "Amselweg 7"]),
    ],
)
def test_a_name_and_its_number_are_one(question: str, rows: list[str]) -> None:
    assert kept(question, TABLE) == rows


def test_a_row_without_the_code_that_is_asked_for_is_of_another_thing() -> None:
    assert kept("What is the price of SL-2021?", CODES) == ["SL-2021"]
    assert kept("What is the price of SL-2021 and SL-2043?", CODES) == ["SL-2021", "SL-2043"]
    assert kept("What cars of 2021 are there?", CODES) == ["SL-2021", "SL-2042", "SL-2043"]


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("Rooms 10 to 14 are on the first floor.", True),
        ("Room 14 is on the first floor.", False),
        ("Room 12 is on the first floor, room 14 on the second.", True),
        ("All rooms are on the first floor.", True),
    ],
)
def test_what_is_said_of_several_or_of_none_may_answer(text: str, stays: bool) -> None:
    assert bool(kept("Where is room 12?", text)) is stays


def test_an_hour_is_no_number_of_its_own() -> None:
    assert "7" not in terms("7:30 to 15:30")
    assert numbers("7:30 to 16:00") == {"7:30", "16"}
    assert terms("open at 8:00") == terms("open at 8")


def test_a_code_is_one_word() -> None:
    assert terms("SL-2021 of 2020") == ["sl-2021", "2020"]
