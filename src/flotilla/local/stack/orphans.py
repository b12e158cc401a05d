"""Finds and ends what a stack left running, by the marker in the processes' environment."""

import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from flotilla.local.stack.forked import NAME_VARIABLE
from flotilla.local.stack.programs import Stage
from flotilla.settings import STACK_MARKER

STORES = {"redis": Stage.REDIS, "qdrant": Stage.QDRANT}

GRACE = 2.0
"""Seconds between the polite and the final signal."""


def stack_processes(data: Path) -> list[psutil.Process]:
    """Every living process of the stack of this data folder, except the caller's own line.

    A process bears the stack's marker in its environment and hands it to its children, so
    that neither a dead supervisor nor a changed process group hides one.
    """
    marker = str(data)
    me = psutil.Process()
    own = {me.pid, *(process.pid for process in me.parents())}
    return [
        process
        for process in psutil.process_iter()
        if process.pid not in own and _environment(process).get(STACK_MARKER) == marker
    ]


def program_name(process: psutil.Process) -> str:
    """The program that a process belongs to; empty for the supervisor itself."""
    return _environment(process).get(NAME_VARIABLE, "").strip()


def end_processes(data: Path, grace: float = GRACE) -> int:
    """End what is left of the stack, Redis and Qdrant last; returns how many there were.

    Each gets SIGTERM, and SIGKILL when it is still there after `grace` seconds.
    """
    found = stack_processes(data)
    first = [process for process in found if program_name(process) not in STORES]
    _end(first, grace)
    # Looked for again, since a process may have started another in the meantime.
    _end(stack_processes(data), grace)
    return len(found)


def _end(processes: list[psutil.Process], grace: float) -> None:
    _signal(processes, "terminate")
    _signal(_wait(processes, grace), "kill")
    _wait(processes, grace)


def _signal(processes: Iterable[psutil.Process], how: str) -> None:
    for process in processes:
        try:
            getattr(process, how)()
        except psutil.NoSuchProcess:
            continue


def _wait(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that still live after so many seconds."""
    deadline = time.monotonic() + seconds
    while (living := [p for p in processes if _lives(p)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return living


def _lives(process: psutil.Process) -> bool:
    try:
        # Where nobody reaps the children of the dead, a zombie may stay for ever.
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return dict(process.environ())
    except (psutil.Error, OSError):
        # Gone, or somebody else's.
        return {}
