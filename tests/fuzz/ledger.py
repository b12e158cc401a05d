"""What the ledger says of a stack's work: whether it moves, and which processes died over it."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.chaos.ledger import LedgerView

LOST = ("crashed", "worker_lost", "out_of_memory", "time_limit")
"""Codes of attempts that ended with the process that made them."""


class Ledger:
    """A stack's ledger, read from outside.

    Args:
        data: the folder.
        database: its address, where the ledger is not in the folder.
    """

    def __init__(self, data: Path, database: str | None = None) -> None:
        self._view = LedgerView(database or f"sqlite:///{data / 'ledger.sqlite'}")

    def fingerprint(self) -> tuple[object, ...]:
        """Differs from the last as soon as any job or any step of one has changed."""
        states = self._view.rows("SELECT status, COUNT(*) FROM jobs GROUP BY status ORDER BY 1")
        jobs = self._view.rows("SELECT SUM(attempt), SUM(progress_done) FROM jobs")
        steps = self._view.rows(
            "SELECT state, COUNT(*), SUM(attempts), SUM(fence), SUM(units) FROM steps "
            "GROUP BY state ORDER BY 1"
        )
        return tuple(tuple(row) for rows in (states, jobs, steps) for row in rows)

    def lost_processes(self) -> "LostProcesses":
        """The attempts that ended with their process, by the end of their job."""
        rows = self._view.rows(
            "SELECT f.code, f.stage, f.job_id, j.error_code FROM failures f "
            "JOIN jobs j ON j.id = f.job_id ORDER BY f.id"
        )
        lost = LostProcesses()
        for code, stage, job_id, end in rows:
            if code not in LOST:
                continue
            lost.codes[code] += 1
            if end == "quarantined":
                lost.quarantined += 1
            else:
                lost.beyond.append(f"{code} at {stage} of task {job_id}, which ended as {end}")
        return lost


class LostProcesses:
    """Processes that died over their work.

    `codes` counts all of them, `quarantined` those that led to a quarantine, and `beyond` names
    the others: nothing but a quarantine excuses a death.
    """

    def __init__(self) -> None:
        self.codes: Counter[str] = Counter()
        self.quarantined = 0
        self.beyond: list[str] = []

    def __str__(self) -> str:
        if not self.codes:
            return "0"
        by = ", ".join(f"`{code}` {count}" for code, count in self.codes.most_common())
        return f"{self.codes.total()} ({by}), {self.quarantined} of them for a quarantine"


class Standstill:
    """For how long something has been what it is.

    Args:
        look: gives something that differs when anything has moved.
        clock: seconds.
    """

    def __init__(
        self, look: Callable[[], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._look, self._clock = look, clock
        self._last, self._since = look(), clock()

    def seconds(self) -> float:
        """Since when nothing has moved; looks once."""
        now = self._look()
        if now != self._last:
            self._last, self._since = now, self._clock()
        return self._clock() - self._since
