"""Tables with the things in their columns."""

import pytest

from flotilla.rag.extractive.candidates import candidates
from flotilla.rag.extractive.superlatives import extreme_rows, superlative
from flotilla.rag.extractive.table_rows import Seen
from flotilla.rag.extractive.transposed import extreme_column
from tests.unit.rag.conftest import MakePassage

PLANS = """\
## Plans for pets

| Benefit | Basic | Plus | Top |
|---|---|---|---|
| Excess per claim | £120 | £95 | £60 |
| Dentist | no | up to £300 | up to £750 |
| Price, cat | £7 | £13 | £22 |
| Price, dog | £11 | £19 | £34 |"""


@pytest.mark.parametrize(
    ("question", "row", "column"),
    [
        ("Which plan has the lowest excess?", "Excess per claim", "Top"),
        ("Which plan has the highest excess per claim?", "Excess per claim", "Basic"),
        ("Which plan has the lowest price for a dog?", "Price, dog", "Basic"),
        ("What is the cheapest plan for a cat?", "Price, cat", "Basic"),
    ],
)
def test_the_row_of_what_is_measured_tells_the_column(
    question: str, row: str, column: str, passage: MakePassage
) -> None:
    asked = superlative(question)
    assert asked is not None
    rows = candidates([passage(PLANS)])
    assert extreme_rows(asked, question, rows) is None
    found = extreme_column(asked, question, rows)
    assert found is not None
    assert found.rows[0].sentence.named_cells[0][1] == row
    assert found.column == column
    assert column in found.note(Seen.ALL)


@pytest.mark.parametrize(
    "question",
    [
        "Which plan is the cheapest?",  # for which pet?
        "Which plan has the highest dentist?",  # "no" cannot be compared
        "Which plan has the lowest deposit?",
        "Which boat has the lowest excess?",
    ],
)
def test_what_is_not_certain_is_not_told(question: str, passage: MakePassage) -> None:
    asked = superlative(question)
    assert asked is not None
    rows = candidates([passage(PLANS)])
    assert extreme_rows(asked, question, rows) is None
    assert extreme_column(asked, question, rows) is None
