"""Workers of a fleet, each a process of its own, that share breakers and limits through Redis."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.pool import Pool
from typing import Any

from flotilla.rag.llm.breaker import Breaker, Permit
from flotilla.rag.llm.fleet_state import FleetState
from flotilla.rag.llm.limits import Limits
from flotilla.settings import LLMSettings
from tests.forked_workers import forked_workers

PROCESSES = 4

_breaker: Breaker
_limits: Limits
_barrier: Any


def _start(url: str, fields: dict[str, object], barrier: Any) -> None:
    global _breaker, _limits, _barrier
    configured, state = LLMSettings.model_validate(fields), FleetState(url)
    _breaker, _limits, _barrier = Breaker(state, configured), Limits(state, configured), barrier
    state.run("return redis.call('PING')", [], [])  # connected, for a fair race


@contextmanager
def workers(url: str, **fields: object) -> Iterator[Pool]:
    """A pool of processes with a breaker and limits each."""
    forked = forked_workers()
    with forked.Pool(PROCESSES, _start, (url, fields, forked.Barrier(PROCESSES))) as pool:
        yield pool


def at_once(pool: Pool, work: Callable[..., Any], *arguments: Any) -> list[Any]:
    """The results of work that all processes begin in the same moment."""
    return pool.starmap(_behind_barrier, [(work, arguments)] * PROCESSES, chunksize=1)


def _behind_barrier(work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    _barrier.wait(60)
    return work(*arguments)


def allow(key: str, seconds: float = 60.0) -> Permit:
    return _breaker.allow(key, seconds)


def record(permit: Permit, healthy: bool | None) -> None:
    _breaker.record(permit, healthy=healthy)


def fail(key: str) -> None:
    """One request that fails."""
    record(allow(key), False)


def take(provider: str, tokens: int, times: int) -> int:
    """How many of so many requests may go at once."""
    return sum(_limits.take(provider, tokens, 0.0)[0] for _ in range(times))


def reserve(provider: str, tokens: int) -> float:
    """The seconds that a request has to wait for its turn."""
    taken, wait = _limits.take(provider, tokens, 3600.0)
    assert taken
    return wait


def give_back(provider: str, taken: int, used: int) -> None:
    _limits.correct(provider, taken, used)
