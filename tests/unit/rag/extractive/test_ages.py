"""An age in a question against the bound that a sentence sets."""

import pytest

from flotilla.rag.extractive.ages import age_terms, bounds_age
from flotilla.rag.extractive.generator import ExtractiveGenerator
from tests.unit.rag.conftest import MakePassage, WordEmbedder


@pytest.mark.parametrize(
    ("question", "age"),
    [
        ("Can my 6 year old come sailing?", "6"),
        ("May a 14-year-old swim alone?", "14"),
        ("Is my cat too old to be insured at 10?", "10"),
        ("I'm 19, can I drive?", "19"),
        ("My dog is nine years old, may it come?", "9"),
        ("Darf man mit 16 mitfahren?", "16"),
        ("I'm 5 minutes late, what now?", None),
        ("When does it open, at 10?", None),
        ("What does a car of 6 years cost?", None),
    ],
)
def test_an_age_is_told_from_other_numbers(question: str, age: str | None) -> None:
    found = age_terms(question)
    assert age in found if age else not found


@pytest.mark.parametrize(
    ("sentence", "bounds"),
    [
        ("Juniors can join from the age of 7.", True),
        ("A pet must be younger than nine years when the policy begins.", True),
        ("Drivers are at least 23 years old.", True),
        ("Children under 12 pay half.", True),
        ("Mitglieder, die älter als 75 Jahre sind, zahlen nichts.", True),
        ("The agreement runs for at least two years.", False),
        ("Laptops are replaced every four years.", False),
        ("Open from 9 to 5.", False),
    ],
)
def test_a_bound_on_an_age_is_told_from_other_bounds(sentence: str, bounds: bool) -> None:
    assert bounds_age(sentence) is bounds


def test_a_bound_answers_for_an_age_that_it_does_not_name(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    text = "Juniors can go sailing from the age of 7. Boats are 6 metres long."
    draft = ExtractiveGenerator(embedder).generate("Can my 6 year old go sailing?", [passage(text)])
    assert draft.text == "Juniors can go sailing from the age of 7. [1]"
