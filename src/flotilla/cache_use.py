"""What one request asks of the caches, and what came of it.

It goes with the request's thread, and with the context that is copied for threads of its own, so
that what lies in between needs to know nothing of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from flotilla.models import Cached, CacheOutcome, Value


class CachePolicy(Value):
    """What a request asks of the caches.

    `reads`: what is there may be taken; `max_age` is how old it may be, in seconds. `writes`: what
    is found may be kept.
    """

    reads: bool = True
    writes: bool = True
    max_age: float | None = None


@dataclass
class CacheUse:
    """One request's use of the caches."""

    policy: CachePolicy = field(default_factory=CachePolicy)
    _found: dict[str, Any] = field(default_factory=dict)

    def note(self, cache: str, outcome: CacheOutcome) -> None:
        """Note what came of a look into a cache. The first one counts: what a request has put there
        itself it may well find again."""
        self._found.setdefault(cache, outcome)

    def explain(self, **facts: Any) -> None:
        """Note age, question or cosine of what answered."""
        self._found |= facts

    def cached(self) -> Cached:
        """What is shown of it."""
        return Cached(**self._found)

    def outcomes(self) -> dict[str, CacheOutcome]:
        """What came of the looks, by cache."""
        return {
            name: outcome
            for name, outcome in self._found.items()
            if isinstance(outcome, CacheOutcome)
        }


_current: ContextVar[CacheUse | None] = ContextVar("cache_use", default=None)


def current_use() -> CacheUse:
    """The request's use of the caches; one that nobody sees outside of any request."""
    return _current.get() or CacheUse()


@contextmanager
def using(policy: CachePolicy) -> Iterator[CacheUse]:
    """A request's use of the caches, until the context ends."""
    use = CacheUse(policy)
    token = _current.set(use)
    try:
        yield use
    finally:
        _current.reset(token)
