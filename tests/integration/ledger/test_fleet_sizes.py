"""Redis, which may be frozen, is asked for the fleets' sizes before the ledger is locked."""

import sqlite3
from types import SimpleNamespace
from typing import Any

import pytest

from flotilla import dispatch, pipelines
from flotilla.ledger import fan_outs, stages, steps
from flotilla.ledger.database import Database
from flotilla.ledger.fleet_sizes import FleetSizes
from flotilla.ledger.leases import Lease
from flotilla.ledger.runs import StageRun
from flotilla.ledger.steps import Held, Key
from tests.integration.ledger.operations import add, new_job

pytestmark = pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)


@pytest.fixture
def asked(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each time that the sizes were asked for, whether others could write meanwhile."""
    answers: list[bool] = []

    def get(_self: FleetSizes) -> dict[str, int]:
        with sqlite3.connect(ledger_url.removeprefix("sqlite:///"), timeout=0) as other:
            try:
                other.execute("BEGIN IMMEDIATE")
                answers.append(True)
            except sqlite3.OperationalError:
                answers.append(False)
        return {"document": 8}

    monkeypatch.setattr(FleetSizes, "get", get)
    return answers


def ingest(ledger: Database, stage: str) -> Any:
    job = new_job(kind="ingest", queue="document", stage=stage, sent=True)
    add(ledger, job)
    with ledger.reading() as connection:
        return stages.jobs.get(connection, job.id)


def test_planning_asks_before_it_writes(ledger: Database, asked: list[bool]) -> None:
    job = ingest(ledger, pipelines.CONVERT)
    with ledger.writing() as connection:
        held = steps.begin(connection, Key(job.id, pipelines.CONVERT), "worker@host:1")
    assert isinstance(held, Held)
    run = StageRun(job, held, ledger, Lease(ledger, lambda c: steps.still_held(c, held)))

    assert len(run.plan(pipelines.CONVERT_RANGE, [(page, page) for page in range(40)])) == 32
    assert asked == [True]


def planned(ledger: Database) -> Any:
    job = ingest(ledger, pipelines.CONVERT)
    with ledger.writing() as connection:
        held = steps.begin(connection, Key(job.id, pipelines.CONVERT), "worker@host:1")
        assert isinstance(held, Held)
        steps.finish(connection, held)
        fan_outs.plan(connection, job.id, pipelines.CONVERT_RANGE, [()] * 40)
    return job


def test_the_next_wave_asks_before_it_is_marked_as_sent(
    ledger: Database, asked: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = planned(ledger)
    monkeypatch.setattr(stages, "get_database", lambda: ledger)
    task: Any = SimpleNamespace(request=SimpleNamespace(hostname="worker@host"))
    sent: list[Any] = []

    def wave(_job_id: str, parts: list[fan_outs.Part]) -> Any:
        sent.extend(parts)

    stages._begin(task, Key(job.id, pipelines.GATHER), pipelines.CONVERT_RANGE, wave, None)
    assert len(sent) == 32
    assert asked == [True]


def test_resuming_asks_before_it_writes(
    ledger: Database, asked: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = planned(ledger)
    sent: list[Any] = []
    monkeypatch.setattr(pipelines, "resume_parts", lambda *arguments: sent.extend(arguments[3]))

    assert dispatch.resume(ledger, job)
    assert len(sent) == 32
    assert asked == [True]
