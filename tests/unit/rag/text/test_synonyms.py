"""Everyday words for the same thing."""

from flotilla.rag.extractive.candidates import candidates
from flotilla.rag.extractive.other_forms import add_forms
from flotilla.rag.text.synonyms import other_words
from flotilla.rag.text.terms import terms
from tests.unit.rag.conftest import MakePassage


def test_other_words_lead_to_the_one_that_was_asked_for() -> None:
    asked = terms("How much holiday do I get?")
    assert other_words(asked)["leav"] == "holiday"
    assert "holiday" not in other_words(asked)
    assert not other_words(terms("How much granite do I get?")).keys() & {"leav", "rock"}


def test_what_is_not_accompanied_is_about_accompanying() -> None:
    assert other_words(terms("without an accompanying person"))["unaccompani"] == "accompani"
    assert other_words(terms("Can guests go unaccompanied?"))["accompani"] == "unaccompani"


def test_german_words_are_alike_in_all_their_forms() -> None:
    assert other_words(["arzt"], german=True)["arztlich"] == "arzt"


def test_a_sentence_with_another_word_has_the_asked_one_around_it(passage: MakePassage) -> None:
    found = candidates([passage("Everybody has 28 days of paid leave a year. Trains are booked.")])
    add_forms("How much holiday do I get?", found)
    assert ["holiday" in c.context for c in found] == [True, False]
    assert not any("holiday" in c.terms for c in found)


def test_a_larger_place_stands_for_those_within_it() -> None:
    assert other_words(terms("in France"))["european"] == "franc"
    assert "european" not in other_words(terms("in Canada"))
