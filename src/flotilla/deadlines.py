"""The deadline of a request, and work that is left alone when its deadline has passed.

A client's timeout counts from byte to byte, so that one byte a second holds a thread for ever.
The connections of `bounded_network` ask here how long they may wait; clients of other providers,
whose network is not ours, are waited for in a thread of their own.
"""

import contextvars
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

_current: contextvars.ContextVar["Deadline | None"] = contextvars.ContextVar(
    "model_deadline", default=None
)


class Deadline:
    """The end of one request; `heard` also bounds the silence from one piece to the next.

    Args:
        seconds: what the request may take, from now.
        silence: what may pass between two pieces of a stream.
    """

    def __init__(self, seconds: float, silence: float = float("inf")) -> None:
        self._ends = time.monotonic() + seconds
        self._silence = silence
        self._silent_until = float("inf")

    def heard(self) -> None:
        """A piece of the reply has come."""
        self._silent_until = time.monotonic() + self._silence

    @property
    def steady(self) -> bool:
        """Whether pieces of the reply came until now, with no more than the silence between."""
        return time.monotonic() < self._silent_until < float("inf")

    def left(self) -> float:
        """Seconds until something has to have come; 0 or less when it is too late."""
        return min(self._ends, self._silent_until) - time.monotonic()

    @contextmanager
    def active(self) -> Iterator[None]:
        """Bound what this context does on the network."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


def current() -> Deadline | None:
    """The deadline that is active in this context."""
    return _current.get()


def wait_for(work: Callable[[], T], deadline: Deadline) -> T:
    """The result of work that is done in a thread of its own, and left to it at the deadline.

    Raises:
        TimeoutError: the deadline has passed.
    """
    return next(pieces(lambda: iter([work()]), deadline))


def pieces(work: Callable[[], Iterator[T]], deadline: Deadline) -> Iterator[T]:
    """What a generator yields in a thread of its own, which is left alone at the deadline.

    Raises:
        TimeoutError: the deadline has passed.
    """
    found: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    over = threading.Event()

    def pump() -> None:
        try:
            iterator = work()
            for piece in iterator:
                found.put(("piece", piece))
                if over.is_set():
                    close = getattr(iterator, "close", None)
                    if close is not None:
                        close()
                    return
            found.put(("end", None))
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            found.put(("error", error))

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(pump,), daemon=True, name="model-call").start()
    try:
        while True:
            try:
                kind, value = found.get(timeout=max(0.0, deadline.left()))
            except queue.Empty:
                raise TimeoutError from None
            if kind == "end":
                return
            if kind == "error":
                raise value
            yield value
    finally:
        over.set()
