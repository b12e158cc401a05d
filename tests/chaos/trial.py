"""One row under way: what a row may do to the stack, and when."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from sqlalchemy.exc import SQLAlchemyError

from tests.chaos.postgresql import PostgreSQL
from tests.chaos.stack import Stack, wait_for
from tests.chaos.submission import Submission
from tests.chaos.verdict import AT_WORK, Felt, anything
from tests.chaos.watch import Watch

LONGEST_DISTURBANCE = 60.0
"""Seconds for which a row disturbs, as long as there is work."""

RESTART_SECONDS = 60.0


class Trial:
    """A stack with documents on their way, to be disturbed.

    Args:
        stack: the victim.
        submission: what hands documents in.
        watch: what notes how long recoveries take.
        collection: where the documents go.
        dice: decides whom and when.
        say: takes one line about what was done.
        server: the database server that the row has put around the stack.
        longest: seconds after which the row leaves the stack in peace.
    """

    def __init__(
        self,
        stack: Stack,
        submission: Submission,
        watch: Watch,
        collection: str,
        dice: random.Random,
        say: Callable[[str], None],
        server: PostgreSQL | None = None,
        longest: float = LONGEST_DISTURBANCE,
    ) -> None:
        self.stack = stack
        self.server = server
        self.submission = submission
        self.watch = watch
        self.collection = collection
        self.dice = dice
        self.done: Counter[str] = Counter()
        self.idle: Counter[str] = Counter()
        """Of what was done, what met a stack without open work, and so proves nothing."""
        self._say = say
        self._ends = time.monotonic() + longest

    def note(self, what: str, times: int = 1, *, aloud: bool = True) -> None:
        """Count a disturbance, when it happens."""
        self.done[what] += times
        if self.submission.over and not self.watch.look.work:
            self.idle[what] += times
        if aloud:
            self._say(what)

    # --- when ------------------------------------------------------------------------------

    def has_work(self) -> bool:
        """Whether there is work left to disturb."""
        return not self.submission.over or self.watch.look.open_ingestions > 0

    def goes_on(self) -> bool:
        """Whether there is work left to disturb, and time."""
        return self.has_work() and time.monotonic() < self._ends

    def rest(self, shortest: float, longest: float) -> None:
        """Let a random time pass, or the work end."""
        until = time.monotonic() + self.dice.uniform(shortest, longest)
        while self.goes_on() and time.monotonic() < until:
            time.sleep(0.05)

    def until_share(self, least: float, most: float) -> None:
        """Wait until a random share of the documents is over."""
        share = self.dice.uniform(least, most) * len(self.submission.submitted)
        while self.goes_on():
            jobs = self.watch.look.jobs.values()
            if sum(job.final for job in jobs if job.kind == "ingest") >= share:
                return
            time.sleep(0.05)

    def await_claim(self, stages: tuple[str, ...], patience: float = 4.0) -> str | None:
        """The worker that just now works on such a stage; None when there is none for a while, also
        where the time to disturb has run out before."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            found = {owner.partition("@")[0] for owner in self.owners(stages)}
            if names := sorted(found & set(self.names())):
                return self.dice.choice(names)
            time.sleep(0.01)
        return None

    def owners(self, stages: tuple[str, ...]) -> set[str]:
        """The processes that work on such stages now, as they name themselves in the ledger.

        What the dead have claimed is theirs until their leases run out: they are left out.
        """
        ledger = self.stack.ledger
        try:
            steps = ledger.running(self.collection, stages)
            replies = ledger.answering(self.collection) if "rag." in stages else []
        except SQLAlchemyError:
            return set()
        claimed = {step.owner for step in steps if step.owner} | set(replies)
        return {owner for owner in claimed if psutil.pid_exists(int(owner.rpartition(":")[2]))}

    def names(self) -> list[str]:
        """All workers of the supervisor."""
        return self.stack.workers()

    def any_up(self, fleet: str) -> str | None:
        """One of a fleet's workers that take work, as soon as it is not the only one."""
        while self.goes_on():
            up = [name for name in self.stack.workers(fleet) if self.stack.takes_work(fleet, name)]
            if len(up) > 1:
                return self.dice.choice(up)
            time.sleep(0.1)
        return None

    def has_other(self, program: str) -> bool:
        """Whether another worker of its fleet takes work: nobody can take up what was lost while
        the trial itself keeps a whole fleet down."""
        fleet = program.partition("-")[0]
        others = [name for name in self.stack.workers(fleet) if name != program]
        return any(self.stack.takes_work(fleet, name) for name in others)

    # --- what ------------------------------------------------------------------------------

    def kill(self, program: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a program a signal, and note what it had claimed."""
        wait_for(lambda: self.stack.pid(program), RESTART_SECONDS, f"{program} runs")
        if self.stack.signal(program, number) is None:
            return
        if number == signal.SIGKILL:
            claimed = self.watch.killed(program)
            self.note(f"{number.name} {program}" + (AT_WORK if claimed else ""))
        else:
            self.watch.begin(program)
            self.note(f"{number.name} {program}")

    def kill_at_work(self, stages: tuple[str, ...], patience: float = 4.0) -> bool:
        """Kill a worker in the middle of such a stage; False when none is found for a while.

        It is stopped first, so that its work is still under way when it is killed, and never
        while it is the only one of its fleet.
        """
        deadline = time.monotonic() + patience
        while (left := deadline - time.monotonic()) > 0 and self.goes_on():
            program = self.await_claim(stages, left)
            if program is None:
                return False
            if not self.has_other(program):
                time.sleep(0.1)
                continue
            with self.stack.halted(program):
                claimed = any(f"{program}@" in owner for owner in self.owners(stages))
                if claimed:
                    self.stack.signal(program)
            if claimed:
                hit = self.watch.killed(program) > 0
                self.note(f"SIGKILL {program}" + hit * AT_WORK)
                return True
        return False

    def kill_child(self, stages: tuple[str, ...], patience: float = 4.0) -> bool:
        """Kill one process of a worker's pool in the middle of such a stage."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and self.goes_on():
            owner = self.dice.choice(sorted(self.owners(stages)) or [""])
            program, pid = owner.partition("@")[0], int(owner.rpartition(":")[2] or 0)
            if pid not in [child.pid for child in self.stack.children(program)]:
                time.sleep(0.01)
                continue
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                if owner in self.owners(stages):
                    os.kill(pid, signal.SIGKILL)
                    self.watch.killed_process(program, pid)
                    self.note(f"SIGKILL of a child of {program}{AT_WORK}")
                    return True
                os.kill(pid, signal.SIGCONT)
        return False

    def halt(self, program: str, seconds: float) -> None:
        """Have a program hang for so long."""
        with self.watch.outage(), self.stack.halted(program):
            self.note(f"SIGSTOP {program} for {seconds:g} s")
            time.sleep(seconds)

    def freeze(self, program: str, seconds: float) -> None:
        """Have a worker and its children hang in the middle of their work, and go on with it.

        No outage, but where it holds SQLite's write lock and all others wait for it: they are
        there, and its lease runs out as if it were dead.
        """
        ends = time.monotonic() + seconds
        with ExitStack() as held:
            held.enter_context(self.stack.halted(program))
            what = f"SIGSTOP {program} for {seconds:g} s"
            if self.watch.killed(program):
                what += AT_WORK
            if self.stack.ledger_is_locked():
                held.enter_context(self.watch.outage())
                what += ", with SQLite's write lock"
            self.note(what)
            time.sleep(max(0.0, ends - time.monotonic()))

    def restart(self, program: str, number: signal.Signals = signal.SIGTERM) -> None:
        """End a program that the supervisor starts again, and wait until it has."""
        before = wait_for(lambda: self.stack.pid(program), RESTART_SECONDS, f"{program} runs")
        self.kill(program, number)
        wait_for(
            lambda: self.stack.pid(program) not in (None, before),
            RESTART_SECONDS,
            f"{program} is started again",
        )


@dataclass(frozen=True)
class Around:
    """What a row has put around its stack.

    Args:
        settings: variables that the stack is started with.
        server: the ledger's own database server, where it has one.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    server: PostgreSQL | None = None


def nothing_around(_: Path) -> AbstractContextManager[Around]:
    """A plain stack."""
    return nullcontext(Around())


def no_company(_: Stack) -> AbstractContextManager[None]:
    """No process besides those of the stack."""
    return nullcontext()


@dataclass(frozen=True)
class Row:
    """One line of the kill matrix.

    Args:
        name: as `--rows` takes it.
        title: what is done, for people.
        disturb: does it, and returns when it is over; the stack is whole again then.
        questions: whether questions are asked meanwhile.
        longest: seconds for which it disturbs, where the usual ones are too few.
        obstacle: why the row cannot be run here and what to do about it, or None.
        around: what is there before the stack is started, by its data folder.
        company: processes that run beside the stack, from before the first document on.
        felt: whether the stack felt it: says by the verdict why not, or None.
    """

    name: str
    title: str
    disturb: Callable[[Trial], None]
    questions: bool = False
    longest: float = LONGEST_DISTURBANCE
    obstacle: Callable[[], str | None] = field(default=lambda: None)
    around: Callable[[Path], AbstractContextManager[Around]] = nothing_around
    company: Callable[[Stack], AbstractContextManager[None]] = no_company
    felt: Felt = anything
