"""Which sentences stand beside the one that answers, and which do not."""

from flotilla.rag.extractive.candidates import candidates
from flotilla.rag.extractive.generator import ExtractiveGenerator
from flotilla.rag.extractive.selection import choose
from tests.unit.rag.conftest import MakePassage, WordEmbedder


def answer(embedder: WordEmbedder, question: str, passage: object) -> str:
    generator = ExtractiveGenerator(embedder, threshold=0.0)
    return generator.generate(question, [passage]).text  # type: ignore[list-item]


def test_those_who_do_something_are_nobody_named_before(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    text = (
        "The year begins in autumn. Those who join after 1 March pay half. "
        "To leave, write to the secretary."
    )
    asked = "What do I pay if I join after 1 March?"
    assert answer(embedder, asked, passage(text)) == "Those who join after 1 March pay half. [1]"


def test_an_exception_to_the_answer_is_given(embedder: WordEmbedder, passage: MakePassage) -> None:
    text = (
        "We charge storage of £12 a day. We do not charge storage while a delay is our fault. "
        "Bring both keys."
    )
    assert answer(embedder, "What do you charge for storage?", passage(text)) == (
        "We charge storage of £12 a day. [1] "
        "We do not charge storage while a delay is our fault. [2]"
    )


def test_no_step_is_given_of_the_opposite_deed(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    text = "You join by passing the belay check. To leave the club, write to the secretary."
    given = answer(embedder, "How can I join?", passage(text))
    assert given == "You join by passing the belay check. [1]"


def test_of_another_section_stands_beside_what_answers_only_what_does_so_itself(
    passage: MakePassage,
) -> None:
    text = "Returning\n\nReturn the car clean. Return both keys.\n\nFaults\n\nReturn it at once."
    found = candidates([passage(text)])
    for place, candidate in enumerate(found):
        candidate.score = 1 - place / 100

    def chosen(*, likely: bool) -> list[str]:
        given = choose("How do I return a car?", found, [], found, lambda _: likely)
        return [c.sentence.shown for c in given]

    assert chosen(likely=True) == [
        "Return the car clean.",
        "Return both keys.",
        "Return it at once.",
    ]
    assert chosen(likely=False) == ["Return the car clean.", "Return both keys."]


def test_that_day_is_given_with_the_sentence_that_names_it(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    text = (
        "On the last day the badge is handed in. "
        "The account is closed at six in the evening of that day. Mail is kept."
    )
    assert answer(embedder, "When is my account closed?", passage(text)) == (
        "On the last day the badge is handed in. [1] "
        "The account is closed at six in the evening of that day. [2]"
    )
