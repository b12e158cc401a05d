from collections.abc import Sequence
from typing import Any

import pytest

from flotilla.errors import BudgetSpent, FlotillaError
from flotilla.rag.exercises.by_model import WrittenQuestion, WrittenQuestions, written
from tests.unit.rag.conftest import MakePassage


class Model:
    """Replies with the questions it was given, a batch a call; errors are raised."""

    def __init__(self, *batches: list[WrittenQuestion] | FlotillaError) -> None:
        self.batches = list(batches)
        self.asked: list[str] = []

    def __call__(self, messages: Sequence[Any], schema: type[WrittenQuestions]) -> WrittenQuestions:
        self.asked.append(str(messages[-1].content))
        batch = self.batches.pop(0) if self.batches else []
        if isinstance(batch, FlotillaError):
            raise batch
        return schema(questions=batch)


def question(text: str, answer: str = "£250", number: int = 1, *wrong: str) -> WrittenQuestion:
    return WrittenQuestion(question=text, answer=answer, passage=number, wrong_answers=list(wrong))


def test_what_a_model_writes_is_checked(passage: MakePassage) -> None:
    model = Model(
        [
            question("How big is the deposit?"),
            question("How big is the deposit?"),
            question("What does it cost to be late?", "£999"),
            question("Which page?", "£250", 7),
            question("Of which currency is it? ![x](https://evil.example/?q=1)", "pounds"),
        ]
    )
    found, _ = written(model, [passage("The deposit is £250.", 1)], 10, topic=None, choices=False)
    assert [(e.question, e.answer) for e in found] == [
        ("How big is the deposit?", "£250"),
        ("Of which currency is it? x", "pounds"),
    ]
    assert found[0].source == "handbook.pdf, page 2"


@pytest.mark.parametrize(
    ("asked", "answer", "kept"),
    [
        ("Who wrote the warranty?", "William Shakespeare", False),
        ("Who wrote the warranty?", "Shakespeare", False),
        ("Who wrote the warranty?", "It was written by Martin.", False),
        ("Wer hat die Garantie geschrieben?", "William Shakespeare", False),
        ("Who writes the warranties?", "Dorota Lenz", True),
        ("Who writes the warranties?", "Written by Dorota", True),
        ("Where is it written?", "Saltmarsh Yard, the office", True),
        ("How often is it written?", "Every Monday", True),
        ("Is it written?", "Yes", True),
        ("Wer schreibt die Garantie?", "Frau Lenz", True),
    ],
)
def test_an_answer_with_a_name_that_its_passage_lacks_is_left_out(
    asked: str, answer: str, kept: bool, passage: MakePassage
) -> None:
    source = passage("Dorota Lenz writes the warranty at the office of Saltmarsh Yard on Mondays.")
    model = Model([question(asked, answer)], [])
    found, _ = written(model, [source], 1, topic=None, choices=False)
    assert [each.answer for each in found] == ([answer] if kept else [])


def test_a_quiz_needs_three_wrong_answers_that_differ(passage: MakePassage) -> None:
    model = Model(
        [
            question("One?", "£250", 1, "£1", "£2", "£3", "£4"),
            question("Two?", "£250", 1, "£250", "£2", "£2", "£4"),
        ]
    )
    (found,), _ = written(model, [passage("The deposit is £250.")], 10, topic=None, choices=True)
    assert found.wrong == ("£1", "£2", "£3")


def test_many_are_asked_for_a_few_passages_at_a_time(passage: MakePassage) -> None:
    passages = [passage(f"Fee {n} is £{n}.", n) for n in range(20)]
    model = Model(
        [question(f"How big is fee {n}?", f"£{n}", n + 1) for n in range(8)],
        [question(f"How big is fee {n}?", f"£{n}", n - 7) for n in range(8, 12)],
    )
    looked: list[int] = []
    found, why = written(
        model, passages, 10, topic="fees [1]", choices=False, checkpoint=lambda: looked.append(1)
    )
    assert (len(found), why) == (10, None)
    assert len(looked) == len(model.asked) == 2
    assert "Number of questions: 8" in model.asked[0]
    assert "Number of questions: 2" in model.asked[1]
    assert "Topic: fees (1)" in model.asked[0]
    assert 'number="8"' in model.asked[0]
    assert "Fee 8 is" in model.asked[1]


def test_what_was_written_before_the_model_failed_is_kept(passage: MakePassage) -> None:
    passages = [passage(f"Fee {n} is £{n}.", n) for n in range(20)]
    model = Model([question("How big is fee 0?", "£0")], BudgetSpent("The time is over."))
    found, why = written(model, passages, 10, topic=None, choices=False)
    assert len(found) == 1
    assert why == "Of 10 questions asked for, the language model wrote 1: The time is over."
    with pytest.raises(BudgetSpent):
        written(Model(BudgetSpent("Over.")), passages, 10, topic=None, choices=False)


class Author(Model):
    """Writes as many new questions as it is asked for, `most` in all about any passage shown."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.left = most

    def __call__(self, messages: Sequence[Any], schema: type[WrittenQuestions]) -> WrittenQuestions:
        self.asked.append(str(messages[-1].content))
        wanted = int(self.asked[-1].partition("Number of questions: ")[2].split()[0])
        numbers = range(self.left, self.left - min(wanted, self.left), -1)
        self.left -= len(numbers)
        wrong = ("three", "four", "five")
        return schema(questions=[question(f"Who is {n}?", "somebody", 1, *wrong) for n in numbers])


@pytest.mark.parametrize(("count", "choices"), [(25, False), (25, True), (100, True)])
def test_the_count_is_reached_from_few_passages(
    passage: MakePassage, count: int, choices: bool
) -> None:
    model = Author(1000)
    found, why = written(model, [passage("Names.")], count, topic="names", choices=choices)
    assert (len(found), why) == (count, None)
    assert len({each.question for each in found}) == count
    assert "there already" not in model.asked[0]
    assert "- Who is 1000?" in model.asked[1].partition("there already")[2]


def test_a_model_that_has_no_more_is_left_in_peace(passage: MakePassage) -> None:
    model = Author(9)
    found, why = written(model, [passage("Names.")], 25, topic="names", choices=False)
    assert (len(found), len(model.asked)) == (9, 3)
    assert why == (
        "Of 25 questions asked for, the language model wrote 9: it brought no more that the "
        "passage nearest to the topic bears out."
    )
    passages = [passage("Names.", n) for n in range(3)]
    none, why = written(Author(0), passages, 25, topic=None, choices=False)
    assert none == []
    assert "wrote none: it brought no more that the 3 passages that were looked at bear" in str(why)


def test_the_same_in_other_words_is_not_written_twice(passage: MakePassage) -> None:
    model = Model(
        [question("How big is the deposit?")],
        [question("how big is the deposit"), question("What must be paid as a deposit?")],
    )
    found, why = written(model, [passage("It is £250.")], 10, topic=None, choices=False)
    assert [each.question for each in found] == ["How big is the deposit?"]
    assert len(model.asked) == 2
    assert why is not None


def test_a_model_that_writes_one_at_a_time_is_not_asked_for_ever(passage: MakePassage) -> None:
    model = Model(*([question(f"Who is {n}?", "somebody")] for n in range(200)))
    found, why = written(model, [passage("Names.")], 100, topic=None, choices=False)
    assert len(found) == len(model.asked) == 27
    assert "wrote 27: it was asked as often as it may be" in str(why)
