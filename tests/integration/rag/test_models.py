"""What one call does when a provider replies, hesitates, refuses or is gone."""

from collections.abc import Iterator

import pytest
from langchain_core.messages import AIMessage

from flotilla.errors import BudgetSpent, ConfigurationError, ModelRejected, ModelUnavailable
from flotilla.rag.llm import Role
from tests.doubles.openai_server import (
    OpenAIServer,
    Reply,
    cut,
    error,
    malformed,
    rate_limited,
    text,
)
from tests.integration.rag.llm_doubles import KEY, QUESTION, calls_of, meter, settings


@pytest.fixture
def other() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


def test_each_role_has_its_model_and_the_answers_model_else(server: OpenAIServer) -> None:
    models = calls_of(
        settings(server, grade_model="openai:small", rewrite_model="llama3:8b")
    ).models
    assert models.name(Role.ANSWER) == models.name(Role.VISION) == "openai:gpt-4o-mini"
    counted = meter()
    for role in (Role.ANSWER, Role.GRADE, Role.REWRITE):
        models.complete(role, QUESTION, counted, prompt="answer.v1")
    assert [r.model for r in server.requests] == ["gpt-4o-mini", "small", "llama3:8b"]
    assert [(c.role, c.model, c.prompt) for c in counted.calls] == [
        ("answer", "openai:gpt-4o-mini", "answer.v1"),
        ("grade", "openai:small", "answer.v1"),
        ("rewrite", "llama3:8b", "answer.v1"),
    ]


def test_a_role_without_a_model_says_which_setting_gives_it_one(server: OpenAIServer) -> None:
    models = calls_of(settings(server, model="extractive", grade_model="openai:small")).models
    assert not models.configured(Role.ANSWER)
    assert models.configured(Role.GRADE)
    with pytest.raises(ConfigurationError, match="LLM_MODEL"):
        models.complete(Role.ANSWER, QUESTION, meter())


def test_a_call_says_what_it_took_and_cost(server: OpenAIServer) -> None:
    server.script(Reply("At nine.", usage=(1000, 500)))
    prices = {"openai:gpt-4o-mini": {"input": 2.0, "output": 6.0}}
    counted = meter()
    calls_of(settings(server, prices=prices)).models.complete(Role.ANSWER, QUESTION, counted)
    (call,) = counted.calls
    assert (call.prompt_tokens, call.completion_tokens, call.attempts) == (1000, 500, 1)
    assert call.cost == pytest.approx(0.005)
    assert call.took > 0
    assert call.first_token is None
    assert counted.fallback_used is None


def test_a_server_that_counts_no_tokens_is_no_error(server: OpenAIServer) -> None:
    server.sends_usage = False
    server.script(text("At nine o'clock."))
    counted = meter()
    calls_of(settings(server)).models.complete(Role.ANSWER, QUESTION, counted)
    (call,) = counted.calls
    assert call.prompt_tokens > 0
    assert call.completion_tokens == 4
    assert call.cost is None


def test_thoughts_are_no_text(server: OpenAIServer) -> None:
    server.script(text("<think>Nine? [1]</think>\nAt nine."))
    reply = calls_of(settings(server)).models.complete(Role.ANSWER, QUESTION, meter())
    assert reply.text == "At nine."


@pytest.mark.parametrize("passing", [rate_limited(), error(500), error(503), cut()])
def test_what_may_pass_is_tried_again_after_a_short_pause(
    server: OpenAIServer, passing: Reply
) -> None:
    server.script(passing, passing, text("At nine."))
    calls, counted = calls_of(settings(server, backoff_base=0.5, backoff_cap=0.8)), meter()
    assert calls.models.complete(Role.ANSWER, QUESTION, counted).text == "At nine."
    assert len(calls.pauses) == 2
    assert all(0 <= pause <= 0.8 for pause in calls.pauses)
    assert counted.calls[0].attempts == 3


def test_attempts_come_to_an_end(server: OpenAIServer) -> None:
    server.script(*[error(500)] * 5)
    with pytest.raises(ModelUnavailable, match="HTTP 500"):
        calls_of(settings(server, attempts=3)).models.complete(Role.ANSWER, QUESTION, meter())
    assert len(server.requests) == 3


def test_a_providers_retry_after_is_obeyed(server: OpenAIServer) -> None:
    server.script(rate_limited(7), text("At nine."))
    calls = calls_of(settings(server))
    calls.models.complete(Role.ANSWER, QUESTION, meter())
    assert calls.pauses[0] >= 7


@pytest.mark.parametrize(
    ("seconds", "fields"), [(5.0, {"retry_after_cap": 30}), (60.0, {"retry_after_cap": 3})]
)
def test_one_that_is_too_long_goes_to_the_next_model_at_once(
    server: OpenAIServer, seconds: float, fields: dict[str, object]
) -> None:
    server.script(rate_limited(7), text("At nine."))
    calls, counted = calls_of(settings(server, fallbacks="openai:other", **fields)), meter(seconds)
    assert calls.models.complete(Role.ANSWER, QUESTION, counted).text == "At nine."
    assert calls.pauses == []
    assert [r.model for r in server.requests] == ["gpt-4o-mini", "other"]
    refused, replied = counted.calls
    assert (refused.model, refused.error) == ("openai:gpt-4o-mini", "model_unavailable")
    assert (refused.attempts, refused.prompt_tokens, refused.completion_tokens) == (1, 0, 0)
    assert replied.error is None
    assert counted.fallback_used == replied.model == "openai:other"


def test_a_chain_that_fails_says_when_to_come_back(server: OpenAIServer) -> None:
    server.script(rate_limited(70), rate_limited(50))
    configured = settings(server, fallbacks=("openai:other", "extractive"))
    calls = calls_of(configured)
    with pytest.raises(ModelUnavailable) as caught:
        calls.models.complete(Role.ANSWER, QUESTION, meter())
    assert caught.value.retry_after == 50
    assert calls.models.after_models() == ("extractive",)


@pytest.mark.parametrize(
    "refusal",
    [
        error(401),
        error(402),
        error(403),
        error(404),
        error(413),
        error(400, "too long", "context_length_exceeded"),
        error(429, "no quota", "insufficient_quota"),
        malformed(),
    ],
)
def test_what_one_model_refuses_is_asked_of_the_next_and_not_of_it_again(
    server: OpenAIServer, refusal: Reply
) -> None:
    server.script(refusal, text("At nine."))
    calls = calls_of(settings(server, fallbacks="openai:other"))
    assert calls.models.complete(Role.ANSWER, QUESTION, meter()).text == "At nine."
    assert [r.model for r in server.requests] == ["gpt-4o-mini", "other"]


@pytest.mark.parametrize("status", [400, 422])
def test_a_request_that_is_wrong_in_itself_is_asked_of_nobody_else(
    server: OpenAIServer, status: int
) -> None:
    server.script(error(status, f"wrong, and the key is {KEY}"))
    calls = calls_of(settings(server, fallbacks="openai:other"))
    with pytest.raises(ModelRejected, match=f"HTTP {status}") as caught:
        calls.models.complete(Role.ANSWER, QUESTION, meter())
    assert len(server.requests) == 1
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_fallback_at_another_address_has_its_own_key_or_none(
    server: OpenAIServer, other: OpenAIServer
) -> None:
    server.fallback = error(404)
    fields = {"fallbacks": "llama3:8b", "fallback_base_url": other.base_url}
    for key, sent in ((None, "Bearer none"), ("sk-other", "Bearer sk-other")):
        models = calls_of(settings(server, fallback_api_key=key, **fields)).models
        models.complete(Role.ANSWER, QUESTION, meter())
        assert other.requests[-1].headers["authorization"] == sent
        assert other.requests[-1].model == "llama3:8b"


def test_the_same_model_at_another_address_is_another(
    server: OpenAIServer, other: OpenAIServer
) -> None:
    server.fallback = error(404)
    fields = {"fallbacks": "openai:gpt-4o-mini", "fallback_base_url": other.base_url}
    calls_of(settings(server, **fields)).models.complete(Role.ANSWER, QUESTION, meter())
    assert len(other.requests) == 1


def test_a_server_that_is_gone_is_stood_in_for(server: OpenAIServer) -> None:
    with OpenAIServer() as gone:
        fields = {"fallbacks": "openai:other", "fallback_base_url": server.base_url}
        configured = settings(gone, **fields)
    server.script(text("At nine."))
    assert calls_of(configured).models.complete(Role.ANSWER, QUESTION, meter()).text == "At nine."


@pytest.mark.parametrize("dribbled", [Reply("x" * 10_000, dribble=0.02), Reply("late", delay=600)])
def test_a_request_ends_at_its_deadline_however_slowly_the_server_sends(
    server: OpenAIServer, dribbled: Reply
) -> None:
    server.script(dribbled)
    with pytest.raises(ModelUnavailable, match="in time"):
        calls_of(settings(server, timeout=0.5, attempts=1)).models.complete(
            Role.ANSWER, QUESTION, meter()
        )


def test_no_request_outlasts_the_runs_budget(server: OpenAIServer) -> None:
    server.script(Reply("late", delay=600))
    with pytest.raises(BudgetSpent) as caught:
        calls_of(settings(server, timeout=500)).models.complete(Role.ANSWER, QUESTION, meter(0.5))
    assert caught.value.which == "time"
    assert len(server.requests) == 1


def test_nothing_is_asked_once_the_tokens_are_spent(server: OpenAIServer) -> None:
    server.script(Reply("At nine.", usage=(90, 20)), text("Never."))
    calls, counted = calls_of(settings(server)), meter(tokens=100)
    calls.models.complete(Role.ANSWER, QUESTION, counted)
    with pytest.raises(BudgetSpent) as caught:
        calls.models.complete(Role.ANSWER, QUESTION, counted)
    assert caught.value.which == "tokens"
    assert len(server.requests) == 1


def test_run_gives_the_chat_model_of_whichever_is_asked(server: OpenAIServer) -> None:
    server.script(error(404), text("At nine."))
    calls, counted = calls_of(settings(server, fallbacks="openai:other")), meter()
    seen: list[str] = []

    def call(model: object) -> AIMessage:
        seen.append(model.model_name)  # type: ignore[attr-defined]
        return model.invoke(QUESTION)  # type: ignore[attr-defined, no-any-return]

    assert calls.models.run(Role.ANSWER, counted, call).text == "At nine."
    assert seen == ["gpt-4o-mini", "other"]
    assert counted.fallback_used == "openai:other"


def test_no_word_of_a_provider_is_logged(
    server: OpenAIServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.script(error(401, f"Incorrect API key provided: {KEY}"), text("At nine."))
    calls_of(settings(server, fallbacks="openai:other")).models.complete(
        Role.ANSWER, QUESTION, meter()
    )
    shown = capsys.readouterr()
    assert KEY not in shown.out + shown.err
    assert "model_failed" in shown.out + shown.err
