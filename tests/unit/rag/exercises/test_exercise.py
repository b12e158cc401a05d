import re

from flotilla.rag.exercises.exercise import Exercise, sheet, shortage
from flotilla.schemas import ExerciseMode

ONE = Exercise("The deposit is _____ in all.", "£250", "terms.pdf, page 2", ("£75", "£500", "£12"))
TWO = Exercise("It holds for _____ days.", "five", "terms.pdf, page 2", ("three", "ten", "six"))


def test_practice_has_each_answer_with_its_source() -> None:
    notes = ["No language model was used."]
    text = sheet([ONE, TWO], ExerciseMode.PRACTICE, topic="deposits", notes=notes)
    assert text.splitlines()[0] == "Practice questions on deposits: 2 questions"
    assert text.splitlines()[1:3] == ["No language model was used.", ""]
    assert "1. The deposit is _____ in all.\n   Answer: £250\n   Source: terms.pdf, page 2" in text
    assert "asked for" not in text


def test_a_quiz_has_choices_and_the_right_ones_at_the_end() -> None:
    text = sheet([ONE, TWO], ExerciseMode.QUIZ, topic=None)
    questions, _, key = text.partition("\nAnswers\n")
    assert len(re.findall(r"^   [A-D]\) ", questions, re.MULTILINE)) == 8
    for number, exercise in enumerate((ONE, TWO), 1):
        right = rf"^{number}\. ([A-D])\) {re.escape(exercise.answer)} \("
        letter = re.search(right, key, re.MULTILINE)
        assert letter is not None
        assert f"   {letter[1]}) {exercise.answer}" in questions


def test_a_sheet_says_where_the_documents_gave_fewer() -> None:
    assert shortage(1, 25, topic=None) == "Of 25 questions asked for, the documents gave 1."
    assert "gave none: add documents" in shortage(0, 25, topic="boats")
    assert "Answers" not in sheet([], ExerciseMode.QUIZ, topic="boats")


def test_nothing_on_a_sheet_is_loaded_or_followed() -> None:
    hostile = Exercise(
        "What is it? ![x](https://evil.example/q)",
        "[a car](javascript:go)",
        "![y](https://evil.example/d).md, page 1",
        ("b", "c", "d"),
    )
    for mode in ExerciseMode:
        text = sheet([hostile], mode, topic="![z](https://evil.example/t)")
        assert "![" not in text
        assert "](" not in text
