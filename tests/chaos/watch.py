"""Watches the ledger while things are killed, and measures how long each recovery took.

Two clocks, of which the longer one counts:

- from a kill until each step that the victim had claimed is claimed anew or over (the same for a
  question, which holds its lease on its job);
- the longest time in which nothing at all changed in the ledger though there was open work.

What is halted on purpose is not charged: within an outage neither clock runs. `longest` has what
is left, and `stalled` what is left of that without the time in which work that was free again
waited in a queue behind other work that its fleet began meanwhile: waiting is no recovery.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from tests.chaos.ledger import JobState, LedgerView, StepState

LOOK = 0.2  # seconds between two looks


@dataclass
class Victim:
    """Claimed work whose worker was killed."""

    what: str
    fleet: str
    before: tuple[object, ...]
    since: float
    freed: float | None = None
    """When its lease was found to have run out; from then on it waits in a queue like others."""
    passed: float = 0.0
    """When its fleet was last seen to do something else since then."""

    def stalled(self, moment: float) -> float:
        """Seconds until now in which nothing was done that it would have to wait for."""
        if self.freed is None:
            return moment - self.since
        return self.freed - self.since + moment - max(self.freed, self.passed)


@dataclass(frozen=True)
class Look:
    """The ledger at one moment."""

    jobs: dict[str, JobState]
    steps: dict[tuple[str, str, int], StepState]

    @property
    def open(self) -> int:
        """Jobs that are not over."""
        return sum(not job.final for job in self.jobs.values())

    def fleets(self) -> dict[str, tuple[object, ...]]:
        """What differs as soon as a fleet has begun or ended anything."""
        found: dict[str, list[object]] = {}
        for step in self.steps.values():
            fleet = step.stage.partition(".")[0]
            found.setdefault(fleet, []).append((step.key, step.state, step.attempts))
        for job in self.jobs.values():
            fleet = job.stage.partition(".")[0]
            found.setdefault(fleet, []).append((job.id, job.status, job.owner, job.attempt))
        return {fleet: tuple(states) for fleet, states in found.items()}

    @property
    def open_ingestions(self) -> int:
        """Documents that are not over."""
        return sum(not job.final for job in self.jobs.values() if job.kind == "ingest")


class Watch:
    """A thread that looks at one collection's jobs.

    Args:
        ledger: where to look.
        collection: whose jobs.
    """

    def __init__(self, ledger: LedgerView, collection: str) -> None:
        self._ledger = ledger
        self._collection = collection
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._victims: dict[tuple[object, ...], Victim] = {}
        self._began: float | None = None
        self._changed = time.monotonic()
        self._last: object = None
        self._outage = False
        self.look = Look({}, {})
        self._fleets: dict[str, tuple[object, ...]] = {}
        self.longest = 0.0
        self.slowest = ""
        self.stalled = 0.0
        self.stalled_at = ""
        self.longest_lease = 0.0
        self.latest = ""
        self.victims = 0

    @contextmanager
    def watching(self) -> Iterator["Watch"]:
        """Look until the block's end."""
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join(timeout=30)

    # --- what the rows tell ----------------------------------------------------------------

    def begin(self) -> None:
        """The first disturbance: from now on a standstill counts."""
        with self._lock:
            if self._began is None:
                self._began = self._changed = time.monotonic()

    def killed(self, *names: str) -> int:
        """Note the work that workers of these names have claimed; returns how much it is.

        To be called when they are dead: what they finished before is not theirs any more.
        """
        self.begin()
        try:
            look = self._read()
        except SQLAlchemyError:
            look = self.look
        found: dict[tuple[object, ...], tuple[str, str]] = {}
        for step in look.steps.values():
            if step.state == "running" and _belongs(step.owner, names):
                what = f"{step.stage} part {step.part} of {step.job_id}"
                found["step", *step.key] = what, step.stage
        for job in look.jobs.values():
            if not job.final and _belongs(job.owner, names):
                found["job", job.id] = f"{job.stage} of {job.id}", job.stage
        with self._lock:
            for key, (what, stage) in found.items():
                if key not in self._victims:
                    fleet, before = stage.partition(".")[0], _claim(look, key)
                    self._victims[key] = Victim(what, fleet, before, time.monotonic())
            self.victims += len(found)
        return len(found)

    @contextmanager
    def outage(self) -> Iterator[None]:
        """A time in which nothing can go on; the clocks start at its end."""
        self.begin()
        with self._lock:
            self._outage = True
        try:
            yield
        finally:
            with self._lock:
                self._outage = False
                self._changed = time.monotonic()
                for victim in self._victims.values():
                    victim.since = max(victim.since, self._changed)

    # --- what it sees ----------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.wait(LOOK):
            try:
                look = self._read()
            except SQLAlchemyError:
                continue
            self.look = look
            with self._lock:
                self._compare(look)

    def _read(self) -> Look:
        jobs = {job.id: job for job in self._ledger.jobs(self._collection)}
        steps = {step.key: step for step in self._ledger.steps(self._collection)}
        return Look(jobs, steps)

    def _compare(self, look: Look) -> None:
        moment = time.monotonic()
        before, self._fleets = self._fleets, look.fleets()
        for key, victim in list(self._victims.items()):
            if _goes_on(look, key, victim.before):
                del self._victims[key]
                freed = victim.freed or moment
                self._note(
                    moment - victim.since,
                    victim.stalled(moment),
                    f"{victim.what}, freed after {max(0.0, freed - victim.since):.1f} s",
                )
                if freed - victim.since > self.longest_lease:
                    self.longest_lease, self.latest = freed - victim.since, victim.what
            elif victim.freed is None and _is_free(look, key, victim.before):
                victim.freed = moment
            elif self._fleets.get(victim.fleet) != before.get(victim.fleet):
                victim.passed = moment
        signature = (
            tuple((j.id, j.status, j.stage, j.attempt, j.progress) for j in look.jobs.values()),
            tuple((s.key, s.state, s.attempts) for s in look.steps.values()),
        )
        if signature != self._last or not look.open:
            if self._began is not None and not self._outage:
                still = moment - self._changed
                self._note(still, still, "a standstill of everything")
            self._last, self._changed = signature, moment

    def _note(self, seconds: float, stalled: float, what: str) -> None:
        if self._began is None or self._outage:
            return
        if stalled > self.stalled:
            self.stalled, self.stalled_at = stalled, what
        if seconds > self.longest:
            self.longest, self.slowest = seconds, what

    def refresh(self) -> None:
        """Look at once, so that what was just submitted is seen."""
        with suppress(SQLAlchemyError):
            self.look = self._read()

    def unrecovered(self) -> list[str]:
        """What was never taken up again."""
        with self._lock:
            return [victim.what for victim in self._victims.values()]

    def settled(self, patience: float, longest: float) -> bool:
        """Wait until every job is over; False when nothing has changed for `patience` seconds.

        As long as anything moves, a slow machine is not taken for a standstill; `longest` seconds
        are the end in any case.
        """
        deadline = time.monotonic() + longest
        seen, since = self._last, time.monotonic()
        while self.look.open:
            if self._last != seen:
                seen, since = self._last, time.monotonic()
            if time.monotonic() > min(deadline, since + patience):
                return False
            time.sleep(LOOK)
        return True


def _belongs(owner: str | None, names: tuple[str, ...]) -> bool:
    return owner is not None and any(f"{name}@" in owner for name in names)


def _claim(look: Look, key: tuple[object, ...]) -> tuple[object, ...]:
    kind, *rest = key
    if kind == "job":
        job = look.jobs[str(rest[0])]
        return job.owner, job.attempt, job.stage
    step = look.steps[tuple(rest)]  # type: ignore[index]
    return step.attempts, step.owner


def _is_free(look: Look, key: tuple[object, ...], before: tuple[object, ...]) -> bool:
    """Whether nobody holds it any more, though nobody has taken it up yet either."""
    kind, *rest = key
    if kind == "job":
        return look.jobs[str(rest[0])].owner is None
    step = look.steps.get(tuple(rest))  # type: ignore[arg-type]
    return step is not None and (step.state != "running" or _claim(look, key) != before)


def _goes_on(look: Look, key: tuple[object, ...], before: tuple[object, ...]) -> bool:
    kind, *rest = key
    job = look.jobs.get(str(rest[0]))
    if job is None or job.final:
        return True
    if kind == "job":
        return job.owner is not None and _claim(look, key) != before
    step = look.steps.get(tuple(rest))  # type: ignore[arg-type]
    return (
        step is None
        or step.state == "done"
        or (step.state == "running" and _claim(look, key) != before)
    )
