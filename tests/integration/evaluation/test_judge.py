"""A judge model over HTTP: its verdicts, and what becomes of replies that are none."""

from collections.abc import Iterator

import pytest

from flotilla.evaluation.judge import Judge
from flotilla.settings import LLMSettings
from tests.doubles.openai_replies import error, structured, text
from tests.doubles.openai_server import OpenAIServer

MODEL = "openai:a-judge"


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


def judge(server: OpenAIServer) -> Judge:
    # By their aliases, as the environment has them.
    settings = LLMSettings(LLM_BASE_URL=server.base_url, backoff_base=0.001, attempts=2)
    return Judge(settings, MODEL)


def test_verdicts(server: OpenAIServer) -> None:
    server.script(
        structured({"reasoning": "It is so.", "score": True}),
        structured({"reasoning": "It says nothing of that.", "score": False}),
    )
    asked = judge(server)

    assert asked.correct("What does a pilot cost?", "90 {coins}", "Ninety.") == 1.0
    assert asked.grounded("90 {coins}", ["A pilot costs ninety.", "Ice is free."]) == 0.0

    first, second = (each.last for each in server.requests)
    assert all(part in first for part in ("What does a pilot cost?", "90 {coins}", "Ninety."))
    assert all(part in second for part in ("90 {coins}", "A pilot costs ninety.", "Ice is free."))
    assert {each.model for each in server.requests} == {"a-judge"}


def test_a_judge_that_fails_is_asked_again(server: OpenAIServer) -> None:
    server.script(error(503), structured({"reasoning": "It is so.", "score": True}))

    assert judge(server).correct("?", "a", "a") == 1.0


def test_a_judge_that_gives_no_verdict_has_judged_nothing(server: OpenAIServer) -> None:
    server.script(text("I would rather not say."), error(500))

    assert judge(server).correct("?", "a", "a") is None
    assert len(server.requests) == 2
