import pytest

from flotilla.rag.refusals import (
    NOT_FOUND,
    NOTHING_RETRIEVED,
    OTHER_TONGUE,
    not_found,
    told_tongue,
    tongue_of,
)
from tests.unit.rag.conftest import MakePassage


@pytest.mark.parametrize(
    ("question", "tongue"),
    [
        ("What does the Honda Civic cost?", "en"),
        ("warranty", "en"),
        ("", "en"),
        ("保証期間は何年ですか", "en"),
        ("Is a Mercedes A180 in stock?", "en"),
        ("Wie lange gilt die Garantie?", "de"),
        ("Was kostet der Honda Civic in Rot?", "de"),
        ("Quelle est la durée de la garantie ?", "fr"),
        ("Où se trouve le magasin ?", "fr"),
        ("¿Cuánto dura la garantía?", "es"),
        ("¿Hay un límite de kilómetros?", "es"),
    ],
)
def test_a_refusal_is_in_the_question_s_language(question: str, tongue: str) -> None:
    assert tongue_of(question) == tongue
    assert not_found(question) == NOT_FOUND[tongue]


def test_each_sentence_is_there_in_each_language() -> None:
    assert NOT_FOUND.keys() == NOTHING_RETRIEVED.keys() == OTHER_TONGUE.keys()


ENGLISH_TEXT = "The showroom is closed on Sunday, and the workshop is open from eight to noon. " * 2
PRICES = "Stock no. Model Price\nSL-1 Ford Fiesta SE £8,450\nSL-2 Fiat 500 La Prima SE £7,995"


def test_a_refusal_says_that_the_documents_are_in_another_language(passage: MakePassage) -> None:
    question = "Wann ist die Werkstatt am Samstag offen?"
    english = [passage(ENGLISH_TEXT)]
    assert not_found(question, english) == f"{NOT_FOUND['de']} {OTHER_TONGUE['de']}"
    assert not_found("When is the workshop open?", english) == NOT_FOUND["en"]
    assert not_found("Werkstatt?", english) == NOT_FOUND["en"]


def test_it_is_not_said_of_documents_some_of_which_are_in_the_question_s_language(
    passage: MakePassage,
) -> None:
    question = "Wann ist die Werkstatt am Samstag offen?"
    german = "Die Werkstatt ist am Sonntag geschlossen, und der Laden ist von acht bis zwölf offen."
    english = passage(ENGLISH_TEXT * 3)
    mixed = [english, passage(german, 1, document_id="document-b")]
    assert not_found(question, mixed) == NOT_FOUND["de"]
    assert not_found(question, [english, passage(german, 1)]) == NOT_FOUND["de"]
    # Nothing tells in what language the prices are.
    assert not_found(question, [english, passage(PRICES, 1, document_id="b")]) == NOT_FOUND["de"]
    assert not_found(question, [english, passage(PRICES, 1)]) != NOT_FOUND["de"]


def test_a_question_of_few_words_is_in_no_certain_language(passage: MakePassage) -> None:
    german = [
        passage("Die Werkstatt ist am Sonntag geschlossen und der Laden bis zwölf offen. " * 2)
    ]
    assert not_found("Closed on Sunday?", german) == NOT_FOUND["en"]
    assert not_found("Sunday?", german) == NOT_FOUND["en"]
    assert not_found("When is the shop open?", german) != NOT_FOUND["en"]


def test_a_language_that_is_not_certain_is_not_told(passage: MakePassage) -> None:
    assert not_found("What does the Focus cost?", [passage(PRICES)]) == NOT_FOUND["en"]
    assert not_found("Was kostet der Focus?", [passage(PRICES)]) == NOT_FOUND["de"]
    assert told_tongue(PRICES) is None
    assert told_tongue(ENGLISH_TEXT) == "en"
