"""What is concluded from the requests of a run."""

from argparse import Namespace
from collections import Counter

import pytest

from tests.chaos.postgresql import PostgreSQL
from tests.fuzz import __main__ as program
from tests.fuzz.judgement import Tally
from tests.fuzz.ledger import LostProcesses
from tests.fuzz.trial import Trial


def tally(*statuses: int) -> Tally:
    return Tally(len(statuses), Counter(statuses))


def trial(made: Tally, broken: Tally, **ends: int) -> Trial:
    return Trial({"GET /tasks": made}, {"body": broken}, Counter(ends), LostProcesses(), 1.0)


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert trial(tally(200, 422), tally(422, 202), completed=2, invalid_request=1).faults() == []


def test_requests_that_are_all_refused_try_nothing() -> None:
    assert len(trial(tally(422, 404), tally(422, 202)).faults()) == 1
    assert len(trial(tally(200), tally(422, 405)).faults()) == 1


def test_failures_deaths_and_tasks_without_end_are_found() -> None:
    broken = tally(202, 500)
    broken.fail("unprovoked 500", "POST /tasks/retry")
    found = trial(tally(200), broken, **{"internal_error": 2, "no state": 1}).faults()
    assert len(found) == 3
    assert "POST /tasks/retry" in found[0]


def test_without_postgresql_its_round_is_skipped_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(PostgreSQL, "obstacle", staticmethod(lambda: "initdb is not on the PATH"))
    found: list[str] = []
    assert program._postgresql(Namespace(cases=10, seed=1), found) == {}
    assert found == []
    assert "initdb is not on the PATH" in capsys.readouterr().err
