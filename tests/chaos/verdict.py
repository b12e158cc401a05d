"""One line of the kill matrix, and what makes it a clean one."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

LONGEST_LEASE = 20.0
"""Seconds until a killed worker's work is free again: a lease of 12, and a wake of the reaper."""

LONGEST_RECOVERY = 30.0
"""Seconds until somebody works on it again, its time in a queue that moves not counted: what is
promised."""


@dataclass
class Verdict:
    """One line of the kill matrix; each entry of a list is one case and its evidence."""

    row: str
    seed: int
    submitted: int = 0
    completed: int = 0
    failed: int = 0
    unexpected: list[str] = field(default_factory=list)
    """Good documents that failed."""
    lost: list[str] = field(default_factory=list)
    duplicated: int = 0
    duplicates: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """Other promises that were not kept: a recovery that took too long, remains of what was
    deleted, a batch with false counts; and a row that did not do what it is for."""
    questions: int = 0
    judged: int = 0
    """Questions of which it was known that they have to be answered, and by what."""
    unanswered: list[str] = field(default_factory=list)
    """Questions that were not answered, or not from the one version of their document."""
    recovery: float = 0.0
    """The longest time until somebody worked on it again, behind whatever else was queued."""
    stalled: float = 0.0
    """The same without the time in which its fleet did other work."""
    stalled_at: str = ""
    lease: float = 0.0
    """Of the recoveries, the longest time until the victim's lease was found to have run out."""
    latest: str = ""
    slowest: str = ""
    victims: int = 0
    seconds: float = 0.0
    disturbances: Counter[str] = field(default_factory=Counter)
    idle: Counter[str] = field(default_factory=Counter)
    """Of the disturbances, those that met no open work: they prove nothing."""
    attempts: Mapping[str, int] = field(default_factory=dict)
    """Attempts that failed, by stage and code, those of bad documents included."""
    skipped: str | None = None

    @property
    def clean(self) -> bool:
        """Whether the row was run, and every promise was kept in it."""
        return self.skipped is None and not (
            self.lost or self.duplicated or self.unexpected or self.unanswered or self.broken
        )

    def weigh(self, allowance: float = 1.0) -> None:
        """Judge what can be told at a row's end: whether anything was disturbed, and for how long.

        Args:
            allowance: how many times as long a recovery may take, where the machine is busy with
                other things.
        """
        if not self.disturbances - self.idle:
            self.broken.append("nothing was done to a stack at work: the row proves nothing")
        for what, which, seconds, most in (
            ("freed", self.latest, self.lease, LONGEST_LEASE * allowance),
            ("taken up again", self.stalled_at, self.stalled, LONGEST_RECOVERY * allowance),
        ):
            if seconds > most:
                self.broken.append(
                    f"{what} only after {seconds:.1f} s, of which {most:g} are allowed: {which}"
                )
