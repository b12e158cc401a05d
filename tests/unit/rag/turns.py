"""Turns of a conversation, for tests."""

from collections.abc import Sequence

from flotilla.models import Turn


def turn(question: str, answer: str = "", number: int = 1, **values: object) -> Turn:
    given: dict[str, object] = {
        "id": f"answer-{number}",
        "question_id": f"question-{number}",
        "conversation_id": "conversation",
        "number": number,
        "question": question,
        "standalone": question,
        "answer": answer,
        "answerable": True,
        "tokens": 0,
    }
    return Turn(**(given | values))  # type: ignore[arg-type]


def turns(*questions: str) -> Sequence[Turn]:
    return [turn(question, number=number) for number, question in enumerate(questions, 1)]
