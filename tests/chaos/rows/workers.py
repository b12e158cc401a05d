"""Rows that kill workers: whole ones, their children, all at once, and whoever holds a chord."""

import itertools
import os
import signal
from collections.abc import Callable

from tests.chaos.trial import Row, Trial

PAUSE = (2.0, 5.0)

FREEZE_SECONDS = 20.0
"""A lease and its reaping are over by then: the frozen worker comes back to work that is
another's, or done."""


def _kill_workers(fleet: str) -> Callable[[Trial], None]:
    def disturb(trial: Trial) -> None:
        """Half of the kills hit a worker with a claimed step, the others come when they come."""
        while trial.goes_on():
            victim = None
            if trial.dice.random() < 0.5:
                victim = trial.await_claim((f"{fleet}.",))
            trial.kill(victim or trial.dice.choice(trial.stack.workers(fleet)))
            trial.rest(*PAUSE)

    return disturb


def _kill_rag(trial: Trial) -> None:
    """Questions are answered in milliseconds: kill often."""
    while trial.goes_on():
        trial.kill(trial.dice.choice(trial.stack.workers("rag")))
        trial.rest(1.5, 4.0)


def _kill_default(trial: Trial) -> None:
    while trial.goes_on():
        victim = trial.await_claim(("upkeep.",), patience=2.0)
        trial.kill(victim or trial.dice.choice(trial.stack.workers("default")))
        trial.rest(*PAUSE)


def _kill_children(trial: Trial) -> None:
    while trial.goes_on():
        victim = trial.await_claim(("document.",))
        trial.kill_child(victim or trial.dice.choice(trial.stack.workers("document")))
        trial.rest(*PAUSE)


def _kill_beat(trial: Trial) -> None:
    """Beat wakes the reaper: kill a worker too, so that there is something to reap."""
    while trial.goes_on():
        victim = trial.await_claim(("vectorstore.index", "document."))
        if victim is not None and trial.dice.random() < 0.5:
            trial.kill(victim)
        for _ in range(trial.dice.randint(1, 3)):
            trial.kill("beat")
            trial.rest(1.0, 3.0)


def _deploy(trial: Trial) -> None:
    """SIGTERM to every worker at the same moment, as often as a rolling deploy goes wrong."""
    for _ in range(3):
        trial.until_share(0.05, 0.3)
        if not trial.goes_on():
            return
        for program in trial.stack.workers():
            trial.stack.signal(program, signal.SIGTERM)
        trial.watch.begin()
        trial.note("SIGTERM to every worker")
        trial.rest(8.0, 14.0)


def _massacre(trial: Trial) -> None:
    """SIGKILL of every worker at the same moment, as when the machine loses its power."""
    for _ in range(2):
        trial.until_share(0.05, 0.3)
        if not trial.goes_on():
            return
        pids = [pid for name in trial.stack.workers() if (pid := trial.stack.pid(name))]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        trial.watch.killed(*trial.stack.workers())
        trial.note("SIGKILL to every worker")
        trial.rest(10.0, 16.0)


def _kill_header(trial: Trial) -> None:
    """The owner of a chord's header task dies while it works on it."""
    while trial.goes_on():
        victim = trial.await_claim(("vectorstore.index", "document.convert_range"), patience=10.0)
        if victim is not None:
            trial.kill(victim)
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
    Row("document", "SIGKILL of a `document` worker, every few seconds", _kill_workers("document")),
    Row(
        "vectorstore",
        "SIGKILL of a `vectorstore` worker, every few seconds",
        _kill_workers("vectorstore"),
    ),
    Row("rag", "SIGKILL of a `rag` worker, every few seconds", _kill_rag, questions=True),
    Row("default", "SIGKILL of a `default` worker, every few seconds", _kill_default),
    Row(
        "children",
        "SIGKILL of a process of a `document` worker's pool, every few seconds",
        _kill_children,
    ),
    Row("beat", "SIGKILL of beat, and now and then of a worker", _kill_beat),
    Row("deploy", "SIGTERM of every fleet at once", _deploy, questions=True),
    Row("power", "SIGKILL of every fleet at once", _massacre, questions=True),
    Row("chord", "SIGKILL of the owner of a chord's header task", _kill_header),
    Row(
        "frozen",
        f"a `document` or `vectorstore` worker at work frozen for {FREEZE_SECONDS:g} s (SIGSTOP), "
        "in turn",
        _freeze,
        questions=True,
        longest=150.0,
    ),
)
