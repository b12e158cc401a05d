"""supervisord for a stack that lives on somebody's own machine.

Run as `python -m flotilla.local.stack.supervisord [--with PID] -c FILE`. It is supervisor's own
daemon with five additions: its children get SIGTERM from the kernel when it dies without
ending them (Linux); what remains of a child's process group goes with the child; it looks
around ten times a second, so that a restart or a stop is not a second late; with `--with`
it ends the stack when the process PID, a `flotilla up` in the foreground, is gone; and it
loads modules on demand and forks Flotilla's programs with them in memory (Linux).
"""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from supervisor.medusa import asyncore_25 as asyncore
from supervisor.options import ServerOptions
from supervisor.states import SupervisorStates
from supervisor.supervisord import Supervisor

from flotilla.local.stack.forked import run_module, runs_module
from flotilla.local.stack.preload import Preloader, threads

LOOK_AROUND = 0.1
"""Longest pause of the daemon's loop in seconds."""

LOOK_AROUND_LOADING = 0.01
"""The same while modules are to be loaded."""

FORKED_MODULE = "flotilla"
"""The module whose programs run with the preloaded modules; all else is executed anew."""

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h: the signal that a process gets when its parent dies."""


class StackServerOptions(ServerOptions):  # type: ignore[misc]
    """supervisord's door to the operating system, with the additions named above.

    Args:
        companion: the process with which the stack ends, or None.
    """

    def __init__(self, companion: int | None) -> None:
        super().__init__()
        self._companion = companion
        self._one_thread = False
        self.preloader = Preloader()
        self._libc = ctypes.CDLL(None) if sys.platform == "linux" else None
        poll = self.poller.poll

        def poll_shortly(timeout: float) -> Any:
            self._follow_companion()
            self.preloader.turn()
            pause = LOOK_AROUND_LOADING if self.preloader.pending() else LOOK_AROUND
            return poll(min(timeout, pause))

        self.poller.poll = poll_shortly

    def setpgrp(self) -> None:
        """Called in each child between fork and exec."""
        super().setpgrp()
        if self._libc is not None:
            self._libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)

    def fork(self) -> int:
        """Called to start a child."""
        self._one_thread = self._libc is not None and threads() == 1
        return int(super().fork())

    def execve(self, filename: str, argv: list[str], env: dict[str, str]) -> NoReturn:
        """Called in each child at last."""
        # A child of a process with several threads may find locks that nobody will release.
        if self.preloader.active and self._one_thread and runs_module(argv, FORKED_MODULE):
            run_module(argv, env)
        os.execve(filename, argv, env)  # noqa: S606 - supervisor's own way

    def waitpid(self) -> tuple[int | None, int | None]:
        """Called to reap; each child leads a process group of its own."""
        pid, status = super().waitpid()
        if pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        return pid, status

    def _follow_companion(self) -> None:
        if self._companion is None:
            return
        try:
            os.kill(self._companion, 0)
        except ProcessLookupError:
            self._companion = None
            self.mood = SupervisorStates.SHUTDOWN


def main(arguments: Sequence[str]) -> None:
    """Run until the stack is told to end."""
    companion = None
    if arguments[:1] == ["--with"]:
        companion, arguments = int(arguments[1]), arguments[2:]
    options = StackServerOptions(companion)
    options.realize(list(arguments), doc=__doc__)
    options.first, options.test = True, False
    with contextlib.suppress(asyncore.ExitNow):
        Supervisor(options).main()


if __name__ == "__main__":
    main(sys.argv[1:])
