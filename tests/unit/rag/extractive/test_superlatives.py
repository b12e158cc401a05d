"""Which row of a table is the cheapest, and when no row is told to be."""

import pytest

from flotilla.rag.extractive.candidates import candidates
from flotilla.rag.extractive.generator import ExtractiveGenerator
from flotilla.rag.extractive.superlatives import extreme_rows, superlative
from tests.unit.rag.conftest import MakePassage, WordEmbedder

BOATS = """\
## Boats for hire

| Boat | Kind | Seats | Built | Length | Price per day |
|---|---|---|---|---|---|
| Heron | canoe | 3 | 2019 | 4.9 m | £18 |
| Otter | canoe | 2 | 2022 | 5.2 m | £22 |
| Puffin | dinghy | 4 | 2011 | 390 cm | £45 |
| Gull | dinghy | 6 | 2008 | 4.2 m | £60 |"""


@pytest.mark.parametrize(
    ("question", "boat"),
    [
        ("Which boat is the cheapest?", "Heron"),
        ("What does the cheapest boat cost?", "Heron"),
        ("Which is the most expensive boat?", "Gull"),
        ("What is the newest dinghy?", "Puffin"),
        ("Which canoe is the oldest?", "Heron"),
        ("Which boat has the most seats?", "Gull"),
        ("Which boat has the fewest seats?", "Otter"),
        ("Which dinghy has the highest price per day?", "Gull"),
        ("Which boat is the longest?", "Otter"),
        ("Which is the shortest boat?", "Puffin"),
        ("Welches boat ist am teuersten?", "Gull"),
    ],
)
def test_the_row_is_told_by_the_column_that_measures(
    question: str, boat: str, passage: MakePassage
) -> None:
    asked = superlative(question)
    assert asked is not None
    found = extreme_rows(asked, question, candidates([passage(BOATS)]))
    assert found is not None
    assert [row.sentence.shown.split(";")[0] for row in found.rows] == [f"Boat: {boat}"]


@pytest.mark.parametrize(
    "question",
    [
        "Which boat is the fastest?",
        "Which is the cheapest bicycle?",
        "Which is the heaviest boat?",
        "Which boat has the most oars?",
    ],
)
def test_no_row_is_taken_without_a_column_or_a_thing_that_fits(
    question: str, passage: MakePassage
) -> None:
    asked = superlative(question)
    assert asked is not None
    assert extreme_rows(asked, question, candidates([passage(BOATS)])) is None


@pytest.mark.parametrize(
    "question",
    ["How many seats does it have at least?", "What is the length?", "Are most of the boats new?"],
)
def test_not_every_comparison_is_a_superlative(question: str) -> None:
    assert superlative(question) is None


def test_an_answer_says_how_many_rows_were_compared(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    draft = ExtractiveGenerator(embedder).generate(
        "Which boat is the cheapest?", [passage(BOATS, document_name="boats.md")]
    )
    assert draft.text == (
        "Boat: Heron; Kind: canoe; Seats: 3; Built: 2019; Length: 4.9 m; Price per day: £18 [1]"
    )
    assert draft.notes == ("The 4 rows that the search found in boats.md were compared.",)


def test_the_first_rows_do_not_stand_in_for_a_superlative_that_nothing_measures(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    draft = ExtractiveGenerator(embedder).generate("Which boat is the fastest?", [passage(BOATS)])
    assert not draft.answerable


def test_of_many_equal_rows_some_are_given_and_all_are_counted(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    rows = "\n".join(f"| Boat {n} | {2001 if n < 5 else 2000 + n} |" for n in range(20))
    table = f"## Boats\n\n| Boat | Built |\n|---|---|\n{rows}"
    draft = ExtractiveGenerator(embedder).generate("Which is the oldest boat?", [passage(table)])
    assert len(draft.citations) == 4
    assert draft.notes[0].endswith("were compared; 5 have the same value, of which 4 are given.")
    asked = superlative("Which is the oldest boat?")
    assert asked is not None
    equal = "\n".join(f"| Boat {n} | 2001 |" for n in range(9))
    found = candidates([passage(f"## Boats\n\n| Boat | Built |\n|---|---|\n{equal}")])
    assert extreme_rows(asked, "Which is the oldest boat?", found) is None


PLANTS = """\
## Plants

| Plant | Height | Price | In stock |
|---|---|---|---|
| Birch | 180 cm | £38.50 | 14 |
| Lavender | 25 cm | £4.20 | 210 |
| Holly | 90 cm | £24.00 | 11 |"""
SERVICES = """\
## Services

| Service | Unit | Price |
|---|---|---|
| Planting | per tree | £3 |
| Hedge cutting | per hour | £26 |
| Wrapping | per plant | free |
| Plant doctor | per visit | £2 |"""


@pytest.mark.parametrize(
    ("question", "plant"),
    [
        ("Which plant is the cheapest?", "Lavender"),
        ("Which plant do you have the most of?", "Lavender"),
        ("Which plant do you have the fewest of?", "Holly"),
    ],
)
def test_a_table_of_what_is_asked_comes_before_one_with_the_word_in_a_cell(
    question: str, plant: str, passage: MakePassage
) -> None:
    asked = superlative(question)
    assert asked is not None
    found = extreme_rows(asked, question, candidates([passage(SERVICES), passage(PLANTS, 1)]))
    assert found is not None
    assert [row.sentence.named_cells[0][1] for row in found.rows] == [plant]


def test_a_word_of_a_unit_names_no_row(passage: MakePassage, embedder: WordEmbedder) -> None:
    question = "Which plant is the cheapest?"
    asked = superlative(question)
    assert asked is not None
    services = SERVICES.replace("| Plant doctor | per visit | £2 |", "| Lease | per day | £5 |")
    services = services.replace("Planting", "Digging")
    assert extreme_rows(asked, question, candidates([passage(services)])) is None
    draft = ExtractiveGenerator(embedder, threshold=0.0).generate(
        "How much is a birch tree?", [passage(SERVICES), passage(PLANTS, 1)]
    )
    assert draft.text.startswith("Plant: Birch;")


def test_without_a_column_of_how_many_no_row_is_given(
    passage: MakePassage, embedder: WordEmbedder
) -> None:
    bare = PLANTS.replace("In stock", "Shelf")
    draft = ExtractiveGenerator(embedder).generate(
        "Which plant do you have the most of?", [passage(bare)]
    )
    assert not draft.answerable


def test_prices_of_several_columns_tell_where_they_agree_on_a_row(passage: MakePassage) -> None:
    table = (
        "Treatment | Cat | Dog\n--- | --- | ---\nConsultation | £42 | £45\nMicrochip | £18 | £18\n"
        "Neutering | £95 | £210\nTeeth | £280 | £30"
    )
    found = candidates([passage(table)])

    def rows(question: str) -> list[str]:
        asked = superlative(question)
        assert asked is not None
        told = extreme_rows(asked, question, found)
        return [] if told is None else [c.sentence.named_cells[0][1] for c in told.rows]

    assert rows("What is the cheapest treatment?") == ["Microchip"]
    assert rows("What is the dearest treatment?") == []
