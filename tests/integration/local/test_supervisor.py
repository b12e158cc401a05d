import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from flotilla.errors import StackFailed
from flotilla.local.stack.control import Supervisord
from flotilla.local.stack.options import Ports, StackOptions
from flotilla.local.stack.orphans import end_processes, program_name, stack_processes
from flotilla.local.stack.programs import programs
from flotilla.local.stack.readiness import redis_answers
from flotilla.local.stack.record import read_addresses, read_record
from flotilla.local.stack.status import ProcessStatus, status
from flotilla.local.stack.supervisor import down, up
from flotilla.settings import Settings
from tests.integration.local.standins import StandIns, only_redis

ANY_PORTS = Ports(gateway=0, redis=0, cache=0, qdrant=0, flower=0)


def options(data: Path, **changes: object) -> StackOptions:
    # The stand-ins are no programs of Flotilla's, which nothing could be loaded for.
    given = {"ports": ANY_PORTS, "detach": True, "workers": {"rag": 1}, "preload": False} | changes
    return StackOptions(data=data, **given)


def ignore(*_: object) -> None:
    pass


def eventually(condition: Callable[[], object], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this did not come true in time"
        time.sleep(0.02)


def one(data: Path, name: str) -> ProcessStatus | None:
    return next((process for process in status(data) if process.name == name), None)


def start(data: Path, standins: StandIns, **changes: object) -> None:
    up(
        Settings(),
        options(data, **changes),
        migrate=ignore,
        report=ignore,
        table=standins.table,
        timeout=20,
    )


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data with space"
    yield folder
    if folder.exists():
        end_processes(folder.resolve(), grace=0)


def supervisor_pid(data: Path) -> int:
    return next(p.pid for p in stack_processes(data) if not program_name(p))


def test_up_migrates_before_any_fleet_runs_and_is_ready_when_it_returns(data: Path) -> None:
    seen: list[set[str]] = []

    def migrate(settings: Settings) -> None:
        assert settings.data_dir == data
        seen.append({program_name(process) for process in stack_processes(data)})

    lines: list[str] = []
    table = StandIns(data.parent / "parts").table
    addresses = up(
        Settings(), options(data), migrate=migrate, report=lines.append, table=table, timeout=20
    )
    assert seen[0] <= {"", "redis", "qdrant"}
    assert addresses == read_addresses(data)
    assert addresses.gateway.startswith("http://127.0.0.1:")
    assert any("gateway" in line for line in lines)
    assert {process.state for process in status(data)} <= {"starting", "running"}
    assert [process.fleet for process in status(data) if process.fleet] == ["rag"]


def test_a_killed_program_is_started_again_and_counted(data: Path) -> None:
    start(data, StandIns(data.parent / "parts"))
    eventually(lambda: one(data, "rag-1").state == "running")
    first = one(data, "rag-1")
    os.kill(first.pid, signal.SIGKILL)
    eventually(lambda: one(data, "rag-1").pid not in (None, first.pid))
    assert one(data, "rag-1").restarts == first.restarts + 1
    assert one(data, "gateway").restarts == 0


def test_the_children_of_a_killed_program_go_with_it(data: Path) -> None:
    start(data, StandIns(data.parent / "parts", rag_1="fork"))
    leader = psutil.Process(one(data, "rag-1").pid)
    eventually(leader.children)
    child = leader.children()[0]
    os.kill(leader.pid, signal.SIGKILL)
    eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_down_ends_the_gateway_first_and_redis_last(data: Path) -> None:
    standins = StandIns(data.parent / "parts")
    start(data, standins, workers={"rag": 1, "document": 2})
    assert down(data, report=ignore)
    journal = standins.journal.read_text().split()
    assert journal[:2] == ["gateway", "beat"]
    assert sorted(journal[2:5]) == ["document-1", "document-2", "rag-1"]
    assert journal[5:] == ["qdrant", "redis"]
    assert not stack_processes(data)
    assert status(data) == []
    assert not down(data, report=ignore)


def test_a_program_that_will_not_end_is_killed_with_its_group(data: Path) -> None:
    start(data, StandIns(data.parent / "parts", rag_1="fork ignore"))
    assert down(data, report=ignore)
    assert not stack_processes(data)


@pytest.mark.parametrize("command", ["down", "up"])
def test_orphans_of_a_killed_supervisor_are_ended(data: Path, command: str) -> None:
    standins = StandIns(data.parent / "parts", rag_1="ignore", qdrant="fork")
    start(data, standins)
    eventually(lambda: len([p for p in stack_processes(data) if program_name(p) == "qdrant"]) == 2)
    orphans = {process.pid for process in stack_processes(data)}
    os.kill(supervisor_pid(data), signal.SIGKILL)
    # Those that listen are told by the kernel; the deaf one and the child remain.
    eventually(lambda: len(stack_processes(data)) == 2)
    assert {(p.name, p.state) for p in status(data)} == {("rag-1", "orphaned")}
    if command == "down":
        assert down(data, report=ignore)
        assert not stack_processes(data)
    else:
        start(data, StandIns(data.parent / "parts"))
        assert not orphans & {process.pid for process in stack_processes(data)}


def test_two_stacks_live_side_by_side(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    standins = StandIns(tmp_path / "parts")
    try:
        start(data, standins)
        start(other, standins, ports=read_record(data).taken)
        assert read_addresses(data).gateway != read_addresses(other).gateway
        down(data, report=ignore)
        assert not stack_processes(data)
        assert {p.name for p in status(other)} == {"redis", "qdrant", "rag-1", "beat", "gateway"}
    finally:
        end_processes(other, grace=0)


def test_up_on_a_running_stack_only_scales(data: Path) -> None:
    standins = StandIns(data.parent / "parts")
    start(data, standins, workers={"rag": 2})
    before = {process.name: process.pid for process in status(data)}
    start(data, standins, workers={"rag": 1, "default": 1})
    after = {process.name: process.pid for process in status(data)}
    assert set(before) - set(after) == {"rag-2"}
    assert set(after) - set(before) == {"default-1"}
    assert {name: pid for name, pid in after.items() if name in before}.items() <= before.items()


def test_a_failing_program_stops_the_start_and_shows_its_log(data: Path) -> None:
    with pytest.raises(StackFailed, match=r"(?s)gateway keeps failing.*no such module: engine"):
        start(data, StandIns(data.parent / "parts", gateway="failing"))
    assert not stack_processes(data)


def test_a_failed_migration_leaves_nothing_behind(data: Path) -> None:
    def migrate(settings: Settings) -> None:
        raise StackFailed("The ledger is of a newer version.")

    table = StandIns(data.parent / "parts").table
    with pytest.raises(StackFailed, match="newer version"):
        up(Settings(), options(data), migrate=migrate, report=ignore, table=table)
    assert not stack_processes(data)


def test_a_data_folder_too_deep_for_a_socket_is_served(tmp_path: Path) -> None:
    data = tmp_path / ("deep" * 20) / ("folder" * 10)
    start(data, StandIns(tmp_path / "parts"))
    try:
        assert len(str(read_record(data).socket)) < 100
        assert Supervisord(read_record(data)).is_running()
    finally:
        down(data, report=ignore)


def foreground(data: Path) -> subprocess.Popen[str]:
    """`flotilla up` in the foreground over stand-ins, as a process of its own."""
    code = f"""
from pathlib import Path
from flotilla.local.stack.supervisor import follow, up
from flotilla.settings import Settings
from tests.integration.local.standins import StandIns
from tests.integration.local.test_supervisor import ignore, options

data = Path({str(data)!r})
table = StandIns(data.parent / "parts").table
up(Settings(), options(data, detach=False), migrate=ignore, report=ignore, table=table)
print("ready", flush=True)
follow(data, lambda line: print(line, flush=True))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout.readline() == "ready\n"
    return process


def test_ctrl_c_ends_a_stack_in_the_foreground(data: Path) -> None:
    with foreground(data) as process:
        killed = one(data, "rag-1").pid
        os.kill(killed, signal.SIGKILL)
        assert process.stdout.readline() == f"rag-1 (process {killed}) ended.\n"
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert output.index("Stopping gateway") < output.index("Stopping redis")
    assert not stack_processes(data)


def test_a_stack_in_the_foreground_ends_with_its_killed_terminal(data: Path) -> None:
    with foreground(data) as process:
        process.kill()
    eventually(lambda: not stack_processes(data))


def test_the_stacks_own_redis_keeps_its_queues_and_is_found_after_a_crash(data: Path) -> None:
    table = only_redis(programs)
    up(Settings(), options(data), migrate=ignore, report=ignore, table=table, timeout=20)
    address = read_addresses(data).redis
    assert redis_answers(address)
    import redis

    with redis.Redis.from_url(address, decode_responses=True) as client:
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        client.set("queue", "kept")
    os.kill(supervisor_pid(data), signal.SIGSTOP)
    for process in stack_processes(data):
        process.kill()
    eventually(lambda: not redis_answers(address))
    up(Settings(), options(data), migrate=ignore, report=ignore, table=table, timeout=20)
    assert read_addresses(data).redis == address
    with redis.Redis.from_url(address, decode_responses=True) as client:
        assert client.get("queue") == "kept"
    down(data, report=ignore)
    assert not redis_answers(address)
