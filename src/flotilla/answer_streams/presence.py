"""Whether anybody reads a run's stream: gateways keep a key, the run's worker looks at it.

The key lasts for the grace period and REFRESH_SLACK after a gateway has last set it, so that how
long it still lasts says when that was.
"""

import time
from collections.abc import Callable

REFRESH_SLACK = 5.0  # seconds
SLOWEST_REFRESH = 3.0  # seconds between two times that a gateway sets the key
SLOWEST_LOOK = 2.0  # seconds between two looks of a worker


def lifetime(grace: float) -> int:
    """Milliseconds for which the key lasts."""
    return int((grace + REFRESH_SLACK) * 1000)


def refresh_every(grace: float) -> float:
    """Seconds between two times that a gateway sets the key."""
    return min(SLOWEST_REFRESH, grace / 3)


def look_every(grace: float) -> float:
    """Seconds between two looks of a worker."""
    return min(SLOWEST_LOOK, grace / 4)


class Interest:
    """How long nobody has been reading a run's stream, as far as its worker can tell.

    The period is measured from the worker's own beginning on, over looks that Redis answered: a key
    that was lost, a Redis that is away and a worker that was halted count as nothing.

    Args:
        grace: seconds for which nobody may be reading.
        clock: seconds that only rise.
    """

    def __init__(self, grace: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._grace = grace
        self._clock = clock
        self._begun = self._looked_at = clock()
        self._absent = 0.0

    @property
    def wanted(self) -> bool:
        """False once nobody has been reading for the whole period."""
        return self._absent < self._grace

    @property
    def due_at(self) -> float:
        """When to look again, on the clock."""
        return self._looked_at + look_every(self._grace)

    def look(self, lasts: int) -> None:
        """Take a look into account.

        Args:
            lasts: milliseconds that the key still lasts; negative where there is none.
        """
        moment = self._clock()
        # A worker that was halted has looked at nothing meanwhile.
        passed = min(moment - self._looked_at, 2 * look_every(self._grace))
        self._looked_at = moment
        if lasts >= 0:
            age = (lifetime(self._grace) - lasts) / 1000
            self._absent = max(0.0, min(age, moment - self._begun, self._absent + passed))
        else:
            self._absent += passed

    def unknown(self) -> None:
        """Redis did not answer: whoever reads could not say so either, and has the whole period to
        do it again."""
        self._looked_at = self._begun = self._clock()
        self._absent = 0.0

    def give_up(self) -> None:
        """Nobody has been reading since before the run began."""
        self._absent = self._grace
