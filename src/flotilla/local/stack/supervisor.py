"""Starts, watches and ends the one-machine stack: `up`, `follow` and `down`."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from types import FrameType

from flotilla.errors import StackFailed
from flotilla.local.stack.control import ALIVE, ProcessInfo, Supervisord
from flotilla.local.stack.options import StackOptions
from flotilla.local.stack.orphans import end_processes, stack_processes
from flotilla.local.stack.ports import reserved_ports
from flotilla.local.stack.preload import EVERYWHERE, GATEWAY, VECTORS
from flotilla.local.stack.programs import VECTOR_FLEETS, Program, ProgramTable, Stage, programs
from flotilla.local.stack.readiness import not_ready
from flotilla.local.stack.record import (
    StackAddresses,
    StackRecord,
    exclusive,
    new_record,
    read_record,
)
from flotilla.settings import Settings

READY_TIMEOUT = 120.0
"""Seconds in which a stack has to be ready: long enough for a busy machine, since a program that
fails is noticed without it."""

EXITS_TOLERATED = 3
"""Ends of one program during the start after which it counts as failing."""

PAUSE = 0.1
"""Seconds between two looks at a stack that starts or ends."""

Report = Callable[[str], None]
Migrate = Callable[[Settings], None]


def up(
    settings: Settings,
    options: StackOptions,
    *,
    migrate: Migrate,
    report: Report,
    table: ProgramTable = programs,
    timeout: float = READY_TIMEOUT,
) -> StackAddresses:
    """Start the stack and wait until it is ready; a running one is only scaled.

    Whatever a stack of the same data folder left behind is ended first. Where the options say
    detached, the stack outlives the caller; else it ends when the caller's process does, and
    `follow` watches it. When the start fails or is interrupted, all of it is ended.

    Args:
        settings: the caller's; a Redis or Qdrant that they name takes the place of an own one.
        options: what to start and where.
        migrate: brings the ledger's database up to date; called before anything uses it.
        report: takes one line for the user at a time.
        table: what the stack consists of.
        timeout: seconds until everything has to be ready.

    Raises:
        StackFailed: a program keeps failing or is not ready in time.
    """
    for folder in ("", "logs", "redis", "cache", "qdrant"):
        (options.data / folder).mkdir(parents=True, exist_ok=True)
    with exclusive(options.data), interruptible():
        record = read_record(options.data)
        if record and Supervisord(record).is_running():
            wanted = table(settings, options, record.taken)
            return _scale(record, wanted, report, timeout)
        if ended := end_processes(options.data):
            report(f"Ended {ended} processes that an earlier stack left behind.")
        if record:
            record.remove_socket()
        before = record.taken if record else None
        with reserved_ports(options.ports, options.host, before) as taken:
            record = new_record(settings, options, taken, table)
            record.save()
            try:
                _start(record, settings, options, migrate, report, timeout)
            except BaseException:
                _stop(record, report)
                raise
        return record.addresses


def follow(data: Path, report: Report) -> None:
    """Watch a stack from the foreground: report what changes until it ends or is interrupted.

    SIGINT, SIGTERM and SIGHUP end the stack in order; a second one ends it at once.
    """
    record = read_record(data)
    if record is None:
        raise StackFailed(f"There is no stack in {data}: start one with `flotilla up`.")
    with interruptible():
        try:
            _watch(Supervisord(record), report)
        except KeyboardInterrupt:
            report("Stopping the stack.")
            try:
                _stop(record, report)
            except KeyboardInterrupt:
                end_processes(record.data, grace=0)


def down(data: Path, *, report: Report) -> bool:
    """End the stack of this data folder, in order, and whatever is left of it.

    Returns:
        Whether there was anything to end.

    Raises:
        StackFailed: another command is at work on the stack, or a process cannot be ended.
    """
    data = data.expanduser().resolve()
    if not data.is_dir():
        return False
    with exclusive(data):
        record = read_record(data)
        there = bool(stack_processes(data))
        if record is None:
            end_processes(data)
        else:
            _stop(record, report)
        if left := stack_processes(data):
            pids = ", ".join(str(process.pid) for process in left)
            raise StackFailed(f"These processes of the stack cannot be ended: {pids}.")
        return there


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGHUP interrupt as Ctrl-C does, so that the stack is ended in order."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    if threading.current_thread() is not threading.main_thread():
        before = {}  # Only the main thread may; elsewhere signals are the caller's business.
    # Under nohup, SIGHUP stays ignored.
    before = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start(
    record: StackRecord,
    settings: Settings,
    options: StackOptions,
    migrate: Migrate,
    report: Report,
    timeout: float,
) -> None:
    deadline = time.monotonic() + timeout
    daemon = Supervisord(record)
    preload = options.preload and sys.platform == "linux"
    stores = [program for program in record.programs if program.stage < Stage.FLEET]
    report("Starting " + ", ".join(program.name for program in record.programs) + ".")
    daemon.launch(stores, companion=None if options.detach else os.getpid())
    # The stores load their data, and the supervisor its modules, while the ledger is looked after.
    if preload:
        daemon.preload(EVERYWHERE)
    migrate(record.settings(settings))
    _await_ready(record, [p for p in stores if p.stage == Stage.REDIS], report, deadline)
    # Nobody waits for beat and Flower, and they would take the processors from the others.
    first = [program for program in record.programs if program.stage != Stage.BESIDE]
    if preload:
        daemon.await_preload(deadline)
        # The others start on one processor while the second part is loaded on another.
        daemon.apply([program for program in first if program.fleet not in VECTOR_FLEETS])
        daemon.preload(VECTORS)
        daemon.await_preload(deadline)
    daemon.apply(first)
    _await_ready(record, first, report, deadline)
    daemon.apply(record.programs)
    if preload:
        daemon.preload(GATEWAY)


def _scale(
    record: StackRecord, wanted: Iterable[Program], report: Report, timeout: float
) -> StackAddresses:
    scalable = (Stage.FLEET, Stage.BESIDE)
    kept = [program for program in record.programs if program.stage not in scalable]
    wanted = [program for program in wanted if program.stage in scalable]
    record = record.model_copy(update={"programs": tuple(sorted(kept + wanted, key=_by_stage))})
    record.save()
    added, removed = Supervisord(record).apply(record.programs)
    report(f"The stack of {record.data} is running already.")
    for names, what in ((added, "Added"), (removed, "Removed")):
        if names:
            report(f"{what} {', '.join(sorted(names))}.")
    _await_ready(record, record.programs, report, time.monotonic() + timeout)
    return record.addresses


def _await_ready(
    record: StackRecord,
    wanted: Iterable[Program],
    report: Report,
    deadline: float,
) -> None:
    """Wait until the programs are ready."""
    daemon = Supervisord(record)
    before = daemon.exits()
    awaited, told = list(wanted), ""
    while True:
        known = daemon.processes()
        _check(record, known, daemon.exits(), before)
        waiting = not_ready(awaited, {name: info.pid for name, info in known.items()})
        awaited = [p for p in awaited if p in waiting or known[p.name].pid is None]
        if not awaited:
            return
        names = ", ".join(program.name for program in awaited)
        if time.monotonic() > deadline:
            raise StackFailed(
                f"Not ready in time: {names}; see the logs in {record.logs}.\n"
                + record.tail(awaited[0].name)
            )
        if names != told:
            report(f"Waiting for {names}.")
            told = names
        time.sleep(PAUSE)


def _check(
    record: StackRecord,
    known: dict[str, ProcessInfo],
    exits: dict[str, int],
    before: dict[str, int],
) -> None:
    if not known:
        raise StackFailed(f"The supervisor is gone; see {record.logs / 'supervisord.log'}.")
    for name, info in known.items():
        if info.state == "BACKOFF" and not info.spawn_error.startswith("Exited"):
            raise StackFailed(f"{name} cannot be started: {info.spawn_error}.")
        if exits.get(name, 0) - before.get(name, 0) >= EXITS_TOLERATED:
            raise StackFailed(
                f"{name} keeps failing; {record.log(name)} ends with:\n{record.tail(name)}"
            )


def _stop(record: StackRecord, report: Report) -> None:
    """End the stack stage by stage, then its supervisor, then whatever is left."""
    daemon = Supervisord(record)
    known = daemon.processes()
    order = sorted(record.programs, key=_by_stage, reverse=True)
    for _, stage in groupby(order, _by_stage):
        names = [p.name for p in stage if p.name in known and known[p.name].state in ALIVE]
        if names:
            report(f"Stopping {', '.join(names)}.")
            daemon.stop(names)
    if known:
        daemon.shutdown()
        _await_end(record.data)
    end_processes(record.data)
    record.remove_socket()


def _await_end(data: Path, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while stack_processes(data) and time.monotonic() < deadline:
        time.sleep(PAUSE / 2)


def _watch(daemon: Supervisord, report: Report) -> None:
    before = daemon.processes()
    while known := daemon.processes():
        for name, info in known.items():
            was = before.get(name)
            if was and was.pid and was.pid != info.pid:
                report(f"{name} (process {was.pid}) ended.")
            if info.pid and (was is None or was.pid != info.pid):
                report(f"{name} is started as process {info.pid}.")
        before = known
        time.sleep(PAUSE)
    report("The stack was stopped.")


def _by_stage(program: Program) -> int:
    return program.stage
