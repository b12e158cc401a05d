"""Superlatives over all rows of a table, of which a search brings a part."""

import pytest

from flotilla.models import Passage
from flotilla.rag.extractive.candidates import candidates
from flotilla.rag.extractive.generator import ExtractiveGenerator
from flotilla.rag.whole_tables import WholeTables, needs_all_rows, whole_tables
from tests.unit.rag.conftest import MakePassage, WordEmbedder

HEADER = "| Boat | Kind | Price |\n|---|---|---|\n"
FIRST = "## Boats\n\n" + HEADER + "| Heron | canoe | £18 |\n| Gull | dinghy | £60 |"
SECOND = "| Otter | canoe | £12 |\n| Puffin | dinghy | £45 |"
PROSE = "We are by the pond and like company."
ASKED = "Which boat is the cheapest?"


def chunks(passage: MakePassage, *texts: str) -> list[Passage]:
    """Chunks of one version and section, one behind the other."""
    return [
        passage(text, number).model_copy(
            update={
                "version_id": "v",
                "document_id": "d",
                "position": number,
                "start": number * 1000,
                "end": number * 1000 + len(text),
                "heading_path": ("Boats",),
            }
        )
        for number, text in enumerate(texts)
    ]


def test_all_rows_are_compared_and_the_note_says_so(
    passage: MakePassage, embedder: WordEmbedder
) -> None:
    every = chunks(passage, FIRST, SECOND, PROSE)
    generator = ExtractiveGenerator(embedder)
    in_part = generator.generate(ASKED, every[:1])
    assert "Heron" in in_part.text
    assert in_part.notes == ("The 2 rows that the search found in handbook.pdf were compared.",)
    tables = whole_tables(every[:1], lambda _: every)
    assert [each.position for each in tables.passages] == [0, 1], "prose has no rows"
    draft = generator.generate(ASKED, every[:1], tables=tables)
    assert "Otter" in draft.text
    assert draft.notes == ("All 4 such rows in handbook.pdf were compared.",)


def test_a_table_that_cannot_be_read_as_a_whole_may_have_more(
    passage: MakePassage, embedder: WordEmbedder
) -> None:
    found = chunks(passage, FIRST)
    tables = whole_tables(found, lambda _: None)
    assert tables == WholeTables((), frozenset(), frozenset("v"))
    (note,) = ExtractiveGenerator(embedder).generate(ASKED, found, tables=tables).notes
    assert note == "2 such rows in handbook.pdf, which may have more, were compared."


def test_rows_of_which_the_columns_are_not_known_are_not_said_to_be_compared(
    passage: MakePassage, embedder: WordEmbedder
) -> None:
    every = chunks(passage, FIRST, "A line between.\n\n| Swan | £2 |\n| Duck | £3 |")
    tables = whole_tables(every[:1], lambda _: every)
    (note,) = ExtractiveGenerator(embedder).generate(ASKED, every[:1], tables=tables).notes
    assert "which may have more" in note


def test_a_table_goes_on_in_the_next_chunk_though_its_section_has_another(
    passage: MakePassage,
) -> None:
    other = "Oars\n\n| Oar | Price |\n|---|---|\n| Ash | £3 |\n| Pine | £2 |"
    rows = [c.sentence for c in candidates(chunks(passage, FIRST, SECOND, other)[::-1])]
    named = {row.text.split("|")[1].strip(): [name for name, _ in row.named_cells] for row in rows}
    assert named["Otter"] == ["Boat", "Kind", "Price"]
    assert named["Ash"] == ["Oar", "Price"]


@pytest.mark.parametrize(
    ("question", "needed"),
    [
        (ASKED, True),
        ("How many boats do you have?", True),
        ("Which boats cost less than £20?", True),
        ("Which boats are out of stock?", True),
        ("What does the Heron cost?", False),
    ],
)
def test_only_such_questions_need_all_rows(question: str, needed: bool) -> None:
    assert needs_all_rows(question) is needed


@pytest.mark.parametrize(
    ("question", "boats"),
    [
        ("Which is the most expensive SUV?", ["Karoq"]),
        ("Which is the newest SUV?", ["Karoq", "Kuga"]),
        ("Which is the most expensive MPV?", []),
        ("Which SUV has the fewest miles on the clock?", ["Kuga"]),
    ],
)
def test_initials_stand_for_a_heading_and_equal_rows_are_all_given(
    question: str, boats: list[str], passage: MakePassage, embedder: WordEmbedder
) -> None:
    table = (
        "## Sport utility vehicles\n\n| Model | Year | Mileage | Price |\n|---|---|---|---|\n"
        "| Karoq | 2021 | 29,000 | £18,000 |\n| Kuga | 2021 | 9,000 | £12,000 |\n"
        "| Tucson | 2019 | 40,000 | £13,000 |\n| Ateca | 2018 | 50,000 | £11,000 |"
    )
    draft = ExtractiveGenerator(embedder).generate(question, [passage(table)])
    assert [line.split(";")[0].removeprefix("Model: ") for line in draft.text.split("\n")][
        : len(draft.citations)
    ] == boats


def test_of_two_columns_of_money_the_price_counts_and_no_fee_is_none(
    passage: MakePassage, embedder: WordEmbedder
) -> None:
    table = (
        "## Memberships\n\n| Membership | Per year | Joining fee |\n|---|---|---|\n"
        "| Adult | £216 | £30 |\n| Student | £132 | £15 |\n| Junior | £96 | none |\n"
        "| Family | £402 | £40 |"
    )
    generator = ExtractiveGenerator(embedder)
    for question, row in (
        ("Which membership is the cheapest?", "Junior"),
        ("Which membership has the lowest joining fee?", "Junior"),
        ("Which membership has the highest joining fee?", "Family"),
    ):
        draft = generator.generate(question, [passage(table)])
        assert draft.text.startswith(f"Membership: {row};"), question
        assert len(draft.citations) == 1


def test_a_figure_alone_decides_no_superlative(
    passage: MakePassage, embedder: WordEmbedder
) -> None:
    generator = ExtractiveGenerator(embedder, threshold=0.0)
    text = "Vans carry the same warranty for three months."
    assert not generator.generate("What is the newest van?", [passage(text)]).answerable
    text = "The newest van is a Transit of 2022."
    assert generator.generate("What is the newest van?", [passage(text)]).answerable
