"""What the reaper finds in the ledger, and that looking for it stays cheap."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from flotilla import pipelines
from flotilla.ledger import (
    admission,
    clock,
    fan_outs,
    job_ends,
    job_leases,
    lost_steps,
    recovery,
    steps,
)
from flotilla.ledger.database import Database
from flotilla.ledger.steps import Held, Key
from flotilla.schemas import TaskStatus
from tests.integration.ledger.clocks import StandingClock
from tests.integration.ledger.operations import ERROR, add, new_job, shown_task

STAGE = "document.convert"
KINDS = tuple(pipelines.ORDER)
GRACE = recovery.grace().total_seconds()
LEASE = steps.lease_time().total_seconds()


@pytest.fixture(autouse=True)
def time(monkeypatch: pytest.MonkeyPatch) -> StandingClock:
    standing = StandingClock()
    monkeypatch.setattr(clock, "_clock", standing)
    return standing


def ingestion(ledger: Database, sent: bool = True) -> str:
    [job_id] = add(ledger, new_job(kind="ingest", queue="document", stage=STAGE, sent=sent))
    return job_id


def begin(ledger: Database, job_id: str, part: int = 0) -> Held:
    with ledger.writing() as connection:
        held = steps.begin(connection, Key(job_id, STAGE, part), "worker@host:1")
    assert isinstance(held, Held)
    return held


def write(ledger: Database, change: Callable[[Connection], Any]) -> Any:
    with ledger.writing() as connection:
        return change(connection)


def found(ledger: Database) -> dict[str, list[str]]:
    """The jobs that the reaper would look at, by why."""
    with ledger.reading() as connection:
        return {
            "due": [key.job_id for key in recovery.due(connection, KINDS)],
            "overdue": [key.job_id for key in recovery.overdue(connection, KINDS)],
            "silent": [job.id for job in recovery.silent(connection, KINDS)],
        }


NOTHING: dict[str, list[str]] = {"due": [], "overdue": [], "silent": []}


def test_a_job_whose_message_was_never_begun_is_silent_after_a_while(
    ledger: Database, time: StandingClock
) -> None:
    job_id = ingestion(ledger)
    held_back = ingestion(ledger, sent=False)

    time.advance(GRACE - 1)
    assert found(ledger) == NOTHING
    time.advance(2)
    assert found(ledger) == NOTHING | {"silent": [job_id]}
    assert shown_task(ledger, held_back).status is TaskStatus.PENDING


def test_a_job_between_two_stages_is_silent_after_a_while(
    ledger: Database, time: StandingClock
) -> None:
    job_id = ingestion(ledger)
    held = begin(ledger, job_id)
    time.advance(GRACE + 1)
    assert found(ledger) == NOTHING
    write(ledger, lambda c: steps.finish(c, held))
    time.advance(GRACE - 1)
    assert found(ledger) == NOTHING
    time.advance(2)
    assert found(ledger) == NOTHING | {"silent": [job_id]}


def test_a_step_whose_worker_vanished_is_due_at_once(ledger: Database, time: StandingClock) -> None:
    job_id = ingestion(ledger)
    begin(ledger, job_id)
    time.advance(LEASE + 1)
    assert found(ledger) == NOTHING

    assert [freed.key.job_id for freed in write(ledger, lost_steps.free_expired)] == [job_id]
    assert found(ledger) == NOTHING | {"due": [job_id]}


@pytest.mark.parametrize(("sent", "why"), [(True, "overdue"), (False, "due")])
def test_a_step_between_two_attempts_is_looked_for_when_it_is_due(
    ledger: Database, time: StandingClock, sent: bool, why: str
) -> None:
    job_id = ingestion(ledger)
    held = begin(ledger, job_id)
    write(ledger, lambda c: steps.release(c, held, 1000, sent=sent, outage=False))
    time.advance(999)
    assert found(ledger) == NOTHING
    time.advance(GRACE + 2)
    assert found(ledger) == NOTHING | {why: [job_id]}


def test_planned_parts_wait_for_their_wave_and_sent_ones_are_looked_for(
    ledger: Database, time: StandingClock
) -> None:
    job_id = ingestion(ledger)
    write(ledger, lambda c: fan_outs.plan(c, job_id, STAGE, [()] * 5))
    wave = write(ledger, lambda c: fan_outs.next_wave(c, job_id, STAGE, 2))
    time.advance(GRACE + 1)

    with ledger.reading() as connection:
        overdue = recovery.overdue(connection, KINDS)
    assert sorted(key.part for key in overdue) == [part.number for part in wave]
    assert found(ledger)["silent"] == []


@pytest.mark.parametrize("end", ["complete", "fail", "cancel"])
def test_what_is_over_is_looked_for_no_more(
    ledger: Database, time: StandingClock, end: str
) -> None:
    waiting, running, silent = (ingestion(ledger) for _ in range(3))
    held = begin(ledger, waiting)
    write(ledger, lambda c: steps.release(c, held, 0, sent=False, outage=False))
    begin(ledger, running)
    for job_id in (waiting, running, silent):
        if end == "complete":
            write(ledger, lambda c, each=job_id: job_ends.complete(c, each, {}))
        elif end == "fail":
            write(ledger, lambda c, each=job_id: job_ends.fail(c, each, ERROR))
        else:
            write(ledger, lambda c, each=job_id: job_ends.cancel(c, each))
    time.advance(1000)

    assert found(ledger) == NOTHING
    assert write(ledger, lost_steps.free_expired) == []


def test_what_was_cancelled_is_cleaned_once_nobody_works_on_it(
    ledger: Database, time: StandingClock
) -> None:
    pause = timedelta(seconds=15)
    job_id, failed = ingestion(ledger), ingestion(ledger)
    begin(ledger, job_id)
    write(ledger, lambda c: job_ends.cancel(c, job_id))
    write(ledger, lambda c: job_ends.fail(c, failed, ERROR))

    assert write(ledger, lambda c: recovery.uncleaned(c, pause)) == []
    time.advance(LEASE + 1)
    assert write(ledger, lambda c: recovery.uncleaned(c, pause)) == [job_id]
    assert write(ledger, lambda c: recovery.uncleaned(c, pause)) == []
    time.advance(16)
    assert write(ledger, lambda c: recovery.uncleaned(c, pause)) == [job_id]
    write(ledger, lambda c: recovery.mark_cleaned(c, job_id))
    time.advance(16)
    assert write(ledger, lambda c: recovery.uncleaned(c, pause)) == []


# --- questions -----------------------------------------------------------------------------


def lease(ledger: Database, job_id: str) -> job_leases.Leased | None:
    with ledger.writing() as connection:
        return job_leases.lease(connection, job_id, "rag.answer", "rag", 1, "worker@host:1")


def test_a_question_is_looked_for_when_nobody_has_begun_it(
    ledger: Database, time: StandingClock
) -> None:
    unbegun, begun = add(ledger, new_job(sent=True), new_job(sent=True))
    assert lease(ledger, begun) is not None
    assert lease(ledger, begun) is None
    time.advance(GRACE + 1)

    with ledger.reading() as connection:
        assert [job.id for job in recovery.unanswered(connection)] == [unbegun]


@pytest.mark.parametrize("kind", sorted(pipelines.REPLIES))
def test_a_question_whose_worker_vanished_is_taken_from_it(
    ledger: Database, time: StandingClock, kind: str
) -> None:
    [job_id] = add(ledger, new_job(sent=True, kind=kind))
    late = lease(ledger, job_id)
    assert late is not None
    assert write(ledger, recovery.free_replies) == []
    time.advance(LEASE + 1)
    assert [(each.job.id, each.losses) for each in write(ledger, recovery.free_replies)] == [
        (job_id, 1)
    ]

    again = lease(ledger, job_id)
    assert again is not None
    assert not write(ledger, lambda c: job_leases.renew(c, job_id, late.fence))
    assert write(ledger, lambda c: job_ends.complete(c, job_id, "late", late.fence)) is None
    assert write(ledger, lambda c: job_ends.complete(c, job_id, "good", again.fence)) is not None


def test_what_has_no_lease_expires_when_it_was_not_begun_or_not_ended(
    ledger: Database, time: StandingClock
) -> None:
    unbegun, unended, ended, question = add(
        ledger, *(new_job(sent=True, kind=kind) for kind in ("demo", "demo", "demo", "query"))
    )
    for job_id in (unended, ended):
        lease(ledger, job_id)
    write(ledger, lambda c: job_ends.complete(c, ended, {}))
    time.advance(601)
    [young] = add(ledger, new_job(sent=True, kind="demo"))

    with ledger.reading() as connection:
        old = recovery.expired(connection, ("demo",), timedelta(minutes=10))
    assert [job.id for job in old] == [unbegun, unended]
    for job_id in (young, question):  # a question waits as long as it has to
        assert shown_task(ledger, job_id).status is TaskStatus.PENDING


# --- what it costs -------------------------------------------------------------------------


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_a_round_of_the_reaper_reads_nothing_of_what_waits_or_is_over(
    ledger: Database, plans: list[str]
) -> None:
    job_id = ingestion(ledger)
    begin(ledger, job_id)
    found(ledger)
    with ledger.writing() as connection:
        lost_steps.free_expired(connection)
        recovery.free_replies(connection)
        recovery.unanswered(connection)
        recovery.expired(connection, ("demo",), timedelta(minutes=10))
        recovery.uncleaned(connection, timedelta(seconds=15))
        admission.release(connection, 10)
