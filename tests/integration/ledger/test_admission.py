"""Admission: whose turn it is, and how much is in flight."""

import pytest
from sqlalchemy import insert

from flotilla.ledger import admission, clock, job_ends, steps
from flotilla.ledger.database import Database, new_id, now
from flotilla.ledger.jobs import NewJob
from flotilla.ledger.steps import Held, Key
from flotilla.ledger.tables import TENANTS
from tests.integration.ledger.clocks import StandingClock
from tests.integration.ledger.operations import add

STAGE = "document.convert"


@pytest.fixture(autouse=True)
def time(monkeypatch: pytest.MonkeyPatch) -> StandingClock:
    standing = StandingClock()
    monkeypatch.setattr(clock, "_clock", standing)
    return standing


def tenant(ledger: Database) -> str:
    tenant_id = new_id()
    with ledger.writing() as connection:
        connection.execute(insert(TENANTS).values(id=tenant_id, name=tenant_id, created_at=now()))
    return tenant_id


def waiting(ledger: Database, tenant_id: str, number: int) -> list[str]:
    new = [
        NewJob(tenant_id=tenant_id, kind="ingest", queue="document", stage=STAGE, payload={})
        for _ in range(number)
    ]
    return add(ledger, *new)


def release(ledger: Database, limit: int) -> list[str]:
    with ledger.writing() as connection:
        return [job.id for job in admission.release(connection, limit)]


def rest(ledger: Database, job_id: str, seconds: float) -> None:
    """Fail at a step whose next attempt is in so many seconds."""
    with ledger.writing() as connection:
        held = steps.begin(connection, Key(job_id, STAGE), "worker@host:1")
        assert isinstance(held, Held)
        steps.release(connection, held, seconds, sent=False, outage=False)


def test_no_more_are_in_flight_than_the_window_holds(ledger: Database) -> None:
    jobs = waiting(ledger, tenant(ledger), 5)

    assert release(ledger, 2) == jobs[:2]
    assert release(ledger, 2) == []
    with ledger.writing() as connection:
        job_ends.complete(connection, jobs[0], {})
    assert release(ledger, 2) == [jobs[2]]


def test_whoever_has_fewest_in_flight_comes_next(ledger: Database) -> None:
    many = waiting(ledger, tenant(ledger), 6)
    assert release(ledger, 2) == many[:2]
    few = waiting(ledger, tenant(ledger), 3)

    # A tenant without any gets one even where there is no room.
    assert release(ledger, 2) == [few[0]]
    assert release(ledger, 5) == [few[1], many[2]]


def test_what_rests_leaves_its_place_to_others_but_not_without_end(ledger: Database) -> None:
    jobs = waiting(ledger, tenant(ledger), 20)
    released = release(ledger, 2)
    while released:
        for job_id in released:
            rest(ledger, job_id, 1000)
        released = release(ledger, 2)

    with ledger.reading() as connection:
        sent = admission.sent(connection, admission.KINDS)
    assert len(sent) == 2 * admission.MOST_SENT
    assert set(sent) == set(jobs[: len(sent)])
