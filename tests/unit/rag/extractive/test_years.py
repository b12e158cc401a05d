"""Which rows of a table are of a year that a question names."""

import pytest

from flotilla.rag.extractive.candidates import candidates
from flotilla.rag.extractive.fields import WIDE, passages_needed
from flotilla.rag.extractive.filters import rows_that_meet
from tests.unit.rag.conftest import MakePassage

BOATS = """\
## Boats

| Boat | Year | Length |
|---|---|---|
| Wren | 2019 | 6 m |
| Tern | 2022 | 8 m |
| Gull | 2022 | 2,022 mm |"""


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("Which boats were built in 2022?", ["Tern", "Gull"]),
        ("How many boats were made in 2019?", ["Wren"]),
        ("Which boats were built in 1990?", []),
        ("Which cars were built in 2022?", []),
        ("How many boats did you sell in 2022?", []),
        ("Why were boats built in 2022?", []),
    ],
)
def test_the_rows_of_a_year_are_told_by_the_column_of_years(
    question: str, rows: list[str], passage: MakePassage
) -> None:
    met = rows_that_meet(question, candidates([passage(BOATS)]))
    assert ([row.sentence.named_cells[0][1] for row in met.rows] if met else []) == rows


def test_two_columns_of_years_do_not_tell_which(passage: MakePassage) -> None:
    text = BOATS.replace("Length", "Sold").replace("2,022 mm", "2022")
    text = text.replace("6 m", "2020").replace("8 m", "2023")
    found = candidates([passage(text)])
    assert rows_that_meet("Which boats were built in 2022?", found) is None


def test_all_rows_are_searched_for_a_year() -> None:
    assert passages_needed("Which boats were built in 2022?", 5) == WIDE
