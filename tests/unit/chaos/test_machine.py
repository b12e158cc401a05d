"""Whether a worker's clock is wrong, and whether it has done anything, is read from its log."""

import os
from pathlib import Path

import pytest

from tests.chaos.rows.machine import done, skew

LINES = """\
2026-11-21T08:35:33.000000Z [info     ] worker.ready                   [flotilla.broker] fleet=rag
2026-11-21T08:35:34.000000Z [info     ] Task upkeep.reap[928e] succeeded in 0.06s: 0 [celery]
2026-11-21T08:35:35.000000Z [info     ] Task rag.answer[370b] succeeded in 0.06s: None [celery]
2026-11-21T08:35:36.000000Z [info     ] Task document.convert[9f3c] raised expected: X [celery]
"""
LAST = 1795250136.0  # the last line's time, in seconds since 1970


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "rag-behind.log"
    path.write_text(LINES)
    return path


def test_a_wrong_clock_shows(log: Path) -> None:
    os.utime(log, (LAST - 3600, LAST - 3600))
    assert skew(log) == pytest.approx(3600)
    os.utime(log, (LAST, LAST))
    assert skew(log) == pytest.approx(0)


def test_beats_tasks_are_no_work(log: Path) -> None:
    assert done(log) == 1
    log.write_text("".join(LINES.splitlines(keepends=True)[:2]))
    assert done(log) == 0
