"""The stack under measurement: in a folder of its own, watched, and ended whatever comes."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from flotilla.client import Flotilla
from flotilla.local.stack.control import Supervisord
from flotilla.local.stack.orphans import stack_processes
from flotilla.local.stack.record import StackRecord, read_record
from flotilla.schemas import DocumentAccepted, TaskStatus
from flotilla.settings import Settings, load_settings

# What would lead the stack to somebody's servers, documents or language model.
ELSEWHERE = (
    "REDIS_URL",
    "DATABASE_URL",
    "QDRANT_URL",
    "QDRANT_API_KEY",
    "LLM_MODEL",
    "LLM_BASE_URL",
    "OPENAI_API_KEY",
    "FLOTILLA_DATA",
    "FLOTILLA_URL",
    "FLOTILLA_BLOB_URL",
)

CALM_SHARE = 0.15  # cores that an idle stack uses at most: heartbeats, beat, probes
CALM_SECONDS = 5  # the Qdrant node begins to optimise after three quiet seconds
LONGEST_UNREST = 180.0


def isolate_environment() -> None:
    """Take out of this process's environment what would lead its stacks elsewhere."""
    for name in ELSEWHERE:
        os.environ.pop(name, None)
    os.environ["FLOTILLA_ENV_FILE"] = os.devnull


def progress(text: str) -> None:
    """One line on stderr, with the time."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


class Stack:
    """A running stack, a client of its gateway, and an eye on its processes.

    `others` are the cores that the rest of the machine used in the seconds in which the stack
    was waited for to become idle: what else may have disturbed the measurements.

    Args:
        record: as `flotilla up` left it in the data folder.
    """

    def __init__(self, record: StackRecord) -> None:
        self._supervisord = Supervisord(record)
        self.data = record.data
        self.gateway = record.addresses.gateway
        self.settings: Settings = record.settings(load_settings())
        self.client = Flotilla(self.gateway, timeout=120.0)
        self.others: list[float] = []

    def processes(self) -> dict[int, tuple[str, psutil.Process]]:
        """Every living process by its id, with the program that it or its parent belongs to."""
        known = self._supervisord.processes().values()
        programs = {info.pid: info.name for info in known if info.pid is not None}
        found: dict[int, tuple[str, psutil.Process]] = {}
        for process in stack_processes(self.data):
            with suppress(psutil.Error):
                line = (process.pid, *(parent.pid for parent in process.parents()))
                named = (programs[pid] for pid in line if pid in programs)
                found[process.pid] = next(named, "supervisor"), process
        return found

    def cpu_seconds(self) -> dict[str, float]:
        """Seconds of CPU, user and system, that each program's living processes have used."""
        used: dict[str, float] = {}
        for name, process in self.processes().values():
            with suppress(psutil.Error):
                times = process.cpu_times()
                used[name] = used.get(name, 0.0) + times.user + times.system
        return used

    def settle(self) -> None:
        """Wait until the stack is idle: nothing left of indexing, and Qdrant optimised."""
        calm, deadline = 0, time.monotonic() + LONGEST_UNREST
        before, all_cores = sum(self.cpu_seconds().values()), psutil.cpu_count() or 1
        psutil.cpu_percent()
        while calm < CALM_SECONDS and time.monotonic() < deadline:
            time.sleep(1.0)
            now = sum(self.cpu_seconds().values())
            busy = all_cores * psutil.cpu_percent() / 100
            self.others.append(max(0.0, busy - (now - before)))
            calm = calm + 1 if now - before < CALM_SHARE else 0
            before = now

    def ingest(self, files: Sequence[Path], collection: str) -> tuple[float, list[str]]:
        """Upload files one by one into a collection and wait until the last is ready.

        Returns:
            The seconds from the first upload to the last document, and the documents' ids.
        """
        with suppress(Exception):
            self.client.create_collection(collection)
        began = time.perf_counter()
        accepted: list[DocumentAccepted] = []
        for file in files:
            accepted += self.client.upload(file, collection=collection)
        for entry in accepted:
            task = self.client.wait(entry.task_id, timeout=1800.0)
            if task.status is not TaskStatus.COMPLETED:
                raise RuntimeError(f"{entry.name} was not ingested: {task.error or task.status}")
        return time.perf_counter() - began, [entry.document_id for entry in accepted]


@contextmanager
def running_stack(**environment: str) -> Iterator[Stack]:
    """A stack on free ports in a temporary folder; nothing of it is left afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="flotilla-bench-"))
    flotilla = [sys.executable, "-m", "flotilla"]
    try:
        servers = ("", "redis-", "cache-", "qdrant-")
        ports = [part for server in servers for part in (f"--{server}port", "0")]
        command = [*flotilla, "up", "--detach", "--no-flower", "--data", str(folder), *ports]
        progress("starting a stack")
        subprocess.run(
            command,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | environment,
        )
        record = read_record(folder)
        assert record is not None, "the stack left no record"
        stack = Stack(record)
        with stack.client:
            yield stack
    finally:
        # A second Ctrl-C must not keep the stack from being ended.
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        progress("stopping the stack")
        down = [*flotilla, "down", "--data", str(folder)]
        subprocess.run(down, check=False, capture_output=True, start_new_session=True)
        shutil.rmtree(folder, ignore_errors=True)
        signal.signal(signal.SIGINT, handler)


@contextmanager
def child(command: Sequence[str], environment: dict[str, str], log: Path) -> Iterator[int]:
    """A further process, given by its id, that is ended when the block is left."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
