from flotilla.rag.exercises.making import in_turn, make, on_topic
from flotilla.schemas import ExerciseMode
from tests.unit.rag.conftest import MakePassage

DRIVE = "A test drive with one of our staff lasts thirty minutes and leads over a main road."
OTHER = "The licensing agency asks £80 for the transfer of a private plate to a car."


def test_a_topic_keeps_to_what_is_about_it(passage: MakePassage) -> None:
    near = [passage(f"{DRIVE} Number {n} of the staff comes along.", n) for n in range(4)]
    far = passage(OTHER, 5)
    assert on_topic([*near, far], "test drives") == near
    headed = passage(OTHER, 6, heading_path=("Test drives",))
    assert on_topic([*near, headed], "test drives") == [*near, headed]


def test_without_a_topic_the_documents_take_turns(passage: MakePassage) -> None:
    mine = [passage(DRIVE, n) for n in range(3)]
    other = passage(OTHER, 5, document_id="b")
    assert in_turn([*mine, other]) == [mine[0], other, mine[1], mine[2]]


def test_the_sheet_is_made_and_dated(passage: MakePassage) -> None:
    made = make([passage(DRIVE)], topic=None, count=2, mode=ExerciseMode.PRACTICE)
    assert "A test drive with one of our staff lasts _____ minutes" in made.response
    assert "Of 2 questions asked for, the documents gave 1." in made.response
    assert made.timestamp.endswith("+00:00")
