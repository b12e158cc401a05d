"""Forms of German words, and which words of a German question tell what it is about."""

import pytest

from flotilla.rag.text.inflection import asked_terms, german_root, german_terms, nouns


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("öffnet", "geöffnet"),
        ("kündigen", "gekündigt"),
        ("Hund", "Hunde"),
        ("Haus", "Häuser"),
        ("Ansprechpartner", "Ansprechpartnerin"),
        ("Hausmeister", "Hausmeisterinnen"),
        ("Student", "Studentin"),
        ("Termin", "Termine"),
    ],
)
def test_forms_of_one_word_have_one_root(word: str, other: str) -> None:
    assert german_root(word) == german_root(other)


@pytest.mark.parametrize(("word", "other"), [("Benzin", "Benz"), ("Gebiet", "Biet")])
def test_other_words_keep_theirs(word: str, other: str) -> None:
    assert german_root(word) != german_root(other)


def test_a_german_question_is_about_its_nouns_and_not_its_function_words() -> None:
    question = "Wie hoch ist die Miete für einen Hund?"
    assert asked_terms(question) == ["miet", "hund"]
    assert nouns(question) == {"miet", "hund"}
    assert "hoch" in german_terms(question)


def test_questions_in_other_languages_are_left_as_they_are() -> None:
    question = "How high is the Rent for a dog?"
    assert asked_terms(question) == ["high", "rent", "dog"]
    assert not nouns(question)
    assert not german_terms(question)
