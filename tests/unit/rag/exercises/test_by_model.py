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
