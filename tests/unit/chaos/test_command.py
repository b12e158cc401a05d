"""A matrix with rows that could not be run does not pass for a whole one."""

import sys
from dataclasses import replace

import pytest

from tests.chaos import __main__ as command
from tests.chaos import mounts
from tests.chaos.verdict import Verdict


@pytest.fixture
def without_faketime(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No row is really run, and one cannot be; returns the names of those that would have."""
    ran: list[str] = []

    def run_row(row, *_: object, **__: object) -> Verdict:  # type: ignore[no-untyped-def]
        if (obstacle := row.obstacle()) is not None:
            return Verdict(row.name, 1, skipped=obstacle)
        ran.append(row.name)
        return Verdict(row.name, 1)

    rows = dict(command.ROWS)
    rows["clock"] = replace(rows["clock"], obstacle=lambda: "install the package faketime")
    monkeypatch.setattr(command, "ROWS", rows)
    monkeypatch.setattr(command, "run_row", run_row)
    monkeypatch.setattr(command, "isolate_environment", lambda: None)
    monkeypatch.setattr(mounts, "isolate", lambda: None)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    return ran


def called(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["chaos", *arguments])
    return command.main()


def test_it_says_what_is_missing_before_it_begins(
    without_faketime: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert called(monkeypatch, "--rows", "rag,clock") == 2
    assert "clock: install the package faketime" in capsys.readouterr().err
    assert without_faketime == []


def test_rows_are_left_out_where_that_is_allowed(
    without_faketime: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert called(monkeypatch, "--rows", "rag,clock", "--allow-skipped") == 0
    assert without_faketime == ["rag"]
