"""Following a task with both clients, against a gateway on a real socket."""

import socket
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.responses import Response, StreamingResponse

from flotilla.client import (
    AsyncFlotilla,
    Flotilla,
    FlotillaAPIError,
    GatewayUnreachable,
    UnexpectedReply,
)
from flotilla.client import event_source as event_source_module
from flotilla.client.event_source import OUTAGE, TaskEvents
from flotilla.client.exchange import Exchange
from flotilla.schemas import TaskEvent
from tests.conftest import wait_until
from tests.doubles.gateway import GatewayDouble, a_problem, a_task, an_event

STATES = (
    a_task("t", "pending", stage="document.convert"),
    a_task("t", "processing", stage="document.convert"),
    a_task("t", "processing", stage="vectorstore.index"),
    a_task("t", "completed", stage="upkeep.finish", result={"text": "one\u2028line, a\x85nd more"}),
)
EXCHANGE = Exchange("http://gateway", timeout=1, retries=0)

Follow = Callable[..., Any]


async def blocking(url: str, **options: Any) -> list[TaskEvent]:
    with Flotilla(url) as client:
        return list(client.events("t", **options))


async def awaited(url: str, **options: Any) -> list[TaskEvent]:
    async with AsyncFlotilla(url) as client:
        return [event async for event in client.events("t", **options)]


@pytest.fixture(params=[blocking, awaited])
def follow(request: pytest.FixtureRequest, gateway: GatewayDouble) -> Follow:
    gateway.add_task("t", *STATES)
    followed: Follow = request.param
    return followed


def asked(gateway: GatewayDouble) -> list[str | None]:
    return [r.headers.get("last-event-id") for r in gateway.seen("GET", "/tasks/t/events")]


async def test_a_task_is_followed_to_its_end(gateway: GatewayDouble, follow: Follow) -> None:
    events = await follow(gateway.url)
    assert [event.id for event in events] == ["0", "1", "2", "3"]
    assert [event.event for event in events] == ["state", "state", "state", "end"]
    assert events[-1].result == STATES[-1].result
    assert asked(gateway) == [None]


async def test_a_connection_that_breaks_off_is_made_anew(
    gateway: GatewayDouble, follow: Follow
) -> None:
    gateway.broken = {("t", 0), ("t", 2)}
    events = await follow(gateway.url)
    assert [event.id for event in events] == ["0", "1", "2", "3"]
    assert asked(gateway) == [None, "0", "2"]


async def test_half_an_event_is_none(gateway: GatewayDouble, follow: Follow) -> None:
    async def broken() -> Any:
        yield an_event(0, STATES[0])
        yield an_event(1, STATES[1])[:-20]

    gateway.scripted["GET", "/tasks/t/events"] = [
        StreamingResponse(broken(), media_type="text/event-stream")
    ]
    events = await follow(gateway.url)
    assert [event.id for event in events] == ["0", "1", "2", "3"]


async def test_a_gateway_that_is_not_ready_is_asked_again(
    gateway: GatewayDouble, follow: Follow
) -> None:
    gateway.scripted["GET", "/tasks/t/events"] = [
        a_problem(503, "dependency_unavailable", "The ledger is away."),
        Response("<h1>Bad gateway</h1>", 502),
    ]
    assert len(await follow(gateway.url)) == 4


async def test_nothing_follows_an_end_that_was_seen(gateway: GatewayDouble, follow: Follow) -> None:
    gateway.scripted["GET", "/tasks/t/events"] = [Response(status_code=204)]
    assert await follow(gateway.url, last_event_id="3") == []
    assert asked(gateway) == ["3"]


async def test_a_refusal_is_told(gateway: GatewayDouble, follow: Follow) -> None:
    gateway.states.clear()
    with pytest.raises(FlotillaAPIError) as raised:
        await follow(gateway.url)
    assert raised.value.status == 404


async def test_a_reply_of_something_else_is_told(gateway: GatewayDouble, follow: Follow) -> None:
    gateway.scripted["GET", "/tasks/t/events"] = [Response("hello", media_type="text/plain")]
    with pytest.raises(UnexpectedReply):
        await follow(gateway.url)


async def test_a_gateway_that_was_never_there_is_told_at_once(follow: Follow) -> None:
    with pytest.raises(GatewayUnreachable, match="No gateway answers"):
        await follow("http://127.0.0.1:9")


def test_a_gateway_that_stays_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(event_source_module.time, "monotonic", lambda: now)
    source = TaskEvents(EXCHANGE, "t", None)
    request = httpx.Request("GET", "http://gateway/tasks/t/events")
    headers = {"content-type": "text/event-stream; charset=utf-8"}
    assert source.is_open(httpx.Response(200, headers=headers, request=request))
    pauses = []

    def stay_away() -> None:
        nonlocal now
        while True:
            pauses.append(source.pause())
            now += 1
            source.fail(httpx.ConnectError("refused"))

    with pytest.raises(GatewayUnreachable):
        stay_away()
    assert OUTAGE <= now < 2 * OUTAGE
    assert pauses == sorted(pauses)


def test_a_client_that_is_closed_ends_what_its_threads_follow(gateway: GatewayDouble) -> None:
    gateway.add_task("t", *STATES)
    gateway.held["t"] = threading.Event()
    client = Flotilla(gateway.url)
    events: list[TaskEvent] = []
    errors: list[Exception] = []

    def follow() -> None:
        try:
            events.extend(client.events("t"))
        except GatewayUnreachable as error:
            errors.append(error)

    thread = threading.Thread(target=follow)
    thread.start()
    wait_until(lambda: gateway.seen("GET", "/tasks/t/events"))
    client.close()
    thread.join(5)
    gateway.held["t"].set()
    assert not thread.is_alive()
    assert "was closed" in str(errors[0])


def test_a_reply_that_comes_while_the_client_closes_is_not_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else its thread would read from a connection that nobody ends any more."""
    errors: list[Exception] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = Flotilla(f"http://127.0.0.1:{server.getsockname()[1]}")

        def follow() -> None:
            try:
                list(client.events("t"))
            except GatewayUnreachable as error:
                errors.append(error)

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        connection, _ = server.accept()
        connection.recv(4096)

        def reply_first(_: httpx.Client) -> None:
            connection.settimeout(5)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            assert connection.recv(1) == b""  # the client has hung up

        with monkeypatch.context() as patched, connection:
            patched.setattr(httpx.Client, "close", reply_first)
            client.close()
        thread.join(5)
    assert not thread.is_alive()
    assert "was closed" in str(errors[0])
