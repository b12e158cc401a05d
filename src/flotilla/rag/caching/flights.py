"""One looks and computes, whoever asks the same at the same moment waits for that.

Within one process only: several of them compute an answer at most once each, and none has to wait
for a worker that may be dead.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Lock
from typing import TypeAlias

from flotilla.cache_use import CachePolicy
from flotilla.models import Answer

LONGEST_WAIT = 15.0
"""Seconds that one waits for another's answer before he computes his own."""

Land: TypeAlias = Callable[[Answer], None]


class Flights:
    """Answers that are being computed; safe to share between threads."""

    def __init__(self, longest_wait: float = LONGEST_WAIT) -> None:
        self._longest_wait = longest_wait
        self._lock = Lock()
        self._under_way: dict[str, Future[Answer | None]] = {}

    @contextmanager
    def joined(self, key: str, policy: CachePolicy) -> Iterator[tuple[Answer | None, Land]]:
        """The answer that another has found or computed meanwhile, or None for whoever has to do so
        himself, and calls the second with what is for all.

        Those who do not keep what they find, or take nothing that is too old, go alone.
        """
        if not policy.writes or policy.max_age is not None:
            yield None, lambda _answer: None
            return
        with self._lock:
            flight = self._under_way.get(key)
            leads = flight is None
            if flight is None:
                flight = self._under_way[key] = Future()
        if not leads:
            yield _result(flight, self._longest_wait), lambda _answer: None
            return
        landed: list[Answer] = []
        try:
            yield None, landed.append
        finally:
            with self._lock:
                del self._under_way[key]
            flight.set_result(landed[0] if landed else None)


def _result(flight: "Future[Answer | None]", seconds: float) -> Answer | None:
    try:
        return flight.result(seconds)
    except TimeoutError:
        return None
