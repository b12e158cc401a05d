"""An amount in a question against the spans of a table's rows or a list's items."""

import pytest

from flotilla.rag.extractive.candidates import candidates
from flotilla.rag.extractive.ranges import BEYOND, WITHIN, held_terms, span_fit
from tests.unit.rag.conftest import MakePassage

TABLE = """\
| Distance | Price | Time |
|---|---|---|
| up to 25 miles | free | 2 days |
| 26 to 75 miles | up to £55 | 3 days |
| more than 75 miles | £110 | 1,000 hours |"""


@pytest.mark.parametrize(
    ("question", "held"),
    [
        ("How long does it take to a place 30 miles away?", 1),
        ("How long do 25 miles take?", 0),
        ("What does it cost over 1,200 miles?", None),
        ("What does it cost for 1,200 miles?", 2),
        ("What does it cost for 30 kg?", None),
        ("What does it cost for less than 30 miles?", None),
        ("What does it cost beyond 30 miles?", None),
        ("What does it cost?", None),
    ],
)
def test_the_row_whose_span_holds_the_amount_is_the_one(
    question: str, held: int | None, passage: MakePassage
) -> None:
    rows = candidates([passage(TABLE)])
    fits = [span_fit(question, row) for row in rows]
    if held is None:
        assert fits == [1.0] * 3
    else:
        assert fits == [WITHIN if i == held else BEYOND for i in range(3)]
        assert [bool(held_terms(question, row)) for row in rows] == [i == held for i in range(3)]


def test_a_column_may_tell_the_unit_of_its_spans(passage: MakePassage) -> None:
    text = TABLE.replace(" miles |", " |").replace("Distance", "Miles away")
    rows = candidates([passage(text)])
    assert [held_terms("What do 30 miles cost?", row) for row in rows] == [[], ["30"], []]
