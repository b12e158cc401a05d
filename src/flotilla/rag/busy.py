"""Whether this process is answering somebody: what nobody waits for then stands back."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

_changed = Condition()
_at_work = 0


@contextmanager
def at_work() -> Iterator[None]:
    """Somebody waits for what is done in this context."""
    global _at_work
    with _changed:
        _at_work += 1
    try:
        yield
    finally:
        with _changed:
            _at_work -= 1
            _changed.notify_all()


def stand_back(seconds: float) -> None:
    """Wait until nobody is being answered, for so long at most."""
    deadline = time.monotonic() + seconds
    with _changed:
        while _at_work and (left := deadline - time.monotonic()) > 0:
            _changed.wait(left)
