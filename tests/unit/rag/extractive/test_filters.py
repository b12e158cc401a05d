"""Which rows of a table meet what a question asks of them."""

import pytest

from flotilla.rag.extractive.candidates import candidates
from flotilla.rag.extractive.fields import WIDE, passages_needed
from flotilla.rag.extractive.filters import rows_that_meet
from flotilla.rag.extractive.generator import ExtractiveGenerator
from tests.unit.rag.conftest import MakePassage, WordEmbedder

MENU = """\
## Canteen

| Meal | Kind | Price | Vegetarian | Seats |
|---|---|---|---|---|
| Soup | starter | £2.80 | yes | 4 |
| Fish pie | main | £5.90 | no | 8 |
| Curry | main | £5.40 | yes | 12 |
| Water | drink | free | yes | 2 |"""


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("Which meals cost less than £5?", ["Soup", "Water"]),
        ("Which meals are cheaper than £5.40?", ["Soup", "Water"]),
        ("Which main meals cost more than £5.50?", ["Fish pie"]),
        ("Do you have anything under £3?", ["Soup", "Water"]),
        ("Which meals have more than 7 seats?", ["Fish pie", "Curry"]),
        ("Which meals are vegetarian?", ["Soup", "Curry", "Water"]),
        ("How many vegetarian meals are there?", ["Soup", "Curry", "Water"]),
        ("How many main meals do you have?", ["Fish pie", "Curry"]),
        ("How many meals are there?", ["Soup", "Fish pie", "Curry", "Water"]),
    ],
)
def test_rows_that_meet_a_bound_a_yes_or_a_word(
    question: str, rows: list[str], passage: MakePassage
) -> None:
    met = rows_that_meet(question, candidates([passage(MENU)]))
    assert met is not None
    assert [row.sentence.named_cells[0][1] for row in met.rows] == rows


@pytest.mark.parametrize(
    "question",
    [
        "How many meals did you sell last year?",
        "How many waiters are there?",
        "Which meals weigh less than 5 kg?",
        "Which burgers cost less than £5?",
        "Which meals are not vegetarian?",
        "Which meals cost less than £1 and more than £2?",
        "Why do meals cost less than £5?",
        "What does the soup cost?",
    ],
)
def test_no_row_where_the_table_does_not_tell(question: str, passage: MakePassage) -> None:
    assert rows_that_meet(question, candidates([passage(MENU)])) is None


def test_an_answer_says_of_how_many_rows_how_many_fit(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    # Chunks overlap, and a row that stands in both is one.
    draft = ExtractiveGenerator(embedder).generate(
        "How many vegetarian meals are there?", [passage(MENU), passage(MENU)]
    )
    assert len(draft.citations) == 3
    (note,) = draft.notes
    assert note.startswith("Of the 4 rows that the search found in ")
    assert note.endswith(", 3 fit.")


def test_many_passages_are_searched_for_all_rows() -> None:
    assert passages_needed("Which meals cost less than £5?", 5) == WIDE
    assert passages_needed("How many meals do you have?", 5) == WIDE
    assert passages_needed("How many meals did you sell?", 5) == 5
