"""Watches the ledger while things are killed, and measures how long each recovery took.

Three clocks, of which the longest one counts:

- from a disturbance until each piece of work that it hit is with somebody again or over: what a
  killed worker had claimed, what lost its claim, and what had to be sent again;
- the longest time for which any open work lay idle, though nothing was before it in its queue;
- the longest time in which nothing at all changed in the ledger though there was open work.
  Questions are left out of it: they come and go however the rest fares.

What is halted on purpose is not charged: within an outage no clock runs. Neither is the rest until
the next attempt, nor (in `stalled`; `longest` has it) the time behind other work in a queue.
"""

import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from sqlalchemy.exc import SQLAlchemyError

from tests.chaos.ledger import LedgerView
from tests.chaos.looks import Look
from tests.chaos.recoveries import Courses
from tests.chaos.troubles import HALTED, Troubles
from tests.chaos.verdict import Verdict

LOOK = 0.2  # seconds between two looks


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
        self._courses = Courses()
        self._began = False
        self._changed = time.monotonic()
        self._last: object = None
        self._outages = 0
        self._still = 0.0
        self.look = Look({}, {}, 0.0)
        self.troubles = Troubles()
        self.broken: list[str] = []
        """What went wrong with the watch itself."""

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

    def begin(self, *names: str) -> None:
        """Something is done to the stack, or to programs of these names; from the first time on
        a standstill counts."""
        with self._lock:
            moment = time.monotonic()
            if not self._began:
                self._began, self._changed = True, moment
            self._courses.strike(moment, names)
            self.troubles.note(*names)

    def begin_anew(self) -> None:
        """Every worker is hit at once: until now nothing could be taken up, and no clock runs."""
        self.begin()
        with self._lock:
            self._changed = time.monotonic()
            self._courses.excuse(self._changed)

    def killed(self, *names: str) -> int:
        """Note the work that workers of these names have claimed; returns how much it is.

        To be called when they are dead: what they finished before is not theirs any more.
        """
        return self._killed(names, lambda owner: owner.startswith(tuple(f"{n}@" for n in names)))

    def killed_process(self, name: str, pid: int) -> int:
        """The same of one process of a worker's pool."""
        return self._killed(
            [name], lambda owner: owner.startswith(f"{name}@") and owner.endswith(f":{pid}")
        )

    def _killed(self, names: Sequence[str], is_dead: Callable[[str], bool]) -> int:
        self.begin(*names)
        self.refresh()
        with self._lock:
            return self._courses.kill(time.monotonic(), is_dead)

    @contextmanager
    def outage(self) -> Iterator[None]:
        """A time in which nothing can go on; the clocks start at its end."""
        self.begin()
        with self._lock:
            self._outages += 1
        try:
            with self.troubles.lasting(HALTED):
                yield
        finally:
            with self._lock:
                self._outages -= 1
                self._changed = time.monotonic()
                self._courses.strike(self._changed)
                self._courses.excuse(self._changed)

    # --- what it sees ----------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.wait(LOOK):
            try:
                look = self._read()
                with self._lock:
                    self._compare(look)
            except SQLAlchemyError:
                continue
            except Exception as error:  # noqa: BLE001 - a blind watch would find nothing wrong
                self.broken.append(f"the watch: {error!r}: {traceback.format_exc(limit=-2)}")
                return

    def _read(self) -> Look:
        moment = time.time()
        jobs = {job.id: job for job in self._ledger.jobs(self._collection)}
        steps = {step.key: step for step in self._ledger.steps(self._collection)}
        return Look(jobs, steps, moment)

    def _compare(self, look: Look) -> None:
        if look.moment < self.look.moment:
            return  # another thread has looked meanwhile
        self.look, moment = look, time.monotonic()
        self._courses.follow(look, moment, halted=self._outages > 0)
        if look.signature != self._last or not look.stands or self._outages:
            if self._began and not self._outages:
                self._still = max(self._still, moment - self._changed)
            self._last, self._changed = look.signature, moment

    def refresh(self) -> None:
        """Look at once, so that what was just submitted is seen."""
        with suppress(SQLAlchemyError):
            look = self._read()
            with self._lock:
                self._compare(look)

    def settled(self, patience: float, longest: float) -> bool:
        """Wait until every job is over; False when nothing has changed for `patience` seconds.

        As long as anything moves, a slow machine is not taken for a standstill; `longest` seconds
        are the end in any case.
        """
        deadline = time.monotonic() + longest
        seen, since = self._state(), time.monotonic()
        while self.look.open:
            if (now := self._state()) != seen:
                seen, since = now, time.monotonic()
            if time.monotonic() > min(deadline, since + patience):
                return False
            time.sleep(LOOK)
        return True

    def _state(self) -> object:
        return self._last, self.look.open

    # --- what it has measured --------------------------------------------------------------

    def judge(self, verdict: Verdict) -> None:
        """Fill in what was disturbed, how long it took, and what nobody has taken up again."""
        with self._lock:
            recovered, unrecovered = list(self._courses.recovered), self._courses.unrecovered
        verdict.broken += self.broken
        verdict.lost += [f"never taken up again: {what}" for what in unrecovered]
        verdict.disturbed = len(recovered) + len(unrecovered)
        killed = [(each.freed, each.what) for each in recovered if each.freed is not None]
        verdict.victims = len(killed)
        verdict.lease, verdict.latest = max(killed, default=(0.0, ""))
        verdict.recovery, verdict.slowest = max(
            ((each.seconds, each.what) for each in recovered), default=(0.0, "")
        )
        verdict.stalled, verdict.stalled_at = max(
            *((each.stalled, f"the recovery of {each.what}") for each in recovered),
            (self._courses.idle, f"{self._courses.idle_at}, which lay idle"),
            (self._still, "a standstill of everything"),
        )
