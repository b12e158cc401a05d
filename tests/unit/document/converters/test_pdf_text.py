import pytest

from flotilla.document.converters.pdf_text import (
    Vocabulary,
    clean_text,
    join_split_words,
    locate,
)
from flotilla.document.converters.typography import Line


def joined(*texts: str, known: str = "", apart: bool = False) -> list[str]:
    lines = [Line(text, 11, 400, apart=apart) for text in texts]
    words = Vocabulary([known])
    return [clean_text(line.text, words) for line in join_split_words(lines, words) if line]


@pytest.mark.parametrize("mark", ["\ufffe", "\x02", "\u00ad", "-", "\u2010"])
def test_a_word_split_at_a_lines_end_is_mended(mark: str) -> None:
    assert joined(f"an ex{mark}", "pected guest") == ["an expected", "guest"]


def test_a_split_word_takes_what_clings_to_it_along() -> None:
    assert joined("the quay was inspec\ufffe", "ted.) It") == ["the quay was inspected.)", "It"]
    assert joined("the inspec\ufffe", "tion") == ["the inspection"]


@pytest.mark.parametrize(
    ("lines", "known", "whole"),
    [
        (("the In\ufffe", "network fee"), "paid in-network", "the In-network"),
        (("in 2024\ufffe", "25 only"), "", "in 2024-25"),
        (("the Anglo-", "saxon"), "", "the Anglosaxon"),
        (("the Anglo\ufffe", "Saxon"), "", "the Anglo-Saxon"),
        (("a self-", "made man"), "", "a self-made"),
        (("by decision-", "making"), "a decision is in the making", "by decision-making"),
        (("we under-", "stand it"), "stand under it", "we understand"),
        (("of infor-", "mation"), "information", "of information"),
        (("an x-", "ray of it"), "", "an x-ray"),
        (("the state-of-the-", "art quay"), "", "the state-of-the-art"),
        (("an up-to-", "date list"), "", "an up-to-date"),
        (("de l\u2019é-", "tat"), "", "de l\u2019état"),
        (("by the-", "ory alone"), "", "by theory"),
    ],
)
def test_compounds_keep_their_hyphen(lines: tuple[str, ...], known: str, whole: str) -> None:
    assert joined(*lines, known=known)[0] == whole


def test_a_compound_that_is_left_open_is_no_split_word() -> None:
    assert joined("both pre-", "and post-war") == ["both pre-", "and post-war"]


def test_a_dash_and_a_line_of_its_own_are_no_split_word() -> None:
    assert joined("the fee -", "all of it") == ["the fee -", "all of it"]
    assert joined("Notes on co-", "operation", apart=True) == ["Notes on co-", "operation"]


def test_what_is_not_shown_is_removed() -> None:
    assert clean_text("a\x00bc\x1f \t d\r") == "abc d"


def test_ligatures_are_letters() -> None:
    assert clean_text("e\ufb03cient \ufb01eld") == "efficient field"
    assert clean_text("\ufefb") == "\u0644\u0627"


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
