"""Runs a Python module in a forked child in place of execve, as a new interpreter would.

A new interpreter imports for seconds what its parent may have in memory already. What execve
would have made new is made new here: signal handlers, environment, arguments, streams, title.
"""

import atexit
import ctypes
import io
import os
import runpy
import shlex
import signal
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from typing import NoReturn

NAME_VARIABLE = "SUPERVISOR_PROCESS_NAME"
"""Variable in which supervisord hands each program its name."""

NAME_ROOM = " " * 64
"""What the parent bears in its place, so that there is room for a child's name."""


def runs_module(command: Sequence[str], module: str) -> bool:
    """Whether a command runs this module with this Python: `python -m module …`."""
    return tuple(command[:3]) == (sys.executable, "-m", module)


def run_module(command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Run `python -m module …` in this process, then end it with the module's exit code.

    To be called in a child that has just been forked from a process of one thread, with its
    descriptors 0 to 2 in place and all others closed.
    """
    code = 1
    try:
        _restore_signals()
        _show_name(environment)
        _set_title(command)  # setproctitle finds the title's place from the old environment
        os.environ.clear()
        os.environ.update(environment)
        _open_streams()
        sys.argv = ["-m", *command[3:]]
        code = _exit_code(command[2])
        # What an interpreter does at its end, save for tearing down the objects: they hold
        # numbers of the parent's descriptors, which are this process's own by now.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 - beyond here is the parent's own code
        traceback.print_exc()
        code = code or 1
    finally:
        os._exit(code)


def _exit_code(module: str) -> int:
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 0xFF
        sys.stderr.write(f"{end.code}\n")
        return 1
    except BaseException:  # noqa: BLE001 - an interpreter, too, prints whatever it was
        traceback.print_exc()
        return 1
    return 0


def _restore_signals() -> None:
    for number in signal.valid_signals():
        # None: not Python's; a signal that is ignored stays so, as over execve.
        if signal.getsignal(number) not in (signal.SIG_DFL, signal.SIG_IGN, None):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _open_streams() -> None:
    """Streams over descriptors 0 to 2, since a daemon's own lead nowhere; unbuffered, so that
    a log is never behind."""
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(  # type: ignore[misc]
        io.FileIO(0, closefd=False), encoding="utf-8"
    )
    sys.stdout = sys.__stdout__ = _text(1)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _text(2)  # type: ignore[misc]


def _text(descriptor: int) -> io.TextIOWrapper:
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(
        raw,
        encoding="utf-8",
        errors="backslashreplace",
        write_through=True,
    )


def _show_name(environment: Mapping[str, str]) -> None:
    """Write the program's name into the environment that others see.

    The system shows what a process was executed with, which for a forked child is its parent's
    environment. The parent's holds NAME_ROOM, and that memory is this process's own.
    """
    room = len(os.environ.get(NAME_VARIABLE, ""))
    # After the name, what is left of the room is made a variable of its own, since two zero
    # bytes in a row would end the environment.
    text = environment[NAME_VARIABLE].encode() + b"\0_="
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_void_p
    address = getenv(NAME_VARIABLE.encode())
    if address and len(text) <= room:
        ctypes.memmove(address, text.ljust(room), room)


def _set_title(command: Sequence[str]) -> None:
    """Have `ps` show the command, where the setproctitle package is installed."""
    try:
        from setproctitle import setproctitle
    except ImportError:
        return
    setproctitle(shlex.join(command))
