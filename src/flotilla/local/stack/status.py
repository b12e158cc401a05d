"""Tells how the programs of a stack are."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from flotilla.local.stack.control import ProcessInfo, Supervisord
from flotilla.local.stack.orphans import program_name, stack_processes
from flotilla.local.stack.programs import Program
from flotilla.local.stack.record import StackRecord, read_record

_STATES = {
    "STOPPED": "stopped",
    "STARTING": "starting",
    "RUNNING": "running",
    "BACKOFF": "restarting",
    "EXITED": "restarting",
    "STOPPING": "stopping",
    "FATAL": "failed",
    "UNKNOWN": "failed",
}


@dataclass(frozen=True)
class ProcessStatus:
    """One program of the stack.

    `state` is starting, running, restarting, stopping, stopped, failed, or orphaned (it runs,
    but its supervisor is gone). `uptime` is in seconds. `restarts` counts how often it ended
    without being told to since the stack was started. `last_line` is the end of its log, when
    it does not run.
    """

    name: str
    fleet: str | None
    state: str
    pid: int | None
    uptime: float | None
    restarts: int
    address: str | None
    last_line: str | None


def status(data: Path) -> list[ProcessStatus]:
    """The programs of the stack of this data folder; empty when none of it runs."""
    record = read_record(data)
    if record is None:
        return []
    daemon = Supervisord(record)
    known = daemon.processes()
    exits = daemon.exits()
    if not known:
        return _orphaned(record)
    return [
        _status(record, program, known[program.name], exits.get(program.name, 0))
        for program in record.programs
        if program.name in known
    ]


def _status(
    record: StackRecord, program: Program, info: ProcessInfo, restarts: int
) -> ProcessStatus:
    running = info.state == "RUNNING"
    return ProcessStatus(
        name=program.name,
        fleet=program.fleet,
        state=_STATES[info.state],
        pid=info.pid,
        uptime=max(0.0, time.time() - info.started) if info.pid else None,
        restarts=restarts,
        address=program.address,
        last_line=None if running else record.tail(program.name, lines=1) or None,
    )


def _orphaned(record: StackRecord) -> list[ProcessStatus]:
    named = {program.name: program for program in record.programs}
    found: list[ProcessStatus] = []
    for process in stack_processes(record.data):
        name = program_name(process)
        # Each program leads a process group of its own; the rest of the group is not listed.
        if process.pid == os.getpgid(process.pid) and name in named:
            program, uptime = named[name], time.time() - process.create_time()
            found.append(
                ProcessStatus(
                    name, program.fleet, "orphaned", process.pid, uptime, 0, program.address, None
                )
            )
    return found
