"""Which questions mean the same: pairs that do, and pairs that differ in what matters."""

import json
from pathlib import Path

import pytest

from flotilla.rag.caching.likeness import alike, language_of

PAIRS = json.loads((Path(__file__).parent / "question_pairs.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("one", "other"), PAIRS["same"])
def test_what_is_asked_in_other_words_is_the_same(one: str, other: str) -> None:
    assert alike(one, other)
    assert alike(other, one)


@pytest.mark.parametrize(("one", "other"), PAIRS["different"])
def test_what_differs_in_what_it_is_about_is_not(one: str, other: str) -> None:
    assert not alike(one, other)
    assert not alike(other, one)


def test_capitals_may_differ_where_they_make_no_abbreviation() -> None:
    assert alike(
        "How long is the WARRANTY on a Used Car?", "how long is the warranty on a used car"
    )
    assert not alike("How long is the IT course?", "How long is it, the course?")


def test_what_says_nothing_is_like_nothing() -> None:
    assert not alike("What is it?", "What is it?")
    assert not alike("?", "?")


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("How long is the warranty?", "en"),
        ("Wie lange ist die Garantie?", "de"),
        ("¿Cuánto dura la garantía?", ""),
        ("warranty", ""),
    ],
)
def test_the_language_is_told_by_its_small_words(question: str, language: str) -> None:
    assert language_of(question) == language
