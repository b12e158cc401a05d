"""Rows that kill workers: whole ones, their children, all at once, and whoever holds a chord."""

import itertools
import os
import signal
from collections.abc import Callable

from tests.chaos.stack import wait_for
from tests.chaos.trial import RESTART_SECONDS, Row, Trial
from tests.chaos.verdict import AT_WORK, hit_work, killed_at_work, lost_work

PAUSE = (2.0, 5.0)

FIRST_SECONDS = 30.0
"""For the first work of a fleet to come."""

WORK = ("document.", "vectorstore.")
"""Stages of which there is always one under way while documents come in."""

FREEZE_SECONDS = 20.0
"""A lease and its reaping are over by then: the frozen worker comes back to work that is
another's, or done."""


def _kill_workers(fleet: str) -> Callable[[Trial], None]:
    def disturb(trial: Trial) -> None:
        """The first kill and half of the others hit a worker in the middle of a step, the rest come
        when they come."""
        trial.kill_at_work((f"{fleet}.",), FIRST_SECONDS)
        while trial.goes_on():
            trial.rest(*PAUSE)
            if trial.dice.random() < 0.5 or not trial.kill_at_work((f"{fleet}.",)):
                _kill_any(trial, fleet)

    return disturb


def _kill_any(trial: Trial, fleet: str) -> None:
    victim = trial.any_up(fleet)
    if victim is not None:
        trial.kill(victim)


def _kill_rag(trial: Trial) -> None:
    """Questions are answered in milliseconds: kill often."""
    trial.kill_at_work(("rag.",), FIRST_SECONDS)
    while trial.goes_on():
        trial.rest(1.5, 4.0)
        if trial.dice.random() < 0.5 or not trial.kill_at_work(("rag.",)):
            _kill_any(trial, "rag")


def _kill_default(trial: Trial) -> None:
    trial.kill_at_work(("upkeep.",), FIRST_SECONDS)
    while trial.goes_on():
        trial.rest(*PAUSE)
        if not trial.kill_at_work(("upkeep.",), patience=2.0):
            _kill_any(trial, "default")


def _kill_children(trial: Trial) -> None:
    trial.kill_child(("document.",), FIRST_SECONDS)
    while trial.goes_on():
        trial.rest(*PAUSE)
        trial.kill_child(("document.",))


def _kill_beat(trial: Trial) -> None:
    """Beat wakes the reaper: kill a worker too, so that there is something to reap."""
    killed = False
    while trial.goes_on():
        if not killed or trial.dice.random() < 0.5:
            patience = 4.0 if killed else FIRST_SECONDS
            killed |= trial.kill_at_work(("vectorstore.index", "document."), patience)
        for _ in range(trial.dice.randint(1, 3)):
            trial.kill("beat")
            trial.rest(1.0, 3.0)


def _deploy(trial: Trial) -> None:
    """SIGTERM to every worker at the same moment, as often as a rolling deploy goes wrong."""
    before: dict[str, int | None] = {}
    for _ in range(3):
        trial.until_share(0.05, 0.3)
        if not trial.goes_on():
            break
        at_work = trial.await_claim(WORK) is not None
        before = {program: trial.stack.pid(program) for program in trial.stack.workers()}
        for program in before:
            trial.stack.signal(program, signal.SIGTERM)
        trial.watch.begin_anew()
        trial.note("SIGTERM to every worker" + at_work * AT_WORK)
        trial.rest(8.0, 14.0)
    for program, pid in before.items():
        wait_for(
            lambda name=program, old=pid: trial.stack.pid(name) not in (None, old),  # type: ignore[misc]
            RESTART_SECONDS,
            f"{program} is another process after SIGTERM",
        )


def _massacre(trial: Trial) -> None:
    """SIGKILL of every worker at the same moment, as when the machine loses its power."""
    for _ in range(2):
        trial.until_share(0.05, 0.3)
        if not trial.goes_on():
            return
        trial.await_claim(WORK)
        pids = [pid for name in trial.stack.workers() if (pid := trial.stack.pid(name))]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        trial.watch.begin_anew()
        claimed = trial.watch.killed(*trial.stack.workers())
        trial.note("SIGKILL to every worker" + bool(claimed) * AT_WORK)
        trial.rest(10.0, 16.0)


def _kill_header(trial: Trial) -> None:
    """The owner of a chord's header task dies while it works on it."""
    while trial.goes_on():
        trial.kill_at_work(("vectorstore.index", "document.convert_range"), patience=10.0)
        trial.rest(*PAUSE)


def _freeze(trial: Trial) -> None:
    """Whoever is late comes back in the middle of a write that another has done meanwhile."""
    turns = itertools.cycle(("document", "vectorstore"))
    while trial.goes_on():
        fleet = next(turns)
        victim = trial.await_claim((f"{fleet}.",), patience=10.0)
        if victim is not None:
            trial.freeze(victim, FREEZE_SECONDS)
        trial.rest(0.5, 3.0)


ROWS = (
    Row(
        "document",
        "SIGKILL of a `document` worker, every few seconds",
        _kill_workers("document"),
        felt=killed_at_work,
    ),
    Row(
        "vectorstore",
        "SIGKILL of a `vectorstore` worker, every few seconds",
        _kill_workers("vectorstore"),
        felt=killed_at_work,
    ),
    Row(
        "rag",
        "SIGKILL of a `rag` worker, every few seconds",
        _kill_rag,
        questions=True,
        felt=killed_at_work,
    ),
    Row(
        "default",
        "SIGKILL of a `default` worker, every few seconds",
        _kill_default,
        felt=killed_at_work,
    ),
    Row(
        "children",
        "SIGKILL of a process of a `document` worker's pool, every few seconds",
        _kill_children,
        felt=lost_work,
    ),
    Row(
        "beat",
        "SIGKILL of beat, and now and then of a worker",
        _kill_beat,
        felt=killed_at_work,
    ),
    Row("deploy", "SIGTERM of every fleet at once", _deploy, questions=True, felt=hit_work),
    Row("power", "SIGKILL of every fleet at once", _massacre, questions=True, felt=killed_at_work),
    Row(
        "chord",
        "SIGKILL of the owner of a chord's header task",
        _kill_header,
        felt=killed_at_work,
    ),
    Row(
        "frozen",
        f"a `document` or `vectorstore` worker at work frozen for {FREEZE_SECONDS:g} s (SIGSTOP), "
        "in turn",
        _freeze,
        questions=True,
        longest=150.0,
        felt=killed_at_work,
    ),
)
