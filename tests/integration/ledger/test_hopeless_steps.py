"""A job ends in the transaction that gives its hopeless step back: nobody begins it in between."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from sqlalchemy import select

from flotilla import pipelines
from flotilla.errors import FileCorrupt, WorkerLost
from flotilla.ledger import deaths, recovery, stages, steps
from flotilla.ledger.database import Database
from flotilla.ledger.messages import worker_of
from flotilla.ledger.runs import StageRun
from flotilla.ledger.steps import Key
from flotilla.ledger.submissions import NewSource
from flotilla.ledger.tables import STEPS
from flotilla.schemas import TaskStatus
from flotilla.settings import get_settings
from tests.integration.ledger.operations import shown_task, submit

TASK: Any = SimpleNamespace(request=SimpleNamespace(hostname="worker@host", retries=0))


@pytest.fixture
def run(
    ledger: Database, source: Callable[..., NewSource], monkeypatch: pytest.MonkeyPatch
) -> StageRun:
    """A worker has begun to convert a document."""
    monkeypatch.setattr(stages, "get_database", lambda: ledger)
    monkeypatch.setattr(stages, "get_fleet_sizes", lambda: SimpleNamespace(get=dict))
    [accepted] = submit(ledger, source())
    with ledger.writing() as connection:
        recovery.mark_sent(connection, accepted.task_id)
    begun = stages._begin(TASK, Key(accepted.task_id, pipelines.CONVERT), None, None, None)
    assert isinstance(begun, StageRun)
    return begun


def end_after_an_error(ledger: Database, run: StageRun) -> None:
    stages._failed(TASK, run, FileCorrupt("It is damaged."))


def end_after_a_death(ledger: Database, run: StageRun) -> None:
    losses = get_settings().job.max_losses - 1
    with ledger.writing() as connection:
        connection.execute(STEPS.update().values(losses=losses))
    deaths.report_death(ledger, run.held.key, worker_of(TASK), WorkerLost("Gone."), sent=False)


ENDS = pytest.mark.parametrize("end", [end_after_an_error, end_after_a_death])


@ENDS
def test_a_job_fails_with_its_hopeless_step(
    ledger: Database, run: StageRun, end: Callable[[Database, StageRun], None]
) -> None:
    end(ledger, run)
    assert shown_task(ledger, run.job.id).status is TaskStatus.FAILED


@ENDS
def test_a_step_that_is_given_back_alone_is_given_back_not_at_all(
    ledger: Database,
    run: StageRun,
    end: Callable[[Database, StageRun], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def killed(*_: object) -> NoReturn:
        raise SystemExit

    for module in (stages, deaths):
        monkeypatch.setattr(module, "fail_in", killed)
    with pytest.raises(SystemExit):
        end(ledger, run)

    with ledger.reading() as connection:
        state = connection.scalar(select(STEPS.c.state).where(STEPS.c.job_id == run.job.id))
    assert state == steps.StepState.RUNNING.value
