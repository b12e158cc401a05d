"""Words that are derived from one another."""

import pytest

from flotilla.rag.extractive.candidates import candidates
from flotilla.rag.extractive.other_forms import add_forms
from flotilla.rag.text.derivation import family
from tests.unit.rag.conftest import MakePassage


@pytest.mark.parametrize(
    "words",
    [
        "complain complaint complaints complaining",
        "deliver delivery deliveries delivered",
        "insure insurance insured insurer insures",
        "pay payment payments paid",
        "apply application applied applies",
        "cancel cancellation cancelled",
        "arrive arrival arrives",
        "reserve reservation reserved",
        "train trainer training",
        "sell sale seller",
    ],
)
def test_derived_words_are_of_one_family(words: str) -> None:
    assert len({family(word) for word in words.split()}) == 1


@pytest.mark.parametrize(
    "words",
    ["corner corn", "former form", "counter count", "personal person", "general generation",
     "letter let", "station state", "party part", "number numb"],
)  # fmt: skip
def test_words_that_only_look_derived_are_not(words: str) -> None:
    one, other = words.split()
    assert family(one) != family(other)


def test_a_sentence_or_its_heading_has_the_asked_word_around_it(passage: MakePassage) -> None:
    text = "## Complaints\n\nTell us first. A complaint is settled soon.\n\n## Fees\n\nNone is due."
    found = candidates([passage(text)])
    add_forms("How do I complain?", found)
    assert ["complain" in c.context for c in found] == [True, True, False]
