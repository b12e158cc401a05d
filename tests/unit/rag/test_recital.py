"""A text that is there is told piece by piece, and goes on where an earlier attempt was."""

from flotilla.answer_streams import Written
from flotilla.models import Step
from flotilla.rag.citations import cite
from flotilla.rag.recital import ToldSteps, recite
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


def step(name: str, saw: str = "", started: float = 0) -> Step:
    return Step(name=name, started=started, took=1, saw={"saw": saw})


def after(*steps: Step) -> Heard:
    """What hears of another attempt, after one that has told these steps."""
    return Heard(Written(trace=tuple(each.model_dump(mode="json") for each in steps)))


def names(heard: Heard) -> list[str]:
    return [f"{each['name']} {each['saw']['saw']}".strip() for each in heard.written.trace]


def test_a_step_that_is_taken_again_is_not_told_again() -> None:
    told = after(step("retrieve"), step("grade", "two"))
    steps = ToldSteps(told)
    for again in (step("retrieve", started=9), step("grade", "one", 9), step("retrieve", "b")):
        steps.tell(again)
    assert names(told) == ["retrieve", "grade two", "retrieve b"]
    steps.tell(step("grade", "two", 20))  # what was told stands for one step
    assert names(told)[3:] == ["grade two"]


def test_steps_of_one_name_that_are_taken_at_once_are_told_in_any_order() -> None:
    told = after(step("search", "b"))
    steps = ToldSteps(told)
    for again in (step("search", "a"), step("search", "b", 9), step("search", "c")):
        steps.tell(again, among_others=True)
    assert names(told) == ["search b", "search a", "search c"]


def test_what_was_not_told_of_a_trace_is_told_at_its_end() -> None:
    kept = [step("think"), step("search", "a"), step("search", "b"), step("think", "", 5)]
    told = after(*kept[:2])
    steps = ToldSteps(told)
    steps.complete(kept[:3])
    steps.tell(kept[3])
    steps.complete(kept)
    assert names(told) == ["think", "search a", "search b", "think"]
