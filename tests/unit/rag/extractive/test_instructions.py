import pytest

from flotilla.rag.extractive.generator import ExtractiveGenerator
from flotilla.rag.extractive.instructions import asks_what_to_do, instructs
from tests.unit.rag.conftest import MakePassage, WordEmbedder


@pytest.mark.parametrize(
    "question",
    [
        "My laptop was stolen last night. What should I do?",
        "I have lost a key. What now?",
        "What do I have to do if it hums?",
        "Was mache ich, wenn ich beim Termin nicht da bin?",
    ],
)
def test_what_is_to_be_done_is_asked(question: str) -> None:
    assert asks_what_to_do(question)


@pytest.mark.parametrize(
    "question", ["What do I pay if I join in April?", "What do you do?", "What should a key cost?"]
)
def test_something_else_is_asked(question: str) -> None:
    assert not asks_what_to_do(question)


@pytest.mark.parametrize(
    "sentence",
    [
        "Ring 0117 496 0712 within two hours.",
        "Then report a theft to the police.",
        "The pump hums but does not turn: unplug it first.",
        "A lost key must be reported.",
        "Whoever loses a key reports it on the same day.",
        "Bitte rufen Sie den Notdienst.",
    ],
)
def test_an_instruction_is_told_by_its_form(sentence: str) -> None:
    assert instructs(sentence)


@pytest.mark.parametrize(
    "sentence", ["We wipe the machine from afar.", "You do not pay for a stolen laptop."]
)
def test_what_tells_nobody_to_do_anything_is_none(sentence: str) -> None:
    assert not instructs(sentence)


def test_an_instruction_answers_what_should_be_done(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    text = (
        "You do not pay for a stolen laptop.\n\nTell the police and the desk of the stolen laptop."
    )
    draft = ExtractiveGenerator(embedder, threshold=0.0).generate(
        "My laptop was stolen. What should I do?", [passage(text)]
    )
    assert draft.text.startswith("Tell the police")


def test_a_row_does_not_tell_how_something_is_done(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    text = (
        "| Member | Per year |\n|---|---|\n| Adult member | £216 |\n| Junior member | £96 |\n\n"
        "Members pass a check first."
    )
    draft = ExtractiveGenerator(embedder, threshold=0.0).generate(
        "How do I become a member?", [passage(text)]
    )
    assert draft.text.startswith("Members pass a check first.")
