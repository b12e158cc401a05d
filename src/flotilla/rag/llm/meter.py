"""What a run's calls of models took, and the budget that they share."""

import threading
import time
from collections.abc import Callable

from flotilla.errors import BudgetSpent
from flotilla.models import ModelCall, Usage


class Meter:
    """Counts the model calls of one run and holds them to its budget; safe between threads.

    Args:
        seconds: what the run may take, counted from here.
        tokens: what its calls may take, prompts and completions together.
        clock: gives seconds that only rise.
    """

    def __init__(
        self, *, seconds: float, tokens: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.calls: list[ModelCall] = []
        self.fallback_used: str | None = None
        self._clock = clock
        self._ends = clock() + seconds
        self._tokens, self._tokens_left = tokens, tokens
        self._lock = threading.Lock()

    def now(self) -> float:
        """The clock's time in seconds."""
        return self._clock()

    def record(self, call: ModelCall, *, stands_in: bool = False) -> None:
        """Count a call, whether it was replied to or not.

        `stands_in` says that the model is not the role's first.
        """
        with self._lock:
            self.calls.append(call)
            self._tokens_left -= call.prompt_tokens + call.completion_tokens
            if stands_in:
                self.fallback_used = call.model

    def pass_seconds(self, seconds: float) -> None:
        """Count time that the run took before its worker was lost."""
        with self._lock:
            self._ends -= seconds

    def spend(self, tokens: int) -> None:
        """Count tokens of requests that no call is recorded for."""
        with self._lock:
            self._tokens_left -= tokens

    def usage(self) -> Usage:
        """What all calls took together; its cost is None where the price of any is not known, and
        0 where there was none."""
        with self._lock:
            calls = tuple(self.calls)
        costs = [call.cost for call in calls]
        known = [cost for cost in costs if cost is not None]
        return Usage(
            calls=len(calls),
            prompt_tokens=sum(call.prompt_tokens for call in calls),
            completion_tokens=sum(call.completion_tokens for call in calls),
            cost=sum(known) if len(known) == len(costs) else None,
        )

    def remaining_seconds(self) -> float:
        """Seconds that are left, at least 0."""
        return max(0.0, self._ends - self._clock())

    def overspent(self) -> str | None:
        """A sentence on the tokens where they are more than the budget, None where they are not:
        the call in which it is passed is not cut short."""
        with self._lock:
            left = self._tokens_left
        if left >= 0:
            return None
        return (
            f"The answer took {self._tokens - left:,} tokens, more than its budget of "
            f"{self._tokens:,}: the call that passed it was finished."
        )

    def check(self) -> None:
        """Return where something of the budget is left.

        Raises:
            BudgetSpent: the time or the tokens are used up.
        """
        if self.remaining_seconds() <= 0:
            raise time_spent()
        with self._lock:
            spent = self._tokens_left <= 0
        if spent:
            raise BudgetSpent(
                "The tokens that an answer may take are used up: ask for less, or raise the "
                "budget.",
                which="tokens",
            )


def time_spent() -> BudgetSpent:
    """The error for a run whose time is over."""
    return BudgetSpent(
        "The time that an answer may take is over: ask for less, or raise the budget.",
        which="time",
    )
