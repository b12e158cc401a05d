from flotilla.rag.exercises.cloze import GAP
from flotilla.rag.exercises.making import in_turn, make
from flotilla.schemas import ExerciseMode
from tests.unit.rag.conftest import MakePassage

DRIVE = "A test drive with one of our staff lasts thirty minutes and leads over a main road."
OTHER = "The licensing agency asks £80 for the transfer of a private plate to a car."


def test_a_topic_that_the_documents_lack_gets_no_questions(passage: MakePassage) -> None:
    passages = [passage(f"{DRIVE} Number {n} of the staff comes along.", n) for n in range(4)]
    made = make(passages, topic="quantum chromodynamics", count=3, mode=ExerciseMode.PRACTICE)
    assert "on quantum chromodynamics: 0 questions" in made.response
    assert "none was made: the documents say nothing of it" in made.response
    assert GAP not in made.response
    assert GAP in make(passages, topic="drives", count=3, mode=ExerciseMode.PRACTICE).response


def test_without_a_topic_the_documents_take_turns(passage: MakePassage) -> None:
    mine = [passage(DRIVE, n) for n in range(3)]
    other = passage(OTHER, 5, document_id="b")
    assert in_turn([*mine, other]) == [mine[0], other, mine[1], mine[2]]


def test_the_sheet_is_made_and_dated(passage: MakePassage) -> None:
    made = make([passage(DRIVE)], topic=None, count=2, mode=ExerciseMode.PRACTICE)
    assert "A test drive with one of our staff lasts _____ minutes" in made.response
    assert "Of 2 questions asked for, the documents gave 1." in made.response
    assert made.timestamp.endswith("+00:00")
