import pytest

from flotilla.rag.refusals import NOT_FOUND, NOTHING_RETRIEVED, not_found, tongue_of


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
    assert NOT_FOUND.keys() == NOTHING_RETRIEVED.keys()
