import pytest

from flotilla.document.converters.pdf_text import clean_lines, locate
from flotilla.document.converters.typography import Line


def clean(*texts: str, compounds: frozenset[str] = frozenset()) -> list[str]:
    return [line.text for line in clean_lines([Line(t, 11, 400) for t in texts], compounds)]


@pytest.mark.parametrize("mark", ["\ufffe", "\x02"])
def test_a_word_split_at_a_lines_end_is_mended(mark: str) -> None:
    assert clean(f"an ex{mark}pected guest") == ["an expected guest"]


def test_compounds_and_numbers_keep_their_hyphen() -> None:
    known = frozenset(("in-network",))
    assert clean("an In\ufffenetwork fee of 2024\ufffe25", compounds=known) == [
        "an In-network fee of 2024-25"
    ]


def test_what_is_not_shown_is_removed() -> None:
    assert clean("a\x00b\u00adc\x1f \t d\r", "", "", "e", "") == ["abc d", "", "e"]


@pytest.mark.parametrize(
    ("title", "text", "found"),
    [
        ("Fees", "on Fees we say\nFees\nmore", "Fees\nmore"),
        ("Fees and dues", "x\nFees\nand dues\ny", "Fees\nand dues\ny"),
        ("Fees", "x\n2.1 FEES\ny", "2.1 FEES\ny"),
        ("1. Who we are", "counts.\n1. Who we are\n", "1. Who we are\n"),
        ("Missing", "nothing", "nothing"),
    ],
)
def test_a_bookmark_is_located_on_its_page(title: str, text: str, found: str) -> None:
    assert text[locate(title, text) :] == found
