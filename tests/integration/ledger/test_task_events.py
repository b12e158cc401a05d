"""What the ledger says of tasks to those who follow them."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from flotilla.ledger import job_views, jobs, task_events
from flotilla.ledger.database import Database
from flotilla.ledger.tables import JOBS
from flotilla.schemas import TaskStatus
from tests.integration.ledger.operations import add, new_job, set_back, shown_task

NOON = datetime(2026, 1, 1, 12).astimezone()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    moment = [NOON]
    monkeypatch.setattr(job_views, "now", lambda: moment[0])
    monkeypatch.setattr(jobs, "now", lambda: moment[0])
    return moment


def advance(
    ledger: Database, job_id: str, done: int, total: int | None = 100, **options: Any
) -> Any:
    """Set the progress; returns the seconds that are said to be left."""
    with ledger.writing() as connection:
        connection.execute(update(JOBS).where(JOBS.c.id == job_id).values(status="processing"))
        jobs.progress(connection, job_id, done, total, options.get("unit", "chunks"))
    progress = shown_task(ledger, job_id).progress
    assert progress is not None
    return progress.eta_seconds


def test_the_time_that_is_left_follows_the_rate(ledger: Database, clock: list[datetime]) -> None:
    [job_id] = add(ledger, new_job())
    assert advance(ledger, job_id, 0) is None
    clock[0] += timedelta(seconds=0.4)
    assert advance(ledger, job_id, 10) is None  # too soon to tell
    clock[0] += timedelta(seconds=0.6)
    assert advance(ledger, job_id, 4) == 9.0  # 10 are done already, and that is what counts
    assert advance(ledger, job_id, 20) == 4.0
    clock[0] += timedelta(seconds=7)
    assert advance(ledger, job_id, 80) == 2.0
    assert advance(ledger, job_id, 100) == 0.0
    assert advance(ledger, job_id, 110) == 0.0


def test_little_is_enough_after_a_while_and_a_new_unit_begins_anew(
    ledger: Database, clock: list[datetime]
) -> None:
    [job_id] = add(ledger, new_job())
    advance(ledger, job_id, 0, unit="pages")
    clock[0] += timedelta(seconds=1.9)
    assert advance(ledger, job_id, 1, unit="pages") is None
    clock[0] += timedelta(seconds=0.1)
    assert advance(ledger, job_id, 1, unit="pages") == 198.0
    assert advance(ledger, job_id, 0, unit="chunks") is None
    clock[0] += timedelta(seconds=1)
    assert advance(ledger, job_id, 50, unit="chunks") == 1.0
    assert advance(ledger, job_id, 50, total=None) is None


def test_no_time_is_left_to_a_task_that_does_not_run(
    ledger: Database, clock: list[datetime]
) -> None:
    [job_id] = add(ledger, new_job())
    advance(ledger, job_id, 0)
    clock[0] += timedelta(seconds=5)
    assert advance(ledger, job_id, 50) == 5.0
    set_back(ledger, job_id, finished_at=NOON)
    with ledger.writing() as connection:
        connection.execute(update(JOBS).where(JOBS.c.id == job_id).values(status="failed"))
    progress = shown_task(ledger, job_id).progress
    assert progress is not None
    assert progress.eta_seconds is None


def test_many_tasks_are_looked_at_as_one_is_shown(
    ledger: Database, clock: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_events, "LARGEST_QUERY", 2)
    ids = add(ledger, *(new_job() for _ in range(5)))
    advance(ledger, ids[2], 3)
    clock[0] += timedelta(seconds=3)
    with ledger.reading() as connection:
        found = task_events.states(connection, [*ids, "gone"])
    assert set(found) == set(ids)
    for job_id in ids:
        assert found[job_id] == task_events.state_of(shown_task(ledger, job_id))
    assert found[ids[2]].status is TaskStatus.PROCESSING


def test_a_job_that_a_newer_release_has_written_hides_no_other(ledger: Database) -> None:
    newer, known = add(ledger, new_job(), new_job())
    with ledger.writing() as connection:
        connection.execute(update(JOBS).where(JOBS.c.id == newer).values(status="paused"))
    with ledger.reading() as connection:
        found = task_events.states(connection, [newer, known])
    assert {job_id: state.status for job_id, state in found.items()} == {known: TaskStatus.PENDING}
