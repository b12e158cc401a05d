import pytest

from flotilla.rag.extractive.generator import ExtractiveGenerator
from flotilla.rag.text.publisher import addressed
from tests.unit.rag.conftest import MakePassage, WordEmbedder, make_passage

LEAFLET = [
    make_passage("This leaflet sums up what Pawsure Mutual covers.", 0),
    make_passage("Write to Pawsure Mutual. Ask us beforehand.", 1),
    make_passage("We do not pay to cover neutering.", 2),
    make_passage("Ask for Dorota, who films the car.", 3),
]


@pytest.mark.parametrize(
    ("asked", "put"),
    [
        ("Does Pawsure cover neutering?", "Do you cover neutering?"),
        ("How long does Pawsure Mutual take to pay?", "How long do you take to pay?"),
        ("Will Pawsure pay abroad?", "Will you pay abroad?"),
        ("Does Dorota speak French?", "Does Dorota speak French?"),
        ("Does Felicity cover neutering?", "Does Felicity cover neutering?"),
        ("Do I pay Pawsure?", "Do I pay Pawsure?"),
    ],
)
def test_who_wrote_the_documents_is_you(asked: str, put: str) -> None:
    assert addressed(asked, LEAFLET) == put


def test_where_no_document_says_we_a_name_is_no_publishers() -> None:
    passages = [make_passage(f"The Corvane 300 moves water, {i}.", i) for i in range(3)]
    assert addressed("Does Corvane move oil?", passages) == "Does Corvane move oil?"


def test_a_thing_that_the_documents_describe_is_no_publisher() -> None:
    passages = [
        make_passage("Kestrel is a backup program. On our tests it was fast.", 0),
        make_passage("Kestrel needs Python. Kestrel 4.2 is new.", 1),
    ]
    asked = "What licence does Kestrel have?"
    assert addressed(asked, passages) == asked


def test_the_publishers_name_carries_no_sentence(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    draft = ExtractiveGenerator(embedder).generate("Does Pawsure cover neutering?", LEAFLET)
    assert draft.text == "We do not pay to cover neutering. [1]"


def test_what_a_text_says_of_itself_stands_behind_what_it_says(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    text = "This guide says how we value a car.\n\nWe value a car by three prices of auctions."
    draft = ExtractiveGenerator(embedder, threshold=0.0).generate(
        "How do you value a car?", [passage(text)]
    )
    assert draft.text.startswith("We value a car by three")
