"""Starts Flotilla's processes as `flotilla up` does: forked, with what others wrote in memory.

To import that again takes each gateway and each worker of the tests two seconds of a processor. One
process of each test session loads it (`python -m tests.forking`), and forks at its word. Where that
is not possible (not on Linux, or the command is another) the command is executed as usual.
"""

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn, Union

from flotilla.local.stack.forked import NAME_VARIABLE, run_module, runs_module

MODULES = (
    "flotilla",
    "flotilla.local.qdrant_node",
    "tests.doubles.answering",
    "tests.doubles.stages",
)
"""What may be forked: modules which read their settings when they are imported, not before."""

LARGEST = 2**18
"""Bytes of a command with its environment."""

_server: "socket.socket | None" = None


class Forked:
    """A process that another has forked, with the methods of `subprocess.Popen` that tests use."""

    def __init__(self, command: Sequence[str], log: int, environment: Mapping[str, str]) -> None:
        request = json.dumps({"command": list(command), "environment": dict(environment)})
        self._status, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            socket.send_fds(_connect(), [request.encode()], [log, its.fileno()])
        self._status.settimeout(60)
        self.pid = int(self._status.recv(64))
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code once it has ended; of a signal it is negative."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self._status.settimeout(timeout)
            try:
                told = self._status.recv(64)
            except (BlockingIOError, TimeoutError):
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0) from None
            assert told, "the process that forks is gone"
            self.returncode = int(told)
            self._status.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


Process = Union["subprocess.Popen[bytes]", Forked]


def start(command: Sequence[str], log: Path, environment: Mapping[str, str] | None) -> Process:
    """A process whose output goes to the log."""
    environment = os.environ if environment is None else environment
    with log.open("wb") as output:
        if sys.platform == "linux" and any(runs_module(command, module) for module in MODULES):
            return Forked(command, output.fileno(), environment)
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)


def _connect() -> socket.socket:
    global _server
    if _server is None:
        _server, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        _server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * LARGEST)
        with its:
            os.set_inheritable(its.fileno(), True)
            command = [sys.executable, "-m", "tests.forking", str(its.fileno())]
            root = Path(__file__).parents[1]
            paths = os.pathsep.join([str(root / "src"), str(root)])
            child = subprocess.Popen(
                command, pass_fds=[its.fileno()], env=os.environ | {"PYTHONPATH": paths}
            )
        atexit.register(child.wait)
        atexit.register(_server.close)  # ends it
    return _server


# --- in the process that forks -----------------------------------------------------------------


def serve(requests: socket.socket) -> None:
    """Fork at each request, and tell how each child has ended, until nobody is there to ask."""
    from flotilla.local.stack.preload import EVERYWHERE, GATEWAY, load

    for module in (*EVERYWHERE, *GATEWAY):
        load(module)
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who is asked to end is who asks here
    children: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([requests, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _reap(children)
        if requests in ready:
            text, descriptors, _, _ = socket.recv_fds(requests, LARGEST, 2)
            if not text:
                break
            _fork(json.loads(text), *descriptors, children)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _fork(
    request: dict[str, dict[str, str]], log: int, status: int, children: dict[int, socket.socket]
) -> None:
    pid = os.fork()
    if pid == 0:
        _become(request, log)
    os.close(log)
    children[pid] = socket.socket(fileno=status)
    children[pid].send(str(pid).encode())


def _become(request: dict[str, dict[str, str]], log: int) -> NoReturn:
    signal.set_wakeup_fd(-1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    run_module(list(request["command"]), {NAME_VARIABLE: "", **request["environment"]})


def _reap(children: dict[int, socket.socket]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with children.pop(pid) as who_waits, contextlib.suppress(OSError):
            who_waits.send(str(os.waitstatus_to_exitcode(status)).encode())


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
