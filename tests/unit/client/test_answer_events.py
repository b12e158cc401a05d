"""Reading a streamed answer with both clients, against a gateway on a real socket."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from starlette.responses import Response, StreamingResponse

from flotilla.client import (
    AnswerEvent,
    AsyncFlotilla,
    CitationEvent,
    DoneEvent,
    Flotilla,
    FlotillaAPIError,
    GatewayUnreachable,
    TokenEvent,
    TraceEvent,
)
from flotilla.client.answer_events import AnswerEvents
from flotilla.client.exchange import Exchange
from flotilla.client.operation import Operation
from tests.doubles.gateway import GatewayDouble, a_problem
from tests.unit.cli.test_questions import ANSWER

ASKED, FOLLOWED = ("POST", "/rag/query/stream"), ("GET", "/tasks/t1/stream")
STEP = {"name": "retrieve", "started": 0.0, "took": 2.5, "saw": {"passages": 5}, "calls": []}
PIECES = ("It is twelve months [1].", " [bold]Claims[/bold] go to the workshop [2].")
EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("trace", STEP),
    ("token", {"text": PIECES[0], "start": 0}),
    ("citation", ANSWER["citations"][0]),
    ("token", {"text": PIECES[1], "start": len(PIECES[0])}),
    ("citation", ANSWER["citations"][1]),
    ("done", ANSWER),
]

Ask = Callable[..., Any]


async def blocking(url: str, **options: Any) -> list[AnswerEvent]:
    with Flotilla(url) as client:
        return list(client.stream("How long?", **options))


async def awaited(url: str, **options: Any) -> list[AnswerEvent]:
    async with AsyncFlotilla(url) as client:
        return [event async for event in client.stream("How long?", **options)]


@pytest.fixture(params=[blocking, awaited])
def ask(request: pytest.FixtureRequest) -> Ask:
    asked: Ask = request.param
    return asked


def streamed(first: int, last: int, half: int = 0, task_id: str = "t1") -> Response:
    """A connection that tells these events, and breaks off in the middle of the one after."""

    async def events() -> AsyncIterator[bytes]:
        yield b"retry: 10\n\n:\n\n"
        for number in range(first, last + 1):
            yield event(number)
        if half:
            yield event(last + 1)[:half]

    def event(number: int) -> bytes:
        name, data = EVENTS[number - 1]
        return f"id: {task_id}:{number}\nevent: {name}\ndata: {json.dumps(data)}\n\n".encode()

    return StreamingResponse(
        events(), media_type="text/event-stream", headers={"X-Task-ID": task_id}
    )


async def test_an_answer_comes_event_by_event(gateway: GatewayDouble, ask: Ask) -> None:
    gateway.scripted[ASKED] = [streamed(1, 6)]
    events = await ask(gateway.url, collections=["contracts"], top_k=3)
    kinds = [TraceEvent, TokenEvent, CitationEvent, TokenEvent, CitationEvent, DoneEvent]
    assert [type(event) for event in events] == kinds
    assert events[0].step.saw == {"passages": 5}
    assert "".join(e.text for e in events if isinstance(e, TokenEvent)) == events[-1].answer.text
    assert [event.id for event in events] == [f"t1:{number}" for number in range(1, 7)]
    [request] = gateway.seen(*ASKED)
    assert request.json["collections"] == ["contracts"]
    assert request.json["top_k"] == 3


async def test_a_broken_stream_goes_on_and_the_question_is_asked_once(
    gateway: GatewayDouble, ask: Ask
) -> None:
    gateway.scripted[ASKED] = [streamed(1, 2, half=40)]
    gateway.scripted[FOLLOWED] = [
        a_problem(503, "dependency_unavailable", "The ledger is away."),
        streamed(3, 3),
        streamed(4, 6),
    ]
    events = await ask(gateway.url)
    assert [event.id for event in events] == [f"t1:{number}" for number in range(1, 7)]
    assert len(gateway.seen(*ASKED)) == 1
    asked = [request.headers["last-event-id"] for request in gateway.seen(*FOLLOWED)]
    assert asked == ["t1:2", "t1:2", "t1:3"]


async def test_a_stream_that_breaks_before_its_first_event_is_followed_too(
    gateway: GatewayDouble, ask: Ask
) -> None:
    gateway.scripted[ASKED] = [streamed(1, 0)]
    gateway.scripted[FOLLOWED] = [streamed(1, 6)]
    assert len(await ask(gateway.url)) == 6
    assert "last-event-id" not in gateway.seen(*FOLLOWED)[0].headers


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_a_question_that_may_be_at_work_behind_a_proxy_is_not_asked_again(
    gateway: GatewayDouble, ask: Ask, status: int
) -> None:
    gateway.scripted[ASKED] = [Response("<h1>No reply</h1>", status), streamed(1, 6)]
    with pytest.raises(FlotillaAPIError) as raised:
        await ask(gateway.url)
    assert raised.value.code == f"http_{status}"
    assert len(gateway.seen(*ASKED)) == 1


async def test_a_question_that_was_not_taken_is_asked_again(
    gateway: GatewayDouble, ask: Ask
) -> None:
    gateway.scripted[ASKED] = [
        a_problem(503, "overloaded", "Too many questions are waiting."),
        Response("<h1>Too many requests</h1>", 429),
        streamed(1, 6),
    ]
    assert len(await ask(gateway.url)) == 6
    assert len(gateway.seen(*ASKED)) == 3


LOST = (
    httpx.ReadError("reset"),
    httpx.ReadTimeout("silent"),
    httpx.WriteError("reset"),
    httpx.RemoteProtocolError("no reply"),
)


@pytest.mark.parametrize("lost", LOST)
def test_a_question_whose_reply_is_lost_is_not_asked_again_after_a_refusal(
    lost: httpx.TransportError,
) -> None:
    question: Operation[Any] = Operation("POST", "/rag/query/stream", lambda _: None)
    source = AnswerEvents(Exchange("http://gateway", timeout=1, retries=0), question)
    request = httpx.Request("POST", "http://gateway/rag/query/stream")
    body = bytes(a_problem(503, "overloaded", "Too many questions are waiting.").body)
    assert not source.is_open(httpx.Response(503, content=body, request=request))
    source.fail(httpx.ConnectError("refused"))  # it has not come there: once more
    with pytest.raises(GatewayUnreachable):
        source.fail(lost)
    headers = {"content-type": "text/event-stream", "x-task-id": "t1"}
    assert source.is_open(httpx.Response(200, headers=headers, request=request))
    source.fail(lost)
    assert (source.request()["method"], source.request()["url"]) == FOLLOWED


async def test_the_error_of_a_run_is_raised(gateway: GatewayDouble, ask: Ask) -> None:
    problem = {
        "title": "The task was cancelled",
        "status": 409,
        "detail": "The task was cancelled before it had an answer.",
        "code": "cancelled",
        "retryable": False,
        "task_id": "t1",
    }

    async def events() -> AsyncIterator[bytes]:
        yield f"id: t1:1\nevent: error\ndata: {json.dumps(problem)}\n\n".encode()

    gateway.scripted[ASKED] = [StreamingResponse(events(), media_type="text/event-stream")]
    with pytest.raises(FlotillaAPIError) as raised:
        await ask(gateway.url)
    assert (raised.value.code, raised.value.task_id) == ("cancelled", "t1")


async def test_a_refused_question_is_told(gateway: GatewayDouble, ask: Ask) -> None:
    gateway.scripted[ASKED] = [a_problem(422, "question_empty", "The question is empty.")]
    with pytest.raises(FlotillaAPIError, match="The question is empty"):
        await ask(gateway.url)
    with pytest.raises(GatewayUnreachable, match="No gateway answers"):
        await ask("http://127.0.0.1:9")


async def test_a_task_is_read_from_where_it_was_left(gateway: GatewayDouble) -> None:
    gateway.scripted[FOLLOWED] = [streamed(5, 6), streamed(1, 6)]
    async with AsyncFlotilla(gateway.url) as client:
        rest = [event async for event in client.read_answer("t1", last_event_id="t1:4")]
    assert [event.id for event in rest] == ["t1:5", "t1:6"]
    with Flotilla(gateway.url) as blocking_client:
        assert len(list(blocking_client.read_answer("t1"))) == 6


async def test_a_stream_says_which_task_answers(gateway: GatewayDouble) -> None:
    gateway.scripted[ASKED] = [streamed(1, len(EVENTS)), streamed(1, len(EVENTS))]
    with Flotilla(gateway.url) as client:
        stream = client.stream("How long?")
        assert stream.task_id is None
        next(stream)
        assert stream.task_id == "t1"
        stream.close()
    async with AsyncFlotilla(gateway.url) as client:
        following = client.stream("How long?")
        assert following.task_id is None
        await anext(following)
        assert following.task_id == "t1"
        await following.aclose()
