"""The real LangChain and OpenAI clients against a server on localhost."""

from collections.abc import Callable, Sequence

import pytest

from flotilla.errors import ConfigurationError, FlotillaError, ModelRejected, ModelUnavailable
from flotilla.models import Passage, Query, Turn
from flotilla.rag.answering import Answerer
from flotilla.rag.generate import Draft
from flotilla.rag.llm import Models, build_chat_model, retry_after
from flotilla.settings import LLMSettings
from tests.doubles.openai_server import (
    OpenAIServer,
    Reply,
    cut,
    error,
    malformed,
    rate_limited,
    slow,
    text,
)

KEY = "sk-test-0123456789"
TEXT = "We open at nine o'clock. On Sundays the yard is closed."
PASSAGE = Passage(
    chunk_id="chunk",
    document_id="document",
    document_name="hours.pdf",
    version_id="version",
    collection="default",
    position=0,
    text=TEXT,
    start=100,
    end=100 + len(TEXT),
    page_start=3,
    page_end=3,
    score=1.0,
)
QUERY = Query(tenant_id="t", question="Wann öffnet ihr?", collection_ids=("default",))


def settings(server: OpenAIServer, **fields: object) -> LLMSettings:
    given: dict[str, object] = {
        "model": "openai:gpt-4o-mini",
        "base_url": server.base_url,
        "api_key": KEY,
        "timeout": 5.0,
        "attempts": 1,
    }
    return LLMSettings.model_validate(given | fields)


class Silent:
    """Answers nothing where no model does."""

    model = "extractive"

    def generate(
        self,
        question: str,
        passages: Sequence[Passage],
        turns: Sequence[Turn] = (),
        *,
        own: str | None = None,
    ) -> Draft:
        return Draft(text="Nothing.", answerable=False, model=self.model)


def answerer(configured: LLMSettings) -> Answerer:
    return Answerer(lambda _: [PASSAGE], Silent(), Models(configured))


def test_an_answer_of_the_model_with_a_verified_quote(server: OpenAIServer) -> None:
    server.script(text("Um neun Uhr [1]. Sonntags ist geschlossen [1][6]."))
    answer = answerer(settings(server, max_tokens=123)).answer(QUERY)
    assert answer.answerable
    assert answer.model == "openai:gpt-4o-mini"
    assert answer.citations[0].quote in TEXT
    assert answer.citations[0].page_start == 3
    (request,) = server.requests
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body["model"] == "gpt-4o-mini"
    assert request.body["max_tokens"] == 123
    assert request.body["temperature"] == 0
    system, user = request.messages
    assert system["role"] == "system"
    assert TEXT in user["content"]
    assert "Wann öffnet ihr?" in user["content"]


def test_thoughts_of_a_reasoning_model_are_not_part_of_its_answer(server: OpenAIServer) -> None:
    server.script(text("<think>Is it [2]?</think>\n\nAt nine [1]."))
    assert answerer(settings(server)).answer(QUERY).text == "At nine [1]."


def test_the_models_refusal_is_no_answer(server: OpenAIServer) -> None:
    server.script(text("NOT_IN_PASSAGES: Dazu steht dort nichts."))
    answer = answerer(settings(server)).answer(QUERY)
    assert (answer.answerable, answer.text) == (False, "Dazu steht dort nichts.")
    assert answer.passages == (PASSAGE,)


@pytest.mark.parametrize("model", ["llama3:8b", "qwen2.5", "mistral-small"])
def test_a_server_of_ones_own_may_call_its_models_anything_and_need_no_key(
    server: OpenAIServer, model: str
) -> None:
    server.script(text("At nine [1]."))
    assert answerer(settings(server, model=model, api_key=None)).answer(QUERY).answerable
    assert server.requests[0].body["model"] == model


@pytest.mark.parametrize(
    ("reply", "wait"),
    [
        (rate_limited(7), 7.0),
        (rate_limited(), None),
        (error(503, Retry_After="2"), 2.0),
        (error(500), None),
        (cut(), None),
    ],
)
def test_what_may_pass_is_retryable_and_is_tried_once(
    server: OpenAIServer, reply: Reply, wait: float | None
) -> None:
    server.script(reply)
    with pytest.raises(ModelUnavailable) as caught:
        answerer(settings(server)).answer(QUERY)
    assert caught.value.retry_after == wait
    assert len(server.requests) == 1


def test_a_late_reply_is_not_waited_for(server: OpenAIServer) -> None:
    server.script(slow(30))
    with pytest.raises(ModelUnavailable, match="FLOTILLA_LLM_TIMEOUT"):
        answerer(settings(server, timeout=0.3)).answer(QUERY)


def test_a_server_that_is_not_there() -> None:
    with OpenAIServer() as gone:
        configured = settings(gone)
    with pytest.raises(ModelUnavailable, match="LLM_BASE_URL"):
        answerer(configured).answer(QUERY)


@pytest.mark.parametrize(
    ("reply", "hint"),
    [
        (error(401, f"Incorrect API key provided: {KEY}"), "OPENAI_API_KEY"),
        (error(403), "rights"),
        (error(404), "LLM_MODEL"),
        (error(400), "HTTP 400"),
        (error(400, "too long", "context_length_exceeded"), "top_k"),
        (error(429, "You exceeded your quota", "insufficient_quota"), "billing"),
        (malformed(), "LLM_BASE_URL"),
        (malformed(b"{}"), "LLM_BASE_URL"),
        (malformed(b'{"choices": []}'), "LLM_BASE_URL"),
        (text(""), "empty"),
    ],
)
def test_what_will_not_pass_says_what_to_do_and_not_the_key(
    server: OpenAIServer, reply: Reply, hint: str
) -> None:
    server.script(reply)
    with pytest.raises(ModelRejected, match=hint) as caught:
        answerer(settings(server)).answer(QUERY)
    shown: BaseException | None = caught.value
    while shown is not None:
        assert KEY not in str(shown)
        shown = shown.__cause__
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({"model": "openai:gpt-4o", "base_url": None, "api_key": None}, "OPENAI_API_KEY"),
        ({"model": "nonsense:gpt", "base_url": None}, "provider:model"),
        ({"model": "anthropic:claude", "base_url": None}, "langchain-anthropic"),
    ],
)
def test_a_model_that_cannot_be_built_names_the_setting(
    server: OpenAIServer, fields: dict[str, object], hint: str
) -> None:
    with pytest.raises(ConfigurationError, match=hint):
        build_chat_model(settings(server, **fields))


def test_nothing_is_traced_to_langsmith_whatever_the_environment_says(
    server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer() as tracer:
        monkeypatch.setenv("LANGSMITH_TRACING", "true")
        monkeypatch.setenv("LANGSMITH_ENDPOINT", tracer.base_url)
        monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2_test")
        server.script(text("At nine [1]."))
        seen: list[object] = []
        forget: Callable[..., None] = lambda *args, **_: seen.append(args)  # noqa: E731
        monkeypatch.setattr("langsmith.client.Client.create_run", forget)
        answerer(settings(server)).answer(QUERY)
    assert seen == []


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after-ms": "250", "retry-after": "3"}, 0.25),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_forms_of_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    class Response:
        pass

    response = Response()
    response.headers = headers  # type: ignore[attr-defined]
    assert retry_after(response) == seconds
    assert retry_after(None) is None


def test_errors_are_flotillas_own(server: OpenAIServer) -> None:
    for status in (402, 405, 409, 418, 422, 451, 502, 599):
        server.script(error(status))
        with pytest.raises(FlotillaError):
            answerer(settings(server)).answer(QUERY)
