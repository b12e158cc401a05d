"""When parts of the stack were out of order, so that a request may have been refused."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

AFTERMATH = 30.0
"""Seconds behind a disturbance in which a request may still fail by it: until what was killed is up
again, and all have found their way back to it."""


HALTED = "the stack"
"""What is out of order in an outage."""


@dataclass
class Trouble:
    """A program was away, or the whole stack halted; `ended` is None as long as it is."""

    what: str
    began: float
    ended: float | None


@dataclass
class Troubles:
    """All of them, in the order of their beginnings; times are of the monotonic clock."""

    noted: list[Trouble] = field(default_factory=list)

    def note(self, *names: str) -> None:
        """Programs of these names were ended just now."""
        moment = time.monotonic()
        self.noted += [Trouble(name, moment, moment) for name in names]

    @contextmanager
    def lasting(self, what: str) -> Iterator[None]:
        """It is so until the block's end."""
        trouble = Trouble(what, time.monotonic(), None)
        self.noted.append(trouble)
        try:
            yield
        finally:
            trouble.ended = time.monotonic()

    def excuse(self, began: float, ended: float, *whats: str) -> bool:
        """Whether one of these was out of order while a request was under way."""
        return any(
            trouble.began <= ended and (trouble.ended is None or began <= trouble.ended + AFTERMATH)
            for trouble in list(self.noted)
            if trouble.what in whats
        )
