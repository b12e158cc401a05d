"""Passages that grow by the chunks around them: their text stays that of the document."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from flotilla.models import DataType, Passage, chunk_id
from flotilla.rag.citations import cite, verify
from flotilla.vectorstore.neighbours import REACH, grown


class Document:
    """A document cut into chunks at places that are given as (start, end)."""

    def __init__(self, text: str, cuts: Sequence[tuple[int, int]], **of_place: Any) -> None:
        self.text = text
        self.chunks = [
            Passage(
                chunk_id=chunk_id("d", "v", place),
                document_id="d",
                document_name="d.pdf",
                version_id="v",
                collection="c",
                position=place,
                text=text[start:end],
                start=start,
                end=end,
                page_start=place + 1,
                page_end=place + 1,
                score=0.0,
                **{name: values[place] for name, values in of_place.items()},
            )
            for place, (start, end) in enumerate(cuts)
        ]
        self.reads: list[list[str]] = []

    def read(self, ids: Sequence[str]) -> dict[str, Passage]:
        self.reads.append(list(ids))
        return {each.chunk_id: each for each in self.chunks if each.chunk_id in set(ids)}

    def grow(self, places: Sequence[int], budget: int) -> list[Passage]:
        found = [
            self.chunks[place].model_copy(update={"score": 1.0 - rank / 10})
            for rank, place in enumerate(places)
        ]
        return grown(found, budget, self.read, lambda texts: [len(text.split()) for text in texts])


WORDS = " ".join(f"word{number}" for number in range(60))


def even(of: int = 6, overlap: int = 0, **of_place: Any) -> Document:
    """Ten words a chunk, the blank behind each belonging to none."""
    starts = [WORDS.index(f"word{number}") for number in range(0, 60, 10)][:of]
    ends = [start - 1 for start in starts[1:]] + [len(WORDS)]
    cuts = [(max(0, start - overlap), end) for start, end in zip(starts, ends, strict=True)]
    return Document(WORDS, cuts, **of_place)


def places(passage: Passage) -> list[int]:
    found = {chunk_id("d", "v", place): place for place in range(60)}
    return [found[part.chunk_id] for part in passage.parts]


def test_a_passage_grows_on_both_sides_until_the_budget_is_spent() -> None:
    [grew] = even().grow([2], budget=25)
    assert places(grew) == [1, 2, 3]
    assert (grew.page_start, grew.page_end) == (2, 4)
    assert grew.chunk_id == chunk_id("d", "v", 2)
    assert len(grew.text) == grew.end - grew.start


def test_what_chunks_share_is_said_once_and_costs_nothing() -> None:
    document = even(overlap=14)
    [grew] = document.grow([2], budget=25)
    assert grew.text == document.text[grew.start : grew.end]
    assert grew.text.split() == document.text[grew.start : grew.end].split()


def test_the_best_passage_comes_first_in_each_round() -> None:
    first, second = even().grow([0, 5], budget=12)
    assert places(first) == [0, 1]
    assert second.parts == ()
    first, second = even().grow([5, 0], budget=22)
    assert places(first) == [4, 5]
    assert places(second) == [0, 1]


def test_passages_that_meet_are_one_in_the_place_of_the_better() -> None:
    [grew] = even().grow([3, 1, 5], budget=1000)
    assert places(grew) == [0, 1, 2, 3, 4, 5]
    assert (grew.score, grew.position) == (1.0, 3)


def test_a_passage_between_two_better_ones_joins_them() -> None:
    [grew] = even(of=3).grow([2, 0, 1], budget=1)
    assert places(grew) == [0, 1, 2]
    assert grew.score == 1.0


def test_a_section_is_read_before_what_stands_around_it() -> None:
    sections = [("A",), ("A",), ("A",), ("B",), ("B",), ("B",)]
    [grew] = even(heading_path=sections).grow([2], budget=20)
    assert places(grew) == [0, 1, 2]
    [grew] = even(heading_path=sections).grow([2], budget=30)
    assert places(grew) == [0, 1, 2, 3]
    assert grew.heading_path == ("A",)
    assert [part.heading_path for part in grew.parts] == [("A",)] * 3 + [("B",)]


def test_passages_that_a_heading_parts_stay_apart() -> None:
    sections = [("A",), ("A",), ("A",), ("B",), ("B",), ("B",)]
    first, second = even(heading_path=sections).grow([2, 3], budget=1000)
    assert (places(first), places(second)) == ([0, 1, 2], [3, 4, 5])
    [grew] = even(heading_path=sections).grow([2, 4], budget=1000)
    assert places(grew) == [0, 1, 2, 3, 4, 5]


def test_a_table_stays_as_it_was_found_and_is_read_along_with_its_text() -> None:
    kinds = [DataType.TEXT, DataType.TEXT, DataType.TABLE, DataType.TEXT, *[DataType.TEXT] * 2]
    [table] = even(data_type=kinds).grow([2], budget=1000)
    assert (table.data_type, table.parts) == (DataType.TABLE, ())
    [text] = even(data_type=kinds).grow([1], budget=1000)
    assert 2 in places(text)
    table, text = even(data_type=kinds).grow([2, 1], budget=1000)
    assert table.parts == ()
    assert places(text) == [0, 1]  # what was found already is not said twice


def test_what_is_far_off_is_not_put_together() -> None:
    text = "one two" + "." * 100 + "three four"
    [grew] = Document(text, [(0, 7), (107, 117)]).grow([0], budget=100)
    assert grew.parts == ()


def test_one_read_for_all_and_never_beyond_reach() -> None:
    document = even()
    document.grow([0, 3], budget=1000)
    assert len(document.reads) == 1
    assert len(document.reads[0]) == len(set(document.reads[0])) <= 4 * REACH


def test_nothing_around_it_is_no_harm() -> None:
    [same] = even(of=1).grow([0], budget=1000)
    assert same.parts == ()
    assert grown([], 100, lambda _ids: {}, lambda _texts: []) == []


@pytest.mark.parametrize("seed", range(30))
def test_quotes_are_the_documents_own_words_wherever_they_are_taken(seed: int) -> None:
    chance = random.Random(seed)
    text = " \n\n".join(
        " ".join(f"w{chance.randrange(100)}" for _ in range(chance.randrange(3, 9)))
        for _ in range(30)
    )
    cuts, start = [], 0
    while start < len(text) - 5:
        end = min(len(text), start + chance.randrange(15, 60))
        piece = text[start:end]
        left = len(piece) - len(piece.lstrip())
        if piece.strip():
            cuts.append((start + left, start + left + len(piece.strip())))
        start = max(start + 1, end - chance.choice([0, 0, 7]))
    document = Document(text, cuts)
    found = chance.sample(range(len(cuts)), 4)
    for passage in document.grow(found, budget=chance.randrange(5, 200)):
        assert len(passage.text) == passage.end - passage.start
        for part in passage.parts:
            own = passage.text[part.start - passage.start : part.end - passage.start]
            assert own == text[part.start : part.end]
        for _ in range(20):
            low = chance.randrange(len(passage.text))
            high = chance.randrange(low, len(passage.text)) + 1
            citation = cite(1, passage, low, high)
            if passage.parts and not citation.quote.strip("\n"):
                continue
            assert citation.quote == text[citation.start : citation.end]
            assert verify([citation], [passage]) == (citation,)
            named = {part.chunk_id: part for part in passage.parts}.get(citation.chunk_id)
            if named is not None:
                assert named.start <= citation.start < named.end
                assert citation.page_start == named.page_start
            holders = [
                each
                for each in passage.parts
                if each.start <= citation.start and citation.end <= each.end
            ]
            if holders:
                assert named in holders
                assert citation.page_end == named.page_end
