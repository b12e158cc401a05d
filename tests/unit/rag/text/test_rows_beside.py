"""Rows of a PDF's table that look like titles or prose by themselves."""

import pytest

from flotilla.rag.text.columns import columns_of
from flotilla.rag.text.sentences import Kind, split
from flotilla.rag.text.tables import values_at_end

HEADER = "Cover Bronze Silver Gold"
ROWS = (
    "Repairs a year £200 £500 £1,200",
    "Towing no up to 50 km up to 200 km",
    "Hire car no £1 million £2 million",
    "Legal help for a dispute £150 £400 £1,000",
)
TABLE = "\n".join(("The three policies", HEADER, *ROWS, "Each of them begins on the first of May."))


def test_a_line_between_rows_of_a_table_is_a_row_of_it() -> None:
    rows = [s for s in split(TABLE, ("The three policies",)) if s.kind is Kind.ROW]
    assert [row.text for row in rows] == list(ROWS)
    assert {row.header for row in rows} == {HEADER}
    assert {row.heading for row in rows} == {"The three policies"}


@pytest.mark.parametrize("row", [ROWS[1], ROWS[2]])
def test_such_a_row_may_be_the_first_or_the_last(row: str) -> None:
    for lines in ((HEADER, row, ROWS[0], ROWS[3]), (HEADER, ROWS[0], ROWS[3], row)):
        text = "\n".join((*lines, "", "Each of them begins on the first of May."))
        assert [s.text for s in split(text) if s.kind is Kind.ROW] == list(lines[1:])


def test_a_last_row_that_ends_in_words_is_a_row_and_not_the_prose_below() -> None:
    below = "Coffee is served at ten and at three."
    lines = ("Room Seats Price", "Attic 20 £80", "Cellar 45 £150", "Garden hall 120 on request")
    found = split("\n".join((*lines, below)))
    assert [s.text for s in found if s.kind is Kind.ROW] == list(lines[1:])
    assert found[-1].text == below
    prose = "In 2024 we have moved to the\nWenn valley."
    found = split("\n".join((*lines[:3], prose)))
    assert [s.text for s in found if s.kind is Kind.ROW] == list(lines[1:3])


def test_prose_and_titles_beside_rows_are_none() -> None:
    title, prose = "For two people", "You may pay £5 or £6. It is up to you"
    lines = ("Prices", "Adult £5 £6", title, "Child £2 £3", prose, "Dog £1 £2")
    rows = [s.text for s in split("\n".join(lines)) if s.kind is Kind.ROW]
    assert title not in rows
    assert prose not in rows


def test_a_heading_with_a_figure_names_no_columns() -> None:
    text = "Hire car for 1 day or 2\nVan £40 £70\nBus £90 £160\nCar £30 £50"
    assert {s.header for s in split(text) if s.kind is Kind.ROW} == {""}


def test_a_value_may_have_several_words() -> None:
    columns = columns_of(HEADER, ROWS)
    assert columns is not None
    assert columns.cells(ROWS[1]) == ["Towing", "no", "up to 50 km", "up to 200 km"]
    assert columns.cells(ROWS[2]) == ["Hire car", "no", "£1 million", "£2 million"]
    assert columns.cells("Glass £100 £200") is None, "a value too few"
    assert columns.cells("Tyres over 3 mm £10 £20 £30") is None, "a value too many"
    assert columns_of("Cover Bronze Silver", ROWS) is None, "a name too few"


def test_a_row_of_another_form_than_its_table_is_not_paired() -> None:
    rows = [f"Bolt M{size} steel {size}0 £{size}" for size in (4, 5, 6)]
    columns = columns_of("Part Metal Stock Price", rows)
    assert columns is None or columns.cells("Nut brass none up to £3") is None


def test_values_are_told_from_the_end() -> None:
    assert values_at_end("Third place no £1 million -") == (
        "Third place",
        ["no", "£1 million", "-"],
    )
    assert values_at_end("Help 8am to 6pm 24 hours") == ("Help", ["8am to 6pm", "24 hours"])
    assert values_at_end("Nothing of the kind") == ("Nothing of the kind", [])
