"""Objects from servers that know all manners of asking, some, or none."""

import pytest
from pydantic import BaseModel, Field

from flotilla.errors import ModelRejected
from flotilla.rag.llm import Role
from tests.doubles.openai_server import OpenAIServer, error, structured, text
from tests.integration.rag.llm_doubles import QUESTION, calls_of, meter, settings


class Grade(BaseModel):
    """How a passage bears on a question."""

    number: int
    relevant: bool = Field(description="Whether it helps to answer.")


class Grades(BaseModel):
    """The grades of all passages."""

    grades: list[Grade]


VALUE = {"grades": [{"number": 1, "relevant": True}]}


@pytest.mark.parametrize(
    ("lacks", "requests"),
    [
        (set(), 1),
        ({"json_schema"}, 2),
        ({"json_schema", "tools"}, 3),
        ({"json_schema", "tools", "json_object"}, 4),
    ],
)
def test_a_server_is_asked_in_the_best_manner_that_it_knows(
    server: OpenAIServer, lacks: set[str], requests: int
) -> None:
    server.lacks = lacks
    server.script(structured(VALUE), structured(VALUE))
    calls, counted = calls_of(settings(server)), meter()
    for _ in range(2):
        found = calls.models.structured(Role.GRADE, QUESTION, Grades, counted)
        assert found == Grades(grades=[Grade(number=1, relevant=True)])
    assert len(server.requests) == requests + 1  # what it lacks is found out once
    assert calls.pauses == []
    assert len(counted.calls) == 2


@pytest.mark.parametrize(
    ("method", "feature"),
    [("json_schema", "json_schema"), ("function_calling", "tools"), ("json_mode", "json_object")],
)
def test_the_manner_may_be_set(server: OpenAIServer, method: str, feature: str) -> None:
    server.script(structured(VALUE))
    configured = settings(server, structured=method)
    calls_of(configured).models.structured(Role.GRADE, QUESTION, Grades, meter())
    assert server.requests[0].features == {feature}


def test_a_reply_of_another_form_is_put_right_once(server: OpenAIServer) -> None:
    server.script(text("The first passage is good."), structured(VALUE))
    counted = meter()
    models = calls_of(settings(server)).models
    found = models.structured(Role.GRADE, QUESTION, Grades, counted)
    assert found.grades[0].relevant
    repair = server.requests[1]
    assert repair.messages[-2]["content"] == "The first passage is good."
    assert "no JSON object" in repair.last
    assert '"relevant"' in repair.last
    assert len(counted.calls) == 2


def test_one_that_stays_of_another_form_is_rejected(server: OpenAIServer) -> None:
    server.script(text("Good."), structured({"grades": [{"number": "one"}]}))
    with pytest.raises(ModelRejected, match="Grades"):
        calls_of(settings(server)).models.structured(Role.GRADE, QUESTION, Grades, meter())
    assert len(server.requests) == 2


def test_a_request_that_is_refused_in_every_manner_says_nothing_of_the_server(
    server: OpenAIServer,
) -> None:
    server.script(*[error(400)] * 4, structured(VALUE))
    models = calls_of(settings(server)).models
    with pytest.raises(ModelRejected, match="HTTP 400"):
        models.structured(Role.GRADE, QUESTION, Grades, meter())
    models.structured(Role.GRADE, QUESTION, Grades, meter())
    assert server.requests[-1].features == {"json_schema"}


def test_one_refusal_that_names_no_option_says_nothing_of_the_server(server: OpenAIServer) -> None:
    models = calls_of(settings(server)).models
    for replies, asked in (
        ([error(400), structured(VALUE)], [{"json_schema"}, {"tools"}]),
        ([structured(VALUE)], [{"json_schema"}]),
        # Several in a row do.
        ([error(400), structured(VALUE)], [{"json_schema"}, {"tools"}]),
        ([error(400), structured(VALUE)], [{"json_schema"}, {"tools"}]),
        ([structured(VALUE)], [{"tools"}]),
    ):
        server.script(*replies)
        before = len(server.requests)
        models.structured(Role.GRADE, QUESTION, Grades, meter())
        assert [each.features for each in server.requests[before:]] == asked


def test_a_schema_that_the_server_takes_is_strict(server: OpenAIServer) -> None:
    server.script(structured(VALUE))
    calls_of(settings(server)).models.structured(Role.GRADE, QUESTION, Grades, meter())
    asked = server.requests[0].body["response_format"]["json_schema"]
    assert asked["name"] == "Grades"
    assert asked["strict"] is True
    assert asked["schema"]["additionalProperties"] is False
