"""A clock for tests that goes on only when it is told to."""

import time


class StandingClock:
    """Takes the place of the ledger's clock in this process."""

    def __init__(self) -> None:
        self.moment = time.time()

    def now(self) -> float:
        return self.moment

    def known(self) -> bool:
        return True

    def skew(self) -> float:
        return 0.0

    def advance(self, seconds: float) -> None:
        self.moment += seconds
