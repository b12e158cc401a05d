import shlex
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from flotilla.local.stack import control
from flotilla.local.stack.control import Supervisord, _quoted
from flotilla.local.stack.options import Ports
from flotilla.local.stack.programs import Program, Stage
from flotilla.local.stack.record import StackRecord
from flotilla.settings import get_settings


def record(data: Path, *programs: Program) -> StackRecord:
    (data / "logs").mkdir(parents=True)
    return StackRecord(
        data=data,
        host="127.0.0.1",
        ports=Ports(),
        taken=Ports(),
        redis_url="redis://127.0.0.1:6379/0",
        qdrant_url="http://127.0.0.1:6333",
        programs=programs,
        socket=data / "s",
    )


def test_supervisord_reads_every_command_as_it_was_meant(tmp_path: Path) -> None:
    command = ("/bin/a b", "", "100%", "%(here)s", "one #two ;three", "it's", '"quoted"')
    program = Program(name="odd", command=command, stage=Stage.REDIS, stop_seconds=7)
    daemon = Supervisord(record(tmp_path / "with space", program))
    daemon._write([program])
    options = ServerOptions()
    options.realize(["-c", str(tmp_path / "with space" / "supervisord.conf")], doc="")
    [group] = options.process_group_configs
    [read] = group.process_configs
    assert tuple(shlex.split(read.command)) == command
    assert (read.priority, read.stopwaitsecs, read.killasgroup) == (Stage.REDIS, 7, True)
    assert read.stdout_logfile == str(tmp_path / "with space" / "logs" / "odd.log")
    assert not options.parse_warnings


@pytest.mark.parametrize(
    ("workers", "own", "threads"), [(1, "", None), (2, "", "3"), (2, "5", None)]
)
def test_workers_that_embed_share_the_processors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, own: str, threads: str | None
) -> None:
    name = "FLOTILLA_VECTORSTORE_EMBEDDING_THREADS"
    monkeypatch.setenv(name, own)
    monkeypatch.setattr(control, "cores", lambda: 6)
    get_settings.cache_clear()
    programs = [
        Program(name=f"{number}", command=("a",), stage=Stage.FLEET, fleet="vectorstore")
        for number in range(workers)
    ]
    assert Supervisord(record(tmp_path / "data", *programs))._environment().get(name) == threads
    monkeypatch.undo()
    get_settings.cache_clear()


def test_plain_commands_stay_legible() -> None:
    assert _quoted(["redis-server", "--port", "6379"]) == "redis-server --port 6379"


def test_ends_are_counted_from_supervisords_log(tmp_path: Path) -> None:
    daemon = Supervisord(record(tmp_path / "data"))
    assert daemon.exits() == {}
    (tmp_path / "data" / "logs" / "supervisord.log").write_text(
        "2026-11-20 10:00:00,1 INFO spawned: 'rag-1' with pid 7\n"
        "2026-11-20 10:00:01,1 WARN exited: rag-1 (terminated by SIGKILL; not expected)\n"
        "2026-11-20 10:00:02,1 INFO exited: rag-1 (exit status 0; expected)\n"
        "2026-11-20 10:00:03,1 INFO stopped: rag-1 (exit status 0)\n"
    )
    assert daemon.exits() == {"rag-1": 2}


def test_a_stack_that_does_not_run_is_told_apart(tmp_path: Path) -> None:
    daemon = Supervisord(record(tmp_path / "data"))
    assert not daemon.is_running()
    assert daemon.processes() == {}
    daemon.shutdown()
