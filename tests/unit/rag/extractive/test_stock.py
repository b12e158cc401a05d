"""Which rows are out of stock, told by their column."""

import pytest

from flotilla.rag.extractive.candidates import candidates
from flotilla.rag.extractive.generator import ExtractiveGenerator
from flotilla.rag.extractive.stock import asked_stock, stocked_rows
from tests.unit.rag.conftest import MakePassage, WordEmbedder

BOOKS = """\
## Books

| Book | Kind | Price | In stock |
|---|---|---|---|
| Heron | novel | £18 | 3 |
| Otter | novel | £22 | 0 |
| Puffin | atlas | £45 | 12 |
| Gull | atlas | £60 | sold out |"""


@pytest.mark.parametrize(
    ("question", "books"),
    [
        ("Which books are out of stock?", ["Otter", "Gull"]),
        ("Which novels are sold out?", ["Otter"]),
        ("Which books are in stock?", ["Heron", "Puffin"]),
        ("What atlas is not available at the moment?", ["Gull"]),
    ],
)
def test_the_column_of_stock_tells(
    question: str, books: list[str], passage: MakePassage, embedder: WordEmbedder
) -> None:
    passages = [passage(BOOKS)]
    found = stocked_rows(question, candidates(passages))
    assert found is not None
    assert [row.sentence.named_cells[0][1] for row in found.rows] == books
    draft = ExtractiveGenerator(embedder).generate(question, passages)
    assert len(draft.citations) == len(books)
    assert "looked at" in draft.notes[0]


def test_where_nothing_is_out_of_stock_no_row_is_given(
    passage: MakePassage, embedder: WordEmbedder
) -> None:
    full = [passage(BOOKS.replace("| 0 |", "| 2 |").replace("sold out", "1"))]
    draft = ExtractiveGenerator(embedder).generate("Which books are out of stock?", full)
    assert not draft.answerable


def test_without_a_column_that_tells_nothing_is_looked_up(passage: MakePassage) -> None:
    numbered = BOOKS.replace("In stock", "Stock no.").replace("| 0 |", "| SL-2 |")
    assert stocked_rows("Which books are out of stock?", candidates([passage(numbered)])) is None
    assert stocked_rows("Which pens are out of stock?", candidates([passage(BOOKS)])) is None
    assert asked_stock("Is the Heron out of stock?") is None
    assert asked_stock("Which books do you have?") is None
