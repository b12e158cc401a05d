import pytest
from langchain_core.messages import AIMessage
from pydantic import BaseModel

from flotilla.rag.llm.structured import NotOfTheForm, parse


class Grade(BaseModel):
    number: int
    relevant: bool


@pytest.mark.parametrize(
    "text",
    [
        '{"number": 2, "relevant": true}',
        '```json\n{"number": 2, "relevant": true}\n```',
        'Here it is: {"number": 2, "relevant": true}. Anything else?',
        '<think>{"number": 9}</think>\n{"number": 2, "relevant": true}',
        'A set {like this} and {"number": 2, "relevant": true}',
    ],
)
def test_the_object_is_found_in_what_models_write_around_it(text: str) -> None:
    assert parse(AIMessage(text), Grade) == Grade(number=2, relevant=True)


def test_a_tools_arguments_are_the_object() -> None:
    call = {"name": "Grade", "args": {"number": 2, "relevant": True}, "id": "1"}
    assert parse(AIMessage("", tool_calls=[call]), Grade).number == 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("I cannot tell.", "no JSON object"),
        ('{"number": "many", "relevant": true}', "number"),
        ('{"number": 2}', "relevant"),
        ("[1, 2]", "no JSON object"),
        ('{"number": 2, "rele', "no JSON object"),
    ],
)
def test_what_is_no_such_object_says_why(text: str, why: str) -> None:
    with pytest.raises(NotOfTheForm, match=why):
        parse(AIMessage(text), Grade)
