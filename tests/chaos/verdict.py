"""One line of the kill matrix, and what makes it a clean one."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

LONGEST_LEASE = 20.0
"""Seconds until a killed worker's work is free again: a lease of 12, and a wake of the reaper."""

LONGEST_RECOVERY = 30.0
"""Seconds until somebody works on it again, its rests until a next attempt and its time behind work
that was before it in a queue not counted: what is promised."""

AT_WORK = " at work"
"""Ends a disturbance's name where it hit work that was under way."""


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
    """Questions that were asked, of which so many were answered, and so many refused with a reason:
    what is left is wrong."""
    answered: int = 0
    refused: int = 0
    judged: int = 0
    """Questions of which it was known that they have to be answered, and by what."""
    unanswered: list[str] = field(default_factory=list)
    """Questions that were not answered, or not from the one version of their document."""
    recovery: float = 0.0
    """The longest time until somebody had disturbed work again, its rests and its time behind other
    work in a queue counted."""
    stalled: float = 0.0
    """The longest time for which anything stood still: a recovery without these, open work that lay
    idle, or everything."""
    stalled_at: str = ""
    lease: float = 0.0
    """Of the recoveries, the longest time until the victim's lease was found to have run out."""
    latest: str = ""
    slowest: str = ""
    victims: int = 0
    """Pieces of work whose worker was killed."""
    disturbed: int = 0
    """These, and others that lost their claim or their message."""
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

    def weigh(self, felt: "Felt", allowance: float = 1.0) -> None:
        """Judge what can be told at a row's end: whether anything was disturbed, and for how long.

        Args:
            felt: says why the stack cannot have felt what the row is for.
            allowance: how many times as long a recovery may take, where the machine is busy with
                other things.
        """
        if not self.disturbances - self.idle:
            self.broken.append("nothing was done to a stack at work: the row proves nothing")
        if (unfelt := felt(self)) is not None:
            self.broken.append(f"{unfelt}: the row proves nothing")
        for what, which, seconds, most in (
            ("freed", self.latest, self.lease, LONGEST_LEASE * allowance),
            ("in motion again", self.stalled_at, self.stalled, LONGEST_RECOVERY * allowance),
        ):
            if seconds > most:
                self.broken.append(
                    f"{what} only after {seconds:.1f} s, of which {most:g} are allowed: {which}"
                )


Felt = Callable[[Verdict], str | None]
"""Says by a verdict why the stack cannot have felt what was done to it, or None."""


def anything(_: Verdict) -> str | None:
    """For a row that makes sure by itself that what it does is felt."""
    return None


def hit_work(verdict: Verdict) -> str | None:
    """Something was done while work was under way that it concerns."""
    hit = any(what.endswith(AT_WORK) for what in verdict.disturbances - verdict.idle)
    return None if hit else "no work was under way that it could have hit"


def killed_at_work(verdict: Verdict) -> str | None:
    """Workers were killed with work that they had claimed, and others had to take it up."""
    return None if verdict.victims else "no worker was killed that had any work"


def lost_work(verdict: Verdict) -> str | None:
    """Work lost its claim or its message, and had to be taken up again."""
    return None if verdict.disturbed else "no work lost its worker or its message"


def failed_attempts(*fleets: str) -> Felt:
    """Attempts of these fleets failed since something was out of their reach."""

    def felt(verdict: Verdict) -> str | None:
        for attempt in verdict.attempts:
            stage, _, code = attempt.partition(" ")
            if code == "dependency_unavailable" and stage.partition(".")[0] in fleets:
                return None
        return f"no attempt of {' or '.join(fleets)} failed by it"

    return felt
