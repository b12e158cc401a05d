"""What the fleet sends a minute, between processes, over a real Redis."""

import itertools
import uuid

import pytest

from flotilla.errors import ModelUnavailable
from flotilla.rag.llm import Role
from tests.doubles.openai_server import OpenAIServer, Reply, text
from tests.integration.rag.fleet_processes import at_once, give_back, reserve, take, workers
from tests.integration.rag.llm_doubles import QUESTION, calls_of, meter, settings


@pytest.fixture
def provider() -> str:
    return f"provider-{uuid.uuid4()}"


def test_all_processes_take_from_one_bucket(redis_url: str, provider: str) -> None:
    """A sixth of a minute's worth at once; at this rate a further one comes after 10 s."""
    with workers(redis_url, requests_per_minute=6) as pool:
        assert sum(at_once(pool, take, provider, 0, 10)) == 1


def test_tokens_are_shared_and_those_not_used_come_back(redis_url: str, provider: str) -> None:
    with workers(redis_url, tokens_per_minute=6) as pool:
        pool.apply(reserve, (provider, 1))
        assert pool.apply(take, (provider, 1, 5)) == 0
        pool.apply(give_back, (provider, 1, 0))
        assert sum(at_once(pool, take, provider, 1, 5)) == 1


def test_who_waits_does_not_get_in_front_of_who_waited_before(
    redis_url: str, provider: str
) -> None:
    with workers(redis_url, requests_per_minute=6) as pool:
        waits = sorted(at_once(pool, reserve, provider, 0))
        assert waits[0] == 0
        gaps = [later - earlier for earlier, later in itertools.pairwise(waits)]
        # Ten seconds apart, but for the time that went by between them.
        assert all(8 < gap <= 10.01 for gap in gaps)


def test_a_call_waits_for_its_turn(redis_url: str) -> None:
    with OpenAIServer() as server:
        server.fallback = text("At nine.")
        calls = calls_of(settings(server, requests_per_minute=6), redis_url)
        calls.models.complete(Role.ANSWER, QUESTION, meter())
        assert calls.pauses == []
        calls.models.complete(Role.ANSWER, QUESTION, meter())
        (pause,) = calls.pauses
        assert 0 < pause <= 10


def test_a_turn_that_comes_too_late_is_another_models(redis_url: str) -> None:
    with OpenAIServer() as server, OpenAIServer() as other:
        server.fallback = other.fallback = text("At nine.")
        configured = settings(
            server,
            requests_per_minute=6,
            fallbacks="openai:other",
            fallback_base_url=other.base_url,
        )
        calls, counted = calls_of(configured, redis_url), meter(5)
        for _ in range(2):
            calls.models.complete(Role.ANSWER, QUESTION, counted)
        assert (len(server.requests), len(other.requests)) == (1, 1)
        assert counted.fallback_used == "openai:other"
        with pytest.raises(ModelUnavailable, match="allowed in a minute") as caught:
            calls.models.complete(Role.ANSWER, QUESTION, meter(5))
        assert caught.value.retry_after is not None
        assert 5 < caught.value.retry_after <= 10


def test_what_a_reply_really_took_is_what_counts(redis_url: str) -> None:
    """The prompt and the longest reply are taken first, then put right by the usage."""
    with OpenAIServer() as server:
        server.fallback = Reply("At nine.", usage=(3, 2))
        calls = calls_of(settings(server, tokens_per_minute=60, max_tokens=800), redis_url)
        for _ in range(3):
            calls.models.complete(Role.ANSWER, QUESTION, meter(30))
        # Ten at once and one a second: the first two are free, the third waits for what they took.
        assert all(pause < 15 for pause in calls.pauses)
        server.fallback = Reply("At nine.", usage=(3, 200))
        calls.models.complete(Role.ANSWER, QUESTION, meter(30))
        with pytest.raises(ModelUnavailable) as caught:
            calls.models.complete(Role.ANSWER, QUESTION, meter(30))
        assert caught.value.retry_after is not None
        assert caught.value.retry_after > 100
