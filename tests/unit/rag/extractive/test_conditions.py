import pytest

from flotilla.rag.extractive.conditions import excludes
from flotilla.rag.extractive.generator import ExtractiveGenerator
from tests.unit.rag.conftest import MakePassage, WordEmbedder

DEAR = "For vehicles priced above £20,000 the deposit is £500."


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("What is the deposit for a car costing £15,000?", DEAR),
        ("What does delivery cost for an order of £200?", "Orders below £150 cost £12 to deliver."),
        ("May I hire a van at 21 years?", "From 23 years you may hire a van."),
        ("Was kostet der Versand bei 30 €?", "Ab 50 € ist der Versand kostenlos."),
        ("Do I get my deposit back if I cancel?", "If we cancel, you get everything back."),
        ("What happens if you cancel the trip?", "You pay half if you cancel the trip."),
    ],
)
def test_a_condition_that_is_not_met_excludes(question: str, sentence: str) -> None:
    assert excludes(question, sentence)


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("What is the deposit for a car costing £25,000?", DEAR),
        ("What is the deposit above £15,000?", DEAR),
        ("Is there a deposit of 500 euros?", DEAR),
        ("What does a car of £15,000 cost?", "£5 up to £50, £9 above £60."),
        ("Is the Golf of 2019 for sale?", "Cars with more than 90,000 miles are not for sale."),
        ("Do I get my deposit back if you cancel?", "If we cancel, you get everything back."),
        ("What do I pay if I cancel?", "If you cancel, you pay half."),
        ("What if I lose my way?", "If we cancel, you get everything back."),
    ],
)
def test_what_may_hold_is_not_excluded(question: str, sentence: str) -> None:
    assert not excludes(question, sentence)


def test_a_sentence_of_another_condition_stands_behind_the_rule(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    text = f"The deposit for a car is £250. {DEAR}"
    draft = ExtractiveGenerator(embedder, threshold=0.0).generate(
        "What is the deposit for a car costing £15,000?", [passage(text)]
    )
    assert draft.text == "The deposit for a car is £250. [1]"
