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


def rest_all(ledger: Database, jobs: list[str]) -> None:
    for job_id in jobs:
        rest(ledger, job_id, 3600)


def handed_out(ledger: Database) -> int:
    with ledger.reading() as connection:
        return len(admission.sent(connection, admission.KINDS))


def test_what_rests_keeps_no_place_from_others(ledger: Database) -> None:
    """One site asks for an hour's patience, and all of its documents are handed out."""
    one = tenant(ledger)
    site = waiting(ledger, one, 4 * admission.MOST_SENT)
    while released := release(ledger, 4):
        rest_all(ledger, released)
    assert handed_out(ledger) == len(site)

    uploads = waiting(ledger, one, 6)
    assert release(ledger, 4) == uploads[:4]
    with ledger.writing() as connection:
        job_ends.complete(connection, uploads[0], {})
    # Now more than that many are handed out: one fewer is at work.
    assert release(ledger, 4) == []
    with ledger.writing() as connection:
        job_ends.complete(connection, uploads[1], {})
    assert release(ledger, 4) == [uploads[4]]


def test_the_more_rest_the_fewer_are_tried_at_a_time_and_never_none(ledger: Database) -> None:
    """A provider asks everybody for patience: not all that waits is sent to it."""
    jobs = waiting(ledger, tenant(ledger), 100)
    rounds = []
    for _ in range(30):
        released = release(ledger, 4)
        rest_all(ledger, released)
        rounds.append(len(released))

    assert rounds[:4] == [4] * 4
    assert rounds[-12:] == [1] * 12
    assert sorted(rounds, reverse=True) == rounds
    assert handed_out(ledger) == sum(rounds) < 60 < len(jobs)
    # While it is at work, no other is.
    [last] = release(ledger, 4)
    assert release(ledger, 4) == []
    with ledger.writing() as connection:
        job_ends.complete(connection, last, {})
    assert len(release(ledger, 4)) == 1
