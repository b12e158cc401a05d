"""A text that is there is told piece by piece, and goes on where an earlier attempt was."""

from flotilla.answer_streams import Written
from flotilla.models import Step
from flotilla.rag.citations import cite
from flotilla.rag.recital import recite, tell_step
from tests.doubles.heard import Heard
from tests.unit.rag.conftest import MakePassage

TEXT = "We open at nine o'clock. [1] The yard is closed on Sundays. [2]\nA wash: 12.50 [1]"


def test_sentences_with_their_citations_behind_them(passage: MakePassage) -> None:
    told, source = Heard(), passage("We open at nine. Closed on Sundays.")
    recite(TEXT, (cite(1, source, 0, 16), cite(2, source, 17, 35)), told)
    assert told.events == [
        ("token", "We open at nine o'clock. [1] "),
        ("citation", 1),
        ("token", "The yard is closed on Sundays. [2]\n"),
        ("citation", 2),
        ("token", "A wash: "),
        ("token", "12.50 [1]"),
    ]


def test_what_was_told_is_not_told_again(passage: MakePassage) -> None:
    source = passage("We open at nine. Closed on Sundays.")
    first, second = cite(1, source, 0, 16), cite(2, source, 17, 35)
    told = Heard(Written(text=TEXT[:40], citations=(first.model_dump(mode="json"),)))
    recite(TEXT, (first, second), told)
    assert told.events[:2] == [("token", TEXT[40:64]), ("citation", 2)]
    assert "".join(str(text) for name, text in told.events if name == "token") == TEXT[40:]


def test_what_differs_is_taken_back() -> None:
    told = Heard(Written(text="We open at ten o'clock."))
    recite("We open at nine o'clock.", (), told)
    assert told.events == [("back", 11), ("token", "nine o'clock.")]


def test_any_text_is_told_whole() -> None:
    for text in ("", " ", "a", "[1]", "a\n\n\nb", "No end [1] [2]", "x. " * 50, "e.g. 1.5 of 2"):
        told = Heard()
        recite(text, (), told)
        assert "".join(str(piece) for _, piece in told.events) == text


def test_a_step_that_an_earlier_attempt_has_told_of_is_not_told_again() -> None:
    steps = [Step(name=name, started=0, took=1) for name in ("retrieve", "grade", "retrieve")]
    told = Heard(Written(trace=tuple(step.model_dump() for step in steps[:2])))
    for place, step in enumerate(steps):
        tell_step(told, step, place)
    assert told.events == [("trace", "retrieve")]
    tell_step(told, steps[1], 0)  # this attempt went another way
    assert told.events[1:] == [("trace", "grade")]
