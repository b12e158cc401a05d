"""The stack as a user starts it, and what a test may do to its processes."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

from flotilla.local.stack.record import StackAddresses, read_addresses
from flotilla.settings import STACK_MARKER, child_environment

Result = TypeVar("Result")

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "docs" / "samples"
PATIENCE = 60.0
"""Seconds that a busy machine may take for what an idle one does in three."""


@dataclass(frozen=True)
class Stack:
    """A stack that runs."""

    addresses: StackAddresses
    environment: dict[str, str]
    ingest_root: Path

    @property
    def url(self) -> str:
        """The gateway's address."""
        return self.addresses.gateway

    def run(
        self, *command: str, check: bool = True, seconds: float = PATIENCE
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command of Flotilla's environment against the stack."""
        return subprocess.run(
            command,
            cwd=ROOT,
            env=child_environment(self.environment),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=check,
        )

    def processes(self, program: str) -> list[psutil.Process]:
        """The processes of one program, its children included."""
        return [
            process
            for process in stack_processes(self.addresses.data)
            if environment_of(process).get("SUPERVISOR_PROCESS_NAME") == program
        ]

    @contextmanager
    def halted(self, program: str) -> Iterator[None]:
        """Let a program hang, as on a machine that does not answer, until the block's end.

        Never while it writes to the ledger: SQLite's lock would stay with it, and no other could
        write (docs/reliability.md says so).
        """
        processes = self.processes(program)
        assert processes, f"{program} does not run"

        def send(number: signal.Signals) -> None:
            for process in processes:
                process.send_signal(number)

        def hangs_without_the_lock() -> bool:
            send(signal.SIGSTOP)
            if _is_writable(self.addresses.data / "ledger.sqlite"):
                return True
            send(signal.SIGCONT)
            return False

        wait_until(hangs_without_the_lock, f"{program} does not write")
        try:
            yield
        finally:
            send(signal.SIGCONT)


def _is_writable(ledger: Path) -> bool:
    connection = sqlite3.connect(ledger, timeout=2.0)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.rollback()
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()
    return True


def environment_of(process: psutil.Process) -> dict[str, str]:
    """A process's environment; empty when it is gone or somebody else's."""
    try:
        return dict(process.environ())
    except (psutil.Error, OSError):
        return {}


def stack_processes(data: Path) -> list[psutil.Process]:
    """Every process that bears the stack's marker, whoever its parent is."""
    marker = str(data.resolve())
    return [
        process
        for process in psutil.process_iter()
        if environment_of(process).get(STACK_MARKER) == marker
    ]


def wait_until(look: Callable[[], Result], what: str) -> Result:
    """What `look` gives as soon as it gives anything."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {PATIENCE:g} s: {what}"
        time.sleep(0.05)
    return found


def flotilla(*arguments: str) -> tuple[str, ...]:
    """The command line of `flotilla …`."""
    return (sys.executable, "-m", "flotilla", *arguments)


@contextmanager
def running_stack(
    data: Path, ingest_root: Path, *, flower: bool = False, **settings: str
) -> Iterator[Stack]:
    """A stack on free ports, so that it runs beside any other; nothing of it is left behind."""
    # Nothing of the developer's own environment or .env may change what is tested; a variable
    # that is empty counts as not set.
    foreign = (
        "REDIS_URL",
        "FLOTILLA_CACHE_URL",
        "QDRANT_URL",
        "DATABASE_URL",
        "LLM_MODEL",
        "TAVILY_API_KEY",
        "FLOTILLA_BLOB_URL",
    )
    environment = dict.fromkeys(foreign, "") | {
        "FLOTILLA_DATA": str(data),
        "FLOTILLA_ENV_FILE": str(data / "no-such.env"),
        "FLOTILLA_DOCUMENT_INGEST_ROOT": str(ingest_root),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        **settings,
    }
    servers = ("", "redis-", "cache-", "qdrant-", *(["flower-"] if flower else []))
    free = [part for server in servers for part in (f"--{server}port", "0")]
    up = flotilla("up", "--detach", *([] if flower else ["--no-flower"]), *free)
    try:
        started = subprocess.run(
            up,
            cwd=ROOT,
            env=child_environment(environment),
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert started.returncode == 0, started.stderr
        addresses = read_addresses(data)
        assert addresses is not None
        environment |= {
            "FLOTILLA_URL": addresses.gateway,
            "REDIS_URL": addresses.redis,
            "QDRANT_URL": addresses.qdrant,
        }
        yield Stack(addresses, environment, ingest_root)
    finally:
        subprocess.run(
            flotilla("down"),
            cwd=ROOT,
            env=child_environment(environment),
            capture_output=True,
            timeout=90,
            check=True,
        )
        left = [process.cmdline() for process in stack_processes(data)]
        assert left == [], f"still running after `flotilla down`: {left}"
