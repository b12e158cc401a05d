"""Streams: each piece of text is handed on once, whatever breaks off."""

import pytest

from flotilla.errors import BudgetSpent, Cancelled, ModelUnavailable
from flotilla.rag.llm import Role
from tests.doubles.openai_responders import numbers
from tests.doubles.openai_server import OpenAIServer, Reply, Request, chunked, error, text
from tests.integration.rag.llm_doubles import QUESTION, calls_of, meter, settings

WHOLE = " ".join(f"word{number}" for number in range(100)) + " [1]."


def test_text_is_handed_on_as_it_comes(server: OpenAIServer) -> None:
    server.script(chunked("At", " nine", " o'clock."))
    got: list[str] = []
    counted = meter()
    reply = calls_of(settings(server)).models.stream(Role.ANSWER, QUESTION, counted, got.append)
    assert got == ["At", " nine", " o'clock."]
    assert reply.text == "At nine o'clock."
    assert reply.response_metadata["finish_reason"] == "stop"
    (call,) = counted.calls
    assert call.first_token is not None
    assert call.first_token <= call.took
    assert server.requests[0].body["stream_options"] == {"include_usage": True}
    assert call.completion_tokens > 0


def test_the_first_piece_is_handed_on_before_the_second_is_sent(server: OpenAIServer) -> None:
    server.script(Reply("At nine", stall_after=1))
    got: list[str] = []

    def stop(piece: str) -> None:
        got.append(piece)
        raise Cancelled("The reader has gone.")

    with pytest.raises(Cancelled):
        calls_of(settings(server)).models.stream(Role.ANSWER, QUESTION, meter(), stop)
    assert got == ["At"]
    assert len(server.requests) == 1  # the reader's own trouble is no reason to ask again


def test_a_server_without_usage_is_counted_by_length(server: OpenAIServer) -> None:
    server.sends_usage = False
    server.lacks = {"stream_options"}
    server.script(text("At nine o'clock."), text("At ten."))
    calls, counted = calls_of(settings(server)), meter()
    calls.models.stream(Role.ANSWER, QUESTION, counted, lambda _: None)
    assert counted.calls[0].completion_tokens >= 4
    calls.models.stream(Role.ANSWER, QUESTION, counted, lambda _: None)
    assert len(server.requests) == 3  # what the server lacks is asked for once


def test_thoughts_are_not_handed_on(server: OpenAIServer) -> None:
    server.script(chunked("<th", "ink>Is it", " ten?</thi", "nk>\n\n", "At", " nine."))
    got: list[str] = []
    reply = calls_of(settings(server)).models.stream(Role.ANSWER, QUESTION, meter(), got.append)
    assert "".join(got) == reply.text == "At nine."


@pytest.mark.parametrize(
    "broken",
    [
        Reply(WHOLE, cut_after=40),
        Reply(WHOLE, error_after=40),
        Reply(WHOLE, stall_after=40),
        Reply(WHOLE, end_after=40),
        Reply(WHOLE, cut_after=0),
    ],
)
def test_a_stream_that_breaks_off_goes_on_where_it_stopped(
    server: OpenAIServer, broken: Reply
) -> None:
    server.script(broken)
    server.responder = lambda request: numbers(request) if len(server.requests) > 1 else None
    got: list[str] = []
    counted = meter()
    models = calls_of(settings(server, stream_silence=0.5)).models
    reply = models.stream(Role.ANSWER, QUESTION, counted, got.append)
    assert "".join(got) == reply.text == WHOLE
    assert counted.calls[0].attempts == 2
    partial = server.requests[1].partial
    assert partial == (" ".join(f"word{n}" for n in range(40)) if broken.cut_after != 0 else None)


@pytest.mark.parametrize("cut_after", [1, 2, 3, 40, 99])
def test_a_model_that_begins_from_the_start_again_is_not_heard_twice(
    server: OpenAIServer, cut_after: int
) -> None:
    server.script(Reply(WHOLE, cut_after=cut_after), text(WHOLE))
    got: list[str] = []
    models = calls_of(settings(server)).models
    assert models.stream(Role.ANSWER, QUESTION, meter(), got.append).text == WHOLE
    assert "".join(got) == WHOLE


def test_another_model_goes_on_with_the_text_of_the_first(server: OpenAIServer) -> None:
    def respond(request: Request) -> Reply:
        if request.model == "other":
            return numbers(request)
        return Reply(WHOLE, cut_after=10) if len(server.requests) == 1 else error(500)

    server.responder = respond
    got: list[str] = []
    counted = meter()
    models = calls_of(settings(server, fallbacks="openai:other")).models
    models.stream(Role.ANSWER, QUESTION, counted, got.append)
    assert "".join(got) == WHOLE
    assert counted.fallback_used == "openai:other"


def test_a_run_that_is_resumed_goes_on_behind_what_was_sent(server: OpenAIServer) -> None:
    server.responder = numbers
    got: list[str] = []
    sent = WHOLE[:101]  # in the middle of a word
    models = calls_of(settings(server)).models
    reply = models.stream(Role.ANSWER, QUESTION, meter(), got.append, so_far=sent)
    assert sent + "".join(got) == reply.text == WHOLE
    roles = [message["role"] for message in server.requests[0].messages]
    assert roles == ["system", "user", "assistant", "user"]


def test_tokens_of_what_broke_off_are_counted(server: OpenAIServer) -> None:
    server.script(*[Reply(WHOLE, cut_after=90)] * 3)
    counted = meter(tokens=100)
    models = calls_of(settings(server)).models
    with pytest.raises((ModelUnavailable, BudgetSpent)):
        models.stream(Role.ANSWER, QUESTION, counted, lambda _: None)
    with pytest.raises(BudgetSpent):
        counted.check()


def test_a_stream_ends_at_its_deadline_though_pieces_keep_coming(server: OpenAIServer) -> None:
    server.script(Reply("word " * 10_000, pause=0.02))
    got: list[str] = []
    models = calls_of(settings(server, timeout=0.5, attempts=1)).models
    with pytest.raises(ModelUnavailable, match="in time"):
        models.stream(Role.ANSWER, QUESTION, meter(), got.append)
    assert got


def test_a_stream_ends_at_its_deadline_though_bytes_keep_coming(server: OpenAIServer) -> None:
    server.script(Reply("word " * 1000, dribble=0.02))
    models = calls_of(settings(server, timeout=0.5, attempts=1)).models
    with pytest.raises(ModelUnavailable, match="in time"):
        models.stream(Role.ANSWER, QUESTION, meter(), lambda _: None)


def test_a_server_that_is_slow_and_keeps_sending_does_not_open_the_breaker(
    server: OpenAIServer, redis_url: str
) -> None:
    server.responder = lambda _: Reply(WHOLE, pause=0.05)
    configured = settings(server, timeout=0.6, attempts=2, breaker_failures=1, stream_silence=5)
    models = calls_of(configured, redis_url).models
    for _ in range(2):  # by the second time, an open breaker would not let it through
        got: list[str] = []
        before = len(server.requests)
        with pytest.raises(ModelUnavailable):
            models.stream(Role.ANSWER, QUESTION, meter(), got.append)
        assert got
        assert len(server.requests) == before + 2
