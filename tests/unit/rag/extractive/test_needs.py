import pytest

from flotilla.rag.extractive.candidates import Candidate, candidates
from flotilla.rag.extractive.generator import ExtractiveGenerator
from flotilla.rag.extractive.needs import (
    lacks_amount,
    lacks_figure,
    lacks_name,
    need_fit,
    tells_no_price,
)
from tests.unit.rag.conftest import MakePassage, WordEmbedder, make_passage


def said(sentence: str) -> Candidate:
    (found,) = candidates([make_passage(sentence)])
    return found


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("What is the deposit for the Whitsun trip?", "At Whitsun we go there for nine days."),
        ("How much does parking cost?", "You can park behind the house."),
        ("What do you charge for delivery?", "We deliver within two days."),
        ("What interest rate do you charge?", "The lender may charge 58 days of interest."),
        ("Wie hoch ist die Kaution?", "Die Kaution ist bei Einzug fällig."),
    ],
)
def test_a_price_a_deposit_or_a_rate_needs_an_amount(question: str, sentence: str) -> None:
    assert lacks_amount(question, said(sentence))


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("What is the deposit for the Whitsun trip?", "The deposit of £85 is due first."),
        ("How much does parking cost?", "Parking is free."),
        ("What does the check cost?", "The price includes the check."),
        ("What interest rate do you charge?", "The annual rate is 10.9 per cent."),
        ("What is the rate limit?", "Each client has its own."),
        ("How much does the exam count?", "The exam is written in June."),
        ("What is the fee for adults?", "| Member | Fee (GBP) |\n|---|---|\n| Adult | 240 |"),
    ],
)
def test_what_tells_an_amount_or_is_asked_for_none_lacks_none(question: str, sentence: str) -> None:
    assert not lacks_amount(question, said(sentence))


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("What does insurance cost?", "You pay yourself an excess of £600."),
        ("How much does a set of winter tyres cost?", "Winter tyres add £150 to the value."),
    ],
)
def test_what_is_called_otherwise_is_no_price(question: str, sentence: str) -> None:
    assert tells_no_price(question, said(sentence))


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("What does the excess cost me?", "You pay yourself an excess of £600."),
        ("How much do I pay if I cause damage?", "You pay yourself an excess of £600."),
        ("What do winter tyres cost?", "Winter tyres cost £90 and add £150 to the value."),
    ],
)
def test_a_price_is_one(question: str, sentence: str) -> None:
    assert not tells_no_price(question, said(sentence))


def test_who_holds_an_office_is_told_by_a_name() -> None:
    assert lacks_name("Who is the secretary?", "To leave, write to the secretary by 31 July.")
    assert not lacks_name("Who is the secretary?", "Write to the secretary, Odile Farquhar.")
    assert not lacks_name("Who is the policy for?", "It is for all staff.")
    assert need_fit("Who values my car?", said("Our valuer, Tobias Renwick, starts.")) > 1


def test_a_sentence_without_the_amount_gives_way_to_one_with_it(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    text = "Each Whitsun there is a trip to the hills.\n\nA deposit of £85 is paid for the trip."
    draft = ExtractiveGenerator(embedder, threshold=0.0).generate(
        "What is the deposit for the Whitsun trip?", [passage(text)]
    )
    assert draft.text.startswith("A deposit of £85")


def test_whats_is_what_is(embedder: WordEmbedder, passage: MakePassage) -> None:
    passages = [passage("Our company number is 04417729.\n\nTelephone: 01632 960 481\n\n")]
    generator = ExtractiveGenerator(embedder)
    for question in ("What's your phone number?", "Whats your phone number?"):
        assert generator.generate(question, passages).text == "Telephone: 01632 960 481 [1]"
    alone = [passage("Our company number is 04417729.")]
    assert not generator.generate("What's your phone number?", alone).answerable


def test_a_year_tells_no_size() -> None:
    assert lacks_figure("How high is the wall?", "It has been open since October 2004.")
    assert not lacks_figure("How high is the wall?", "Since 2004 it has twelve metres.")
    assert not lacks_figure("How old is the wall?", "It has been open since October 2004.")
