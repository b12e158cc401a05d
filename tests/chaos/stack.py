"""The stack under attack: in a folder of its own, with a hand on each of its processes."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import psutil
import redis
from qdrant_client import QdrantClient

from flotilla.client import Flotilla
from flotilla.heartbeats import WORKER_KEY
from flotilla.local.stack.control import Supervisord
from flotilla.local.stack.orphans import stack_processes
from flotilla.local.stack.record import StackRecord, read_record
from flotilla.settings import FLEETS, STACK_MARKER, child_environment
from tests.chaos.ledger import LedgerView

Found = TypeVar("Found")

WORKERS = ",".join(f"{fleet}=2" for fleet in FLEETS)

SETTINGS = {
    # Small documents are to have several parts a stage, so that there are chords to break.
    "FLOTILLA_DOCUMENT_PAGES_PER_RANGE": "3",
    "FLOTILLA_VECTORSTORE_CHUNKS_PER_BATCH": "4",
    # Some are fetched, from the harness itself.
    "FLOTILLA_DOCUMENT_FETCH_ALLOW_PRIVATE": "true",
}

START_SECONDS = 240.0


class Stack:
    """A running stack.

    Args:
        record: as `flotilla up` left it in the data folder.
        environment: what the stack was started with besides this process's own environment.
    """

    def __init__(self, record: StackRecord, environment: Mapping[str, str]) -> None:
        self._supervisord = Supervisord(record)
        self.record = record
        self.data = record.data
        self.blobs = record.data / "blobs"
        self.url = record.addresses.gateway
        self.environment = dict(environment) | {
            "FLOTILLA_DATA": str(record.data),
            "FLOTILLA_URL": self.url,
            "REDIS_URL": record.redis_url,
            "QDRANT_URL": record.qdrant_url,
            STACK_MARKER: str(record.data),
        }
        database = environment.get("DATABASE_URL") or f"sqlite:///{self.data / 'ledger.sqlite'}"
        self.ledger = LedgerView(database)
        self.redis = redis.Redis.from_url(record.redis_url, socket_timeout=30)
        self.client = Flotilla(self.url, timeout=60.0, retries=0)
        self.qdrant = QdrantClient(url=record.qdrant_url, timeout=60, check_compatibility=False)

    def close(self) -> None:
        """Close what was opened to look into the stack."""
        self.client.close()
        self.qdrant.close()
        self.redis.close()
        self.ledger.close()

    def workers(self, *fleets: str) -> list[str]:
        """The names of the programs that are workers of these fleets, or of all."""
        wanted = fleets or FLEETS
        return [program.name for program in self.record.programs if program.fleet in wanted]

    def pid(self, program: str) -> int | None:
        """The process of a program; None while it is started anew."""
        info = self._supervisord.processes().get(program)
        return info.pid if info is not None else None

    def signal(self, program: str, number: int = signal.SIGKILL) -> int | None:
        """Send a program's own process a signal; returns its id, None where there was none."""
        pid = self.pid(program)
        if pid is None:
            return None
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return None
        return pid

    def children(self, program: str) -> list[psutil.Process]:
        """The processes that a program has started, such as a pool's."""
        with suppress(psutil.NoSuchProcess):
            pid = self.pid(program)
            if pid is not None:
                return psutil.Process(pid).children()
        return []

    def takes_work(self, fleet: str, program: str) -> bool:
        """Whether a worker's process has loaded what it needs; until then it takes no message."""
        try:
            keys = list(self.redis.scan_iter(f"{WORKER_KEY}{fleet}:{program}@*"))
            shown = [json.loads(text) for text in (self.redis.mget(keys) if keys else []) if text]
        except redis.RedisError:
            return False
        return self.pid(program) in [worker["pid"] for worker in shown]

    def ledger_is_locked(self, seconds: float = 3.0) -> bool:
        """Whether nobody can write to the ledger for so long: SQLite has one writer at a time."""
        if self.environment.get("DATABASE_URL"):
            return False
        connection = sqlite3.connect(self.data / "ledger.sqlite", timeout=seconds)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
        except sqlite3.OperationalError:
            return True
        finally:
            connection.close()
        return False

    @contextmanager
    def halted(self, program: str) -> Iterator[None]:
        """Let a program and its children hang until the block's end."""
        pid = wait_for(lambda: self.pid(program), 30, f"{program} runs")
        halted = [pid, *(child.pid for child in self.children(program))]
        for each in halted:
            os.kill(each, signal.SIGSTOP)
        try:
            yield
        finally:
            for each in halted:
                with suppress(ProcessLookupError):
                    os.kill(each, signal.SIGCONT)

    @contextmanager
    def further_worker(self, fleet: str, name: str, **environment: str) -> Iterator[None]:
        """A worker of a fleet, started by hand beside those of the supervisor."""
        command = [sys.executable, "-m", "flotilla", "worker", fleet, "--name", name]
        with (self.data / "logs" / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=child_environment(self.environment | environment),
            )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(look: Callable[[], Found | None], seconds: float, what: str) -> Found:
    """What `look` gives as soon as it gives anything but None or False.

    Raises:
        TimeoutError: it did not in time.
    """
    deadline = time.monotonic() + seconds
    while (found := look()) is None or found is False:
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(0.05)
    return found


@contextmanager
def running_stack(folder: Path, workers: str = WORKERS, **environment: str) -> Iterator[Stack]:
    """A stack on free ports with its data in the folder; no process of it is left afterwards.

    Raises:
        RuntimeError: it did not start.
    """
    environment = SETTINGS | environment
    child = child_environment(environment)
    flotilla = [sys.executable, "-m", "flotilla"]
    servers = ("", "redis-", "cache-", "qdrant-")
    ports = [part for server in servers for part in (f"--{server}port", "0")]
    up = [*flotilla, "up", "--detach", "--no-flower", "--data", str(folder), *ports]
    try:
        started = subprocess.run(
            [*up, "--workers", workers],
            env=child,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
        )
        record = read_record(folder)
        if started.returncode or record is None:
            raise RuntimeError(f"the stack did not start: {started.stderr.strip()}")
        stack = Stack(record, environment)
        try:
            yield stack
        finally:
            stack.close()
    finally:
        # A second Ctrl-C must not keep the stack from being ended.
        signals = (signal.SIGINT, signal.SIGTERM)
        handlers = [signal.signal(number, signal.SIG_IGN) for number in signals]
        # What was halted cannot end in order.
        for process in stack_processes(folder):
            with suppress(psutil.Error):
                process.resume()
        subprocess.run(
            [*flotilla, "down", "--data", str(folder)],
            env=child,
            check=False,
            capture_output=True,
            start_new_session=True,
        )
        for number, handler in zip(signals, handlers, strict=True):
            signal.signal(number, handler)
        left = [process.pid for process in stack_processes(folder)]
        if left:
            print(f"still running after `flotilla down`: {left}", file=sys.stderr)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="flotilla-chaos-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
