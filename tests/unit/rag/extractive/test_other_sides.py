"""What answers the contrary of a question: another party, another side of a span, the opposite."""

import pytest

from flotilla.rag.extractive.beside import outdoes
from flotilla.rag.extractive.candidates import candidates
from flotilla.rag.extractive.conditions import excludes, is_other_matter
from flotilla.rag.extractive.generator import ExtractiveGenerator
from tests.unit.rag.conftest import MakePassage, WordEmbedder

WITHDRAWAL = (
    "If you withdraw within 48 hours of paying, we return the whole deposit. "
    "After that we keep £75."
)


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("Can I cancel my booking?", "If we cancel the booking, you get everything back."),
        ("When can I cancel?", "We may only cancel when three payments are missing."),
        ("What happens if you cancel my trip?", "If you cancel the trip, you pay half."),
        ("Do you sell cars to other dealers?", "Selling your old car to us takes an hour."),
        ("Where do I sell my old car?", "We have sold used cars since 1987."),
        ("What happens if I withdraw after 48 hours?", WITHDRAWAL.split(". ")[0]),
        ("What if I cancel three days later than two weeks?", "You may cancel within 14 days."),
        ("What do I get within 24 hours?", "After two days we keep the deposit."),
        ("What if I join before 1 March?", "Those who join after 1 March pay half."),
        ("Was gilt nach drei Monaten?", "Innerhalb von zwei Monaten ist alles frei."),
        ("How do I become a member and join?", "To leave the club, write to the secretary."),
        ("Wie melde ich mich an? Eine Anmeldung", "Die Abmeldung geht an das Büro."),
        ("How do I open an account?", "You may close your account at any time."),
    ],
)
def test_the_contrary_of_what_is_asked_is_excluded(question: str, sentence: str) -> None:
    assert excludes(question, sentence)
    assert is_other_matter(question, sentence)


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("Can I cancel my booking?", "You may cancel, and if we cancel you get everything back."),
        ("Can I hire shoes?", "We can hire shoes out for £3."),
        ("Can you cancel my booking?", "You may cancel at any time."),
        ("Do you sell vans?", "We have sold light vans since 1987."),
        ("Can I buy a car by video call?", "We sell cars to customers by video call."),
        ("What happens if I withdraw after 24 hours?", WITHDRAWAL.split(". ")[0]),
        ("What happens if I withdraw within 48 hours?", WITHDRAWAL.split(". ")[0]),
        ("Can I cancel within a week?", "Cancel more than 48 hours before the start."),
        ("What do I pay if I join in April?", "Those who join after 1 March pay half."),
        ("Is the shop open in August?", "In August the shop stays closed."),
        ("When do I lock the door?", "Unlock the door at eight and lock it at ten."),
    ],
)
def test_what_answers_is_not_excluded(question: str, sentence: str) -> None:
    assert not excludes(question, sentence)
    assert not is_other_matter(question, sentence)


def test_what_holds_afterwards_answers_for_the_time_after(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    generator = ExtractiveGenerator(embedder, threshold=0.0)
    draft = generator.generate("What if I withdraw after 48 hours?", [passage(WITHDRAWAL)])
    assert "After that we keep £75." in draft.text


def test_the_contrary_alone_is_no_answer(embedder: WordEmbedder, passage: MakePassage) -> None:
    generator = ExtractiveGenerator(embedder, threshold=0.0)
    passages = [passage("If we cancel the booking, you get everything back.")]
    assert not generator.generate("Can I cancel my booking?", passages).answerable
    assert generator.generate("What if you cancel my booking?", passages).answerable


def test_what_is_left_beside_the_contrary_must_be_likelier(passage: MakePassage) -> None:
    text = "If we cancel the booking, you get everything back.\n\nA booking can be made by phone."
    found = candidates([passage(text)])
    contrary, other = found
    contrary.score, other.score = 0.5, 0.6
    assert outdoes("Can I cancel my booking?", [other, contrary])
    assert not outdoes("Can you cancel my booking?", [other, contrary])
    contrary.score = 0.3
    assert not outdoes("Can I cancel my booking?", [other, contrary])
