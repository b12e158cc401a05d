"""Flows are driven by hand here: what a client would need minutes for."""

from typing import Any

import httpx
import pytest

from flotilla.client import FlotillaAPIError, GatewayUnreachable, flows, operations
from flotilla.client.exchange import Exchange, Pause
from tests.doubles.gateway import a_problem, a_task

EXCHANGE = Exchange("http://gateway", timeout=1, retries=0)
AWAY = httpx.ConnectError("refused")


def reply(status: str) -> httpx.Response:
    request = httpx.Request("GET", "http://gateway/tasks/t")
    return httpx.Response(200, content=a_task("t", status).model_dump_json(), request=request)


def test_a_gateway_that_restarts_during_the_wait_is_waited_for() -> None:
    steps = flows.wait(EXCHANGE, "t")
    next(steps)
    steps.send(reply("processing"))
    assert isinstance(steps.send(AWAY), Pause)
    assert isinstance(steps.send(None), dict)
    with pytest.raises(StopIteration) as end:
        steps.send(reply("completed"))
    assert end.value.value.status == "completed"


def problem(status: int, code: str, after: str | None = None) -> httpx.Response:
    request = httpx.Request("GET", "http://gateway/tasks/t")
    headers = {} if after is None else {"Retry-After": after}
    body = bytes(a_problem(status, code, "It is out of reach.").body)
    return httpx.Response(status, content=body, headers=headers, request=request)


@pytest.mark.parametrize("before", [[], ["processing"]])
def test_a_gateway_that_cannot_tell_for_a_while_is_waited_for(before: list[str]) -> None:
    steps = flows.wait(EXCHANGE, "t")
    next(steps)
    for status in before:
        steps.send(reply(status))
    for _ in range(5):
        assert isinstance(steps.send(problem(503, "dependency_unavailable")), Pause)
        assert isinstance(steps.send(None), dict)
    with pytest.raises(StopIteration) as end:
        steps.send(reply("completed"))
    assert end.value.value.status == "completed"


def test_a_gateway_that_can_never_tell_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(flows.time, "monotonic", lambda: now)
    steps = flows.wait(EXCHANGE, "t")
    step: Any = next(steps)

    def stay_dumb() -> None:
        nonlocal now, step
        while True:
            now += 1
            told = problem(503, "dependency_unavailable")
            step = steps.send(None if isinstance(step, Pause) else told)

    with pytest.raises(FlotillaAPIError):
        stay_dumb()
    assert flows.OUTAGE < now < 4 * flows.OUTAGE


def test_the_longest_pause_that_a_gateway_asks_for_is_made() -> None:
    steps = Exchange("http://gateway", timeout=1, retries=2).perform(operations.ask_async("Why?"))
    next(steps)
    assert steps.send(problem(503, "overloaded", "60")) == Pause(60.0)
    assert isinstance(steps.send(None), dict)


def test_a_gateway_that_was_never_there_is_told_at_once() -> None:
    steps = flows.wait(EXCHANGE, "t")
    next(steps)
    with pytest.raises(GatewayUnreachable):
        steps.send(AWAY)


def test_a_gateway_that_stays_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(flows.time, "monotonic", lambda: now)
    steps = flows.wait(EXCHANGE, "t")
    next(steps)
    step: Any = steps.send(reply("processing"))

    def stay_away() -> None:
        nonlocal now, step
        while True:
            now += 1
            step = steps.send(None if isinstance(step, Pause) else AWAY)

    with pytest.raises(GatewayUnreachable):
        stay_away()
    assert flows.OUTAGE < now < 4 * flows.OUTAGE


def test_a_wait_sleeps_through_no_longer_pause_than_its_own() -> None:
    """A proxy may ask for a minute; whoever waits for two seconds does not wait for that."""
    steps = flows.wait(Exchange("http://gateway", timeout=5, retries=2), "t", timeout=2)
    request = next(steps)
    assert not isinstance(request, Pause)
    away = httpx.Response(
        503, headers={"Retry-After": "60"}, request=httpx.Request("GET", "http://g")
    )
    pause = steps.send(away)
    assert isinstance(pause, Pause)
    assert pause.seconds <= flows.UPDATE_POLL
