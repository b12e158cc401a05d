"""How long the steps of a search take, for whoever asked to be told.

It goes with the request's thread, so that what lies in between needs to know nothing of it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[dict[str, float] | None] = ContextVar("timings", default=None)


@contextmanager
def timing() -> Iterator[dict[str, float]]:
    """The milliseconds of each step that is taken within the block, filled while it runs."""
    steps: dict[str, float] = {}
    token = _current.set(steps)
    try:
        yield steps
    finally:
        _current.reset(token)


@contextmanager
def step(name: str) -> Iterator[None]:
    """One step; one that is taken again adds to its time."""
    began = time.perf_counter()
    try:
        yield
    finally:
        steps = _current.get()
        if steps is not None:
            took = 1000 * (time.perf_counter() - began)
            steps[name] = round(steps.get(name, 0.0) + took, 2)
