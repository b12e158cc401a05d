"""What is missing in a document's stored chunks, or there twice, is found by its words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.chaos.documents import GOOD, Maker, write_document, write_documents
from tests.chaos.texts import Compared, compare

TEXT = "One cart came to the mill. Two carts left it again. Three carts stayed where they were."
CUTS = ((0, 26), (27, 51), (52, 87))
CLEAN = Compared([], [])


@dataclass(frozen=True)
class Chunk:
    """A chunk of a test's making."""

    position: int
    text: str
    start: int
    end: int


def chunks(*cuts: tuple[int, int]) -> list[Chunk]:
    return [Chunk(at, TEXT[start:end], start, end) for at, (start, end) in enumerate(cuts)]


def renumbered(parts: Sequence[Chunk]) -> list[Chunk]:
    """As a splitter would give parts that follow one another."""
    found: list[Chunk] = []
    for at, part in enumerate(parts):
        start = found[-1].end + 1 if found else 0
        found.append(Chunk(at, part.text, start, start + len(part.text)))
    return found


def test_all_words_once_are_right() -> None:
    assert compare(chunks(*CUTS), TEXT) == CLEAN


def test_neighbours_may_overlap() -> None:
    assert compare(chunks((0, 51), (27, 87)), TEXT) == CLEAN


def test_how_a_text_is_spaced_does_not_matter() -> None:
    assert compare(chunks(*CUTS), TEXT.replace(" ", "\n\n")) == CLEAN


def test_a_page_range_that_was_skipped_is_missing() -> None:
    first, _, last = chunks(*CUTS)
    found = compare(renumbered([first, last]), TEXT)
    assert found.missing
    assert not found.surplus


def test_a_page_range_that_was_read_twice_is_surplus() -> None:
    first, second, last = chunks(*CUTS)
    found = compare(renumbered([first, second, second, last]), TEXT)
    assert found.surplus
    assert not found.missing


def test_a_chunk_that_says_again_what_the_one_before_says_is_surplus() -> None:
    first, second, last = chunks(*CUTS)
    assert compare([first, second, replace(second, position=2), replace(last, position=3)], TEXT)[1]


def test_another_order_is_wrong() -> None:
    first, second, last = chunks(*CUTS)
    assert compare(renumbered([first, last, second]), TEXT).missing


@pytest.mark.parametrize(
    "broken",
    [
        {"text": "Two carts left it agone."},  # in the middle of a document
        {"end": 60},
        {"position": 7},
    ],
)
def test_a_chunk_that_is_not_what_it_says_is_wrong(broken: dict[str, object]) -> None:
    first, second, last = chunks(*CUTS)
    assert compare([first, replace(second, **broken), last], TEXT).missing  # type: ignore[arg-type]


def test_an_overlap_that_is_not_the_same_text_is_wrong() -> None:
    first, last = chunks((0, 51), (27, 87))
    assert compare(
        [first, replace(last, text=last.text.replace("carts left", "boats left"))], TEXT
    )[0]


@pytest.mark.parametrize("maker", GOOD)
def test_what_is_converted_is_what_was_written(maker: Maker, tmp_path: Path) -> None:
    from flotilla.document.converters import converter_for
    from flotilla.document.detect import detect
    from flotilla.document.splitter import SectionSplitter

    splitter = SectionSplitter(lambda text: len(text.split()), chunk_tokens=60, overlap=10)
    planned = write_document(tmp_path, maker, 3, 5)
    media_type = detect(planned.path, planned.name, None)
    pages = converter_for(media_type, max_unpacked_bytes=10**8).pages(planned.path)
    found = list(splitter.split(pages, document_id="d", version_id="v"))
    assert len(found) > 1
    assert compare(found, planned.text) == CLEAN


def test_each_kind_of_document_is_among_them(tmp_path: Path) -> None:
    plan = write_documents(tmp_path, 30, 1)
    assert sum(planned.twice for planned in plan) >= 2
    assert any(planned.by_url for planned in plan)
    assert any(planned.successor for planned in plan)
    assert not any(planned.twice and (planned.by_url or planned.successor) for planned in plan)


def test_no_document_has_the_bytes_of_another(tmp_path: Path) -> None:
    """Who comes second would be its duplicate, and not what was planned."""
    plan = write_documents(tmp_path, 200, 7)
    assert len({planned.sha256 for planned in plan}) == len(plan)
