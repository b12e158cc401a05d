"""Whose turn it is: a tenant with a thousand documents does not make another wait for them."""

from collections import Counter, deque

import pytest
from sqlalchemy import insert, select

from flotilla import dispatch, pipelines
from flotilla.ledger import admission, endings, job_ends, jobs
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, new_id, now
from flotilla.ledger.jobs import NewJob
from flotilla.ledger.tables import JOBS, TENANTS

WINDOW = 32


class Fleet:
    """A broker that is first come, first served, and a fleet that ends one job at a time."""

    def __init__(self, ledger: Database) -> None:
        self.ledger = ledger
        self.queue: deque[str] = deque()
        self.ended: Counter[str] = Counter()

    def submit(self, tenant: str, number: int) -> None:
        new = [
            NewJob(
                tenant_id=tenant,
                kind="ingest",
                queue="document",
                stage="document.convert",
                payload={},
            )
            for _ in range(number)
        ]
        with self.ledger.writing() as connection:
            jobs.add(connection, new)
        dispatch.release(self.ledger)

    def work(self) -> str:
        """End the job whose message came first; returns whose it was."""
        job_id = self.queue.popleft()
        with self.ledger.writing() as connection:
            task = job_ends.complete(connection, job_id, {})
            assert task is not None
            tenant = connection.scalar(select(JOBS.c.tenant_id).where(JOBS.c.id == job_id))
        assert tenant is not None
        self.ended[tenant] += 1
        dispatch.release(self.ledger)
        return str(tenant)

    def work_until(self, tenant: str) -> None:
        while self.work() != tenant:
            assert self.queue, "its turn never came"


@pytest.fixture
def fleet(ledger: Database, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    fleet = Fleet(ledger)
    monkeypatch.setattr(endings, "announce", lambda _task: None)
    monkeypatch.setattr(admission, "window", lambda: WINDOW)
    monkeypatch.setattr(pipelines, "begin", lambda *what: fleet.queue.append(what[1]))
    return fleet


@pytest.fixture
def other(ledger: Database) -> str:
    """A second tenant."""
    tenant = new_id()
    with ledger.writing() as connection:
        connection.execute(insert(TENANTS).values(id=tenant, name="other", created_at=now()))
    return tenant


def test_one_document_comes_before_the_first_hundred_of_a_thousand(
    fleet: Fleet, other: str
) -> None:
    fleet.submit(DEFAULT_TENANT, 1000)
    fleet.work()
    fleet.submit(other, 1)
    fleet.work_until(other)
    assert fleet.ended[DEFAULT_TENANT] < 100
    assert fleet.ended[DEFAULT_TENANT] <= WINDOW + 1  # what was under way already, and no more


def test_two_who_wait_take_turns(fleet: Fleet, other: str) -> None:
    fleet.submit(DEFAULT_TENANT, 300)
    fleet.submit(other, 300)
    for _ in range(WINDOW):  # what the first had under way before the other came
        fleet.work()
    before = fleet.ended.copy()
    for _ in range(100):
        fleet.work()
    gained = {tenant: fleet.ended[tenant] - before[tenant] for tenant in (DEFAULT_TENANT, other)}
    assert abs(gained[DEFAULT_TENANT] - gained[other]) <= WINDOW


def test_no_more_are_under_way_than_the_fleets_can_do(fleet: Fleet, other: str) -> None:
    fleet.submit(DEFAULT_TENANT, 100)
    assert len(fleet.queue) == WINDOW
    fleet.submit(other, 100)
    assert len(fleet.queue) == WINDOW + 1  # the one that nobody may be refused
    for _ in range(50):
        fleet.work()
        assert len(fleet.queue) <= WINDOW + 1
