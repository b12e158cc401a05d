from flotilla.rag.exercises.topics import on_topic
from flotilla.rag.extractive.generator import ExtractiveGenerator
from tests.unit.rag.conftest import MakePassage, WordEmbedder

DRIVE = "A test drive with one of our staff lasts thirty minutes and leads over a main road."
OTHER = "The licensing agency asks £80 for the transfer of a private plate to a car."


def test_a_topic_keeps_to_what_is_about_it(passage: MakePassage) -> None:
    near = [passage(f"{DRIVE} Number {n} of the staff comes along.", n) for n in range(4)]
    far = passage(OTHER, 5)
    assert on_topic([*near, far], "test drives") == near
    headed = passage(OTHER, 6, heading_path=("Test drives",))
    assert on_topic([*near, headed], "test drives") == [*near, headed]


def test_the_nearest_are_about_nothing_else(passage: MakePassage, embedder: WordEmbedder) -> None:
    passages = [passage(DRIVE, 1), passage(OTHER, 2)]
    assert on_topic(passages, "quantum chromodynamics", ExtractiveGenerator(embedder)) == []


def test_one_word_of_a_topic_is_not_enough(passage: MakePassage, embedder: WordEmbedder) -> None:
    drive = passage(f"{DRIVE} The car is small, and the road leads to a yard near the sea.", 1)
    passages = [drive, passage(OTHER, 2), passage("Private lessons cost more.", 3)]
    sentences = ExtractiveGenerator(embedder)
    assert drive in on_topic(passages, "private drive")
    assert on_topic(passages, "test drives", sentences) == [drive]
    headed = passage("It lasts an hour.", 4, heading_path=("Test drives",))
    assert on_topic([*passages, headed], "test drives", sentences) == [drive, headed]
    assert drive not in on_topic(passages, "private drive", sentences)
