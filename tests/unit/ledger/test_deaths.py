"""What ended a child process, from Celery's words for its exit and the kernel's count."""

from pathlib import Path

import pytest

from flotilla.ledger import deaths
from flotilla.ledger.deaths import OUT_OF_MEMORY_EXIT, cause_of, oom_kills

SIGNAL = "Worker exited prematurely: signal {} (NAME) Job: 3."


@pytest.mark.parametrize(
    ("message", "oom_killed", "code"),
    [
        (SIGNAL.format(11), False, "crashed"),
        (SIGNAL.format(6), False, "crashed"),
        (SIGNAL.format(9), True, "out_of_memory"),
        (SIGNAL.format(9), False, "worker_lost"),
        (SIGNAL.format(15), False, "worker_lost"),
        (SIGNAL.format(15), True, "worker_lost"),
        (
            f"Worker exited: exitcode {OUT_OF_MEMORY_EXIT} Job: 3.",
            False,
            "out_of_memory",
        ),
    ],
)
def test_only_what_the_work_did_itself_counts_against_the_document(
    message: str, oom_killed: bool, code: str
) -> None:
    assert cause_of(message, oom_killed).code == code


def test_the_kernels_victims_are_those_of_the_container_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, machine = tmp_path / "memory.events", tmp_path / "vmstat"
    monkeypatch.setattr(deaths, "OOM_COUNTS", (group, machine))
    assert oom_kills() == 0
    machine.write_text("pgfault 12\noom_kill 5\n")
    assert oom_kills() == 5
    group.write_text("max 0\noom 1\noom_kill 2\noom_group_kill 0\n")
    assert oom_kills() == 2
