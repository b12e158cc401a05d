"""The breaker between processes, over a real Redis."""

import socket
import uuid

import pytest
import redis

from flotilla.errors import ModelUnavailable
from flotilla.rag.llm import Role
from flotilla.rag.llm.breaker import Breaker
from flotilla.rag.llm.fleet_state import FleetState
from flotilla.settings import LLMSettings
from tests.conftest import wait_until
from tests.doubles.openai_server import OpenAIServer, Reply, error, text
from tests.integration.rag.fleet_processes import PROCESSES, allow, at_once, fail, record, workers
from tests.integration.rag.llm_doubles import QUESTION, calls_of, meter, settings


@pytest.fixture
def key() -> str:
    return f"provider/{uuid.uuid4()}"


def breaker(url: str, **fields: object) -> Breaker:
    return Breaker(FleetState(url), LLMSettings.model_validate(fields))


def half_open(url: str, key: str) -> None:
    """Wait until the breaker's time is over, by Redis' clock."""
    with redis.Redis.from_url(url, decode_responses=True) as client:

        def over() -> bool:
            until = client.hget(f"flotilla:llm:breaker:{{{key}}}", "open_until")
            seconds, microseconds = client.time()
            return until is not None and seconds + microseconds / 1e6 > float(until)

        wait_until(over)


def test_failures_of_several_processes_open_it_for_all(redis_url: str, key: str) -> None:
    with workers(redis_url, breaker_failures=PROCESSES, breaker_open=60) as pool:
        for _ in range(PROCESSES - 1):
            pool.apply(fail, (key,))
        assert all(permit.allowed for permit in at_once(pool, allow, key))
        pool.apply(fail, (key,))
        refused = at_once(pool, allow, key)
        assert not any(permit.allowed for permit in refused)
        assert all(0 < permit.wait <= 60 for permit in refused)


def test_half_open_one_probe_of_the_whole_fleet_goes_through(redis_url: str) -> None:
    with workers(redis_url, breaker_failures=1, breaker_open=0.05) as pool:
        for _ in range(20):
            key = f"provider/{uuid.uuid4()}"
            pool.apply(fail, (key,))
            half_open(redis_url, key)
            permits = at_once(pool, allow, key)
            (probe,) = [permit for permit in permits if permit.allowed]
            assert not any(permit.allowed for permit in at_once(pool, allow, key))
            pool.apply(record, (probe, True))  # another process' word will do
            assert all(permit.allowed for permit in at_once(pool, allow, key))


def test_a_probe_that_fails_opens_it_anew(redis_url: str, key: str) -> None:
    short, long = (breaker(redis_url, breaker_failures=1, breaker_open=s) for s in (0.05, 60))
    short.record(short.allow(key, 60), healthy=False)
    half_open(redis_url, key)
    probe = long.allow(key, 60)
    assert probe.allowed
    long.record(probe, healthy=False)
    refused = long.allow(key, 60)
    assert not refused.allowed
    assert refused.wait > 1


def test_a_probe_that_says_nothing_is_followed_by_another(redis_url: str, key: str) -> None:
    own = breaker(redis_url, breaker_failures=1, breaker_open=0.05)
    own.record(own.allow(key, 60), healthy=False)
    half_open(redis_url, key)
    probe = own.allow(key, 60)
    assert not own.allow(key, 60).allowed
    own.record(probe, healthy=None)
    assert own.allow(key, 60).allowed


def test_a_probe_whose_worker_died_is_followed_by_another(redis_url: str, key: str) -> None:
    own = breaker(redis_url, breaker_failures=1, breaker_open=0.05)
    own.record(own.allow(key, 60), healthy=False)
    half_open(redis_url, key)
    assert own.allow(key, 0.3).allowed
    wait_until(lambda: own.allow(key, 60).allowed)


def test_late_news_of_older_requests_neither_closes_nor_prolongs_it(
    redis_url: str, key: str
) -> None:
    own = breaker(redis_url, breaker_failures=1, breaker_open=60)
    older = [own.allow(key, 60) for _ in range(2)]
    own.record(own.allow(key, 60), healthy=False)
    before = own.allow(key, 60).wait
    own.record(older[0], healthy=True)
    own.record(older[1], healthy=False)
    refused = own.allow(key, 60)
    assert not refused.allowed
    assert refused.wait <= before


def test_failures_among_as_many_successes_do_not_open_it(redis_url: str, key: str) -> None:
    own = breaker(redis_url, breaker_failures=3)
    for healthy in (False, True, True) * 6:
        own.record(own.allow(key, 60), healthy=healthy)
    assert own.allow(key, 60).allowed
    for _ in range(3):
        own.record(own.allow(key, 60), healthy=False)
    assert not own.allow(key, 60).allowed


def test_failures_long_ago_do_not_open_it(redis_url: str, key: str) -> None:
    own = breaker(redis_url, breaker_failures=2, breaker_window=0.05)
    own.record(own.allow(key, 60), healthy=False)
    with redis.Redis.from_url(redis_url) as client:
        began = client.time()
        wait_until(lambda: client.time() > (began[0] + 1, began[1]))
    own.record(own.allow(key, 60), healthy=False)
    assert own.allow(key, 60).allowed


def test_an_open_breaker_spares_the_provider_and_says_when_to_come_back(redis_url: str) -> None:
    with OpenAIServer() as server:
        server.fallback = error(503)
        configured = settings(server, breaker_failures=3, attempts=2, breaker_open=60)
        first, second = calls_of(configured, redis_url), calls_of(configured, redis_url)
        with pytest.raises(ModelUnavailable):
            first.models.complete(Role.ANSWER, QUESTION, meter())
        with pytest.raises(ModelUnavailable):
            second.models.complete(Role.ANSWER, QUESTION, meter())
        assert len(server.requests) == 3  # the third opened it, in the middle of the second call
        with pytest.raises(ModelUnavailable, match="not asked for a while") as caught:
            first.models.complete(Role.ANSWER, QUESTION, meter())
        assert caught.value.retry_after is not None
        assert 0 < caught.value.retry_after <= 60
        assert len(server.requests) == 3


@pytest.mark.parametrize(
    "refusal", [error(400), error(401), error(404), error(429), Reply(body=b"{}")]
)
def test_refusals_do_not_open_it(redis_url: str, refusal: Reply) -> None:
    with OpenAIServer() as server:
        server.script(*[refusal] * 4, text("At nine."))
        calls = calls_of(settings(server, breaker_failures=2, attempts=1), redis_url)
        for _ in range(4):
            with pytest.raises(Exception, match="language model"):
                calls.models.complete(Role.ANSWER, QUESTION, meter())
        assert calls.models.complete(Role.ANSWER, QUESTION, meter()).text == "At nine."


def test_a_run_whose_time_is_over_says_nothing_against_the_provider(redis_url: str) -> None:
    with OpenAIServer() as server:
        server.script(*[Reply("late", delay=600)] * 2, text("At nine."))
        calls = calls_of(settings(server, breaker_failures=2, timeout=60), redis_url)
        for _ in range(2):
            with pytest.raises(Exception, match="time"):
                calls.models.complete(Role.ANSWER, QUESTION, meter(0.4))
        assert calls.models.complete(Role.ANSWER, QUESTION, meter()).text == "At nine."


def test_a_redis_that_is_away_stops_no_answer() -> None:
    fields = {"breaker_failures": 1, "requests_per_minute": 1, "tokens_per_minute": 1}
    with OpenAIServer() as server, socket.create_server(("127.0.0.1", 0)) as silent:
        server.fallback = text("At nine.")
        # One refuses connections, one takes them and never says a word.
        for url in ("redis://127.0.0.1:1/0", f"redis://127.0.0.1:{silent.getsockname()[1]}/0"):
            calls = calls_of(settings(server, **fields), url)
            for _ in range(3):
                assert calls.models.complete(Role.ANSWER, QUESTION, meter()).text == "At nine."
            assert calls.pauses == []
