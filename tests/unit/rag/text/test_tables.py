import csv
from pathlib import Path

import pytest

from flotilla.rag.extractive.candidates import candidates
from flotilla.rag.text.sentences import Kind, split
from flotilla.rag.text.tables import is_header, is_row, same_shape
from tests.unit.rag.conftest import MakePassage

PRICES = Path(__file__).parents[4] / "scripts" / "samples" / "price-list.csv"
HEADER = "Stock no. Model Year Mileage Fuel Gearbox Price"


def price_rows() -> list[str]:
    """The rows of the sample price list as a PDF gives them, columns lost."""
    with PRICES.open(encoding="utf-8", newline="") as file:
        return [
            f"{row['stock']} {row['model']} {row['year']} {int(row['mileage']):,} {row['fuel']} "
            f"{row['gearbox']} £{int(row['price']):,}"
            for row in csv.DictReader(file)
        ]


ROWS = price_rows()


@pytest.mark.parametrize("row", ROWS)
def test_a_chunk_that_begins_in_a_table_begins_with_a_row(row: str) -> None:
    following = ROWS[(ROWS.index(row) + 1) % len(ROWS)]
    prose = "All prices include value added tax."
    for text in (row, f"{row}\n{following}", f"{row}\n\n{prose}", f"{row}\n{following}\n\n{prose}"):
        rows = [s for s in split(text) if s.text != prose]
        assert [s.text for s in rows] == text.removesuffix(prose).split("\n\n")[0].split("\n")
        assert {(s.kind, s.header, s.heading) for s in rows} == {(Kind.ROW, "", "")}


def test_every_pair_of_rows_stays_two_rows() -> None:
    for first in ROWS:
        for second in ROWS:
            found = split(f"{first}\n{second}")
            assert [(s.text, s.header) for s in found] == [(first, ""), (second, "")]


def test_rows_of_a_later_chunk_have_the_header_of_their_section(passage: MakePassage) -> None:
    section = ("Price List", "Electric cars")
    first = passage(f"Electric cars\n{HEADER}\n{ROWS[38]}", 0, heading_path=section)
    later = passage(f"{ROWS[40]}\n{ROWS[41]}", 1, heading_path=section)

    shown = [c.sentence.shown for c in candidates([later, first])]

    assert shown == [f"{HEADER}: {row}" for row in (ROWS[40], ROWS[41], ROWS[38])]


def test_the_title_of_a_table_stays_the_heading_of_its_rows() -> None:
    (row,) = (s for s in split(f"Electric cars\n{HEADER}\n{ROWS[40]}") if s.kind is Kind.ROW)
    assert (row.heading, row.header) == ("Electric cars", HEADER)


def test_rows_with_one_figure_are_no_headings_of_each_other() -> None:
    found = split("Corolla 1,200\nGolf 980\nPolo 1,010")
    assert not [s for s in found if s.kind is Kind.HEADING or s.heading]


def test_a_row_with_words_of_prose_is_known_by_the_row_below() -> None:
    first = "T-1 Guide to the care of the car with a hybrid engine 2021 9 £15"
    found = split(f"{first}\nT-2 Map 2020 4 £12")
    assert (found[0].kind, found[0].text) == (Kind.ROW, first)


def test_shapes() -> None:
    assert same_shape("Golf 980", "Model 3 1,010") is False
    assert same_shape("Golf 980 £5", "Polo Match 1,010 £6")
    assert not same_shape("Golf 980", "")
    assert not same_shape("In 2021 we sold 980 cars", "In 2022 we sold 990 cars")


def test_a_sentence_or_item_with_figures_is_no_row() -> None:
    assert not is_row("It costs £12 or £15.", prose=True)
    assert is_row("Golf 980 £5", prose=False)
    assert is_row("| a | b |", prose=True)
    assert [s.kind for s in split("- Golf 980 £5")] == [Kind.ITEM]


def test_a_header_has_no_figure_unless_a_rule_follows() -> None:
    assert is_header("Model | Price", "Golf | 980")
    assert not is_header("Golf | 980", "Polo | 870")
    assert is_header("2020 | 2021", "--- | ---")


def test_a_name_of_a_column_may_hold_a_number() -> None:
    assert is_header("Treatment | Cat | Dog over 20 kg", "Neutering | £95 | £265")
    assert is_header("Item | 2024 | 2025", "Sales | 310 | 340")
    assert not is_header("Room A | up to 20 people | free", "Room B | 30 people | £20")
    assert not is_header("Golf | 2019 | 980", "Polo | 2020 | 870")
