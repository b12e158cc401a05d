"""Flotilla's own programs, forked by the supervisor with their modules in memory."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis

from flotilla.local.stack.options import Ports, StackOptions
from flotilla.local.stack.orphans import end_processes, program_name, stack_processes
from flotilla.local.stack.programs import Program, programs
from flotilla.local.stack.record import read_record
from flotilla.local.stack.status import ProcessStatus, status
from flotilla.local.stack.supervisor import up
from flotilla.settings import STACK_MARKER, Settings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs are forked on Linux only")


def eventually(condition: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this did not come true in time"
        time.sleep(0.02)


def some(settings: Settings, options: StackOptions, ports: Ports) -> list[Program]:
    """Redis, beat and a worker; the worker's readiness would need the gateway."""
    return [
        program.model_copy(update={"probe": program.probe if program.name == "redis" else None})
        for program in programs(settings, options, ports)
        if program.name in ("redis", "beat", "default-1")
    ]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("forked") / "data"
    ports = Ports(gateway=0, redis=0, cache=0, qdrant=0, flower=0)
    options = StackOptions(data=folder, ports=ports, detach=True)
    up(Settings(), options, migrate=lambda _: None, report=lambda _: None, table=some, timeout=60)
    yield folder
    end_processes(folder.resolve(), grace=0)


def one(data: Path, name: str) -> ProcessStatus:
    return next(process for process in status(data) if process.name == name)


def announced(data: Path) -> int | None:
    """The process id under which the worker shows itself."""
    client = redis.Redis.from_url(read_record(data).redis_url)
    found = [json.loads(client.get(key)) for key in client.scan_iter("flotilla:worker:default:*")]
    client.close()
    return found[0]["pid"] if found else None


def test_a_forked_program_looks_like_one_of_its_own(data: Path) -> None:
    eventually(lambda: announced(data) == one(data, "default-1").pid)
    for name in ("default-1", "beat"):
        process = psutil.Process(one(data, name).pid)
        assert program_name(process) == name
        assert process.environ()[STACK_MARKER] == str(data)
        assert os.getpgid(process.pid) == process.pid
        eventually(lambda process=process: "supervisord" not in " ".join(process.cmdline()))
        # What the name left of its room shows that it was forked, not executed.
        assert process.environ()["_"].strip() == ""
        # The supervisor's remote control stays with the supervisor.
        assert not any(connection.laddr for connection in process.net_connections("unix"))


def test_a_killed_worker_is_soon_back(data: Path) -> None:
    eventually(lambda: one(data, "default-1").state == "running")
    first = one(data, "default-1").pid
    os.kill(first, signal.SIGKILL)
    eventually(lambda: announced(data) not in (None, first))
    assert announced(data) == one(data, "default-1").pid
    assert program_name(psutil.Process(announced(data))) == "default-1"


def test_a_worker_that_is_told_to_end_ends_in_order(data: Path) -> None:
    eventually(lambda: one(data, "default-1").state == "running")
    log = read_record(data).logs / "supervisord.log"
    os.kill(one(data, "default-1").pid, signal.SIGTERM)
    eventually(lambda: "exited: default-1 (exit status 0" in log.read_text())
    eventually(lambda: one(data, "default-1").pid)


def test_forked_programs_end_with_a_killed_supervisor(data: Path) -> None:
    supervisor = next(p.pid for p in stack_processes(data) if not program_name(p))
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: not stack_processes(data))
