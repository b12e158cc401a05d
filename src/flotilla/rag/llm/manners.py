"""The manners of asking for an object that a model's server is known to lack."""

import re
import time
from collections.abc import Callable
from threading import Lock

AGAIN_AFTER = 600.0
"""Seconds after which the strictest manner is tried again: a server may have learnt it."""

DOUBTFUL = 2
"""Calls in a row after which a manner is taken for unknown though no error has said so."""

_OPTION = re.compile(
    r"response_?format|json_?schema|json_?object|json_?mode|structured|\bstrict\b|\btool|\bfunction|"
    r"\bschema\b|\bgrammar\b|guided_json",
    re.IGNORECASE,
)
_LONGEST = 5_000  # characters of an error that are looked at


class Manners:
    """Which manner each model is asked in, by its key, shared by the calls of a process.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._known: dict[str, tuple[int, float]] = {}
        self._doubtful: dict[str, int] = {}

    def first(self, key: str) -> int:
        """How many manners a model's server is known to lack: the number of the first to try."""
        with self._lock:
            number, until = self._known.get(key, (0, 0.0))
            if number and self._clock() >= until:
                del self._known[key]
                return 0
            return number

    def worked(self, key: str, number: int, *, certain: bool) -> None:
        """A manner has brought a reply. Those before it are left out from now on where the errors
        were `certain` that the server does not know them, or where it was so several times."""
        with self._lock:
            known, _ = self._known.get(key, (0, 0.0))
            if number <= known:
                self._doubtful.pop(key, None)
                return
            if not certain:
                self._doubtful[key] = self._doubtful.get(key, 0) + 1
                if self._doubtful[key] < DOUBTFUL:
                    return
            self._doubtful.pop(key, None)
            self._known[key] = (number, self._clock() + AGAIN_AFTER)


def is_certain(error: Exception, status: int | None) -> bool:
    """Whether a refusal says that an option is not supported, and not only that a request is bad.

    Its text is looked at for the names of options, and goes nowhere from here.
    """
    if status in (415, 501) or isinstance(error, NotImplementedError):
        return True
    if status is None:  # of LangChain, before anything was sent
        return True
    told = (getattr(error, "param", None), getattr(error, "body", None), error)
    return any(_OPTION.search(str(each)[:_LONGEST]) for each in told if each is not None)
