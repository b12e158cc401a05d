"""Ctrl-C that comes only where it can do no harm."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")

LOOK_SECONDS = 0.2
"""A wait without an end would not hear of a Ctrl-C that came just before it began."""


def in_thread(work: Callable[[], T]) -> T:
    """Do the work in a thread of its own, and wait for it in this one.

    Python raises KeyboardInterrupt between any two steps of the main thread. Between those in which
    an HTTP client takes the lock of its connections and enters the block that gives it back, the
    lock stays taken, and all others wait for it for ever. Other threads are never interrupted.

    Raises:
        KeyboardInterrupt: by Ctrl-C, while the work goes on; who calls tells it to stop.
    """
    thread = ThreadPoolExecutor(1)
    try:
        running = thread.submit(work)
        while not wait([running], LOOK_SECONDS).done:
            pass
        return running.result()
    finally:
        thread.shutdown(wait=False)
