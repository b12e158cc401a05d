"""Topics of the sample documents, in their words, in others and foreign ones, with the real model.

Retrieval is the plain stand-in of `sample_answers`, dense and lexical ranks fused."""

import pytest

from flotilla.models import Passage
from flotilla.rag.exercises.making import make
from flotilla.rag.exercises.topics import on_topic
from flotilla.rag.extractive.generator import ExtractiveGenerator
from flotilla.schemas import ExerciseMode
from tests.integration.rag.sample_answers import embedder, nearest, sample_files

IN_OTHER_WORDS = (
    "guarantee",
    "shipping the vehicle to my home",
    "sending the car back",
    "payment methods",
    "loans and credit",
    "minimum age of drivers",
    "faults and defects",
    "how to reach you by rail",
)
IN_PART = ("closing times", "mechanical breakdown", "what happens if the engine fails")

FOREIGN = (
    "quantum chromodynamics",
    "Probefahrt",
    "Garantie",
    "Öffnungszeiten",
    "prix des voitures",
    "gold price",
    "bicycle lanes",
    "tax evasion",
    "bank robberies",
    "airline tickets",
    "hotel booking",
    "software licences",
    "holiday apartments",
    "dog training",
    "football",
    "photosynthesis",
    # The documents have one of their words.
    "health insurance",
    "life insurance",
    "house prices",
    "winter sports",
)


@pytest.fixture(scope="module")
def sentences() -> ExtractiveGenerator:
    return ExtractiveGenerator(embedder())


def found(topic: str) -> list[Passage]:
    return nearest(sample_files(), topic, 40)


@pytest.mark.parametrize("topic", IN_OTHER_WORDS)
def test_a_topic_in_other_words_has_its_passages(
    topic: str, sentences: ExtractiveGenerator
) -> None:
    passages = found(topic)
    assert on_topic(passages, topic) == []
    about = on_topic(passages, topic, sentences)
    assert about
    made = make(
        passages, topic=topic, count=1, mode=ExerciseMode.PRACTICE, sentences=sentences
    ).response
    assert f"on {topic}: 1 question\n" in made


@pytest.mark.parametrize("topic", IN_PART)
def test_a_topic_of_which_a_word_is_missing_has_what_is_said_of_it(
    topic: str, sentences: ExtractiveGenerator
) -> None:
    assert on_topic(found(topic), topic, sentences)


@pytest.mark.parametrize("topic", FOREIGN)
def test_a_foreign_topic_has_none(topic: str, sentences: ExtractiveGenerator) -> None:
    assert on_topic(found(topic), topic, sentences) == []


@pytest.mark.parametrize("topic", ["test drives", "opening hours", "warranty", "Sunday", "vans"])
def test_a_topic_in_the_documents_words_keeps_its_passages(
    topic: str, sentences: ExtractiveGenerator
) -> None:
    passages = found(topic)
    about = on_topic(passages, topic, sentences)
    assert 0 < len(about) < len(passages)
