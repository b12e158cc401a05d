"""Batches that take members: for how long, and from whom."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection, select

from flotilla.errors import BatchClosed, TaskNotFound
from flotilla.ledger import batch_cancellation, batches, due_batches, endings, job_ends
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, new_id, now
from flotilla.ledger.tables import JOBS, VERSIONS
from flotilla.schemas import Task, TaskStatus
from tests.integration.ledger.batch_operations import (
    REFUSAL,
    Source,
    a_closed_batch,
    close,
    complete,
    members,
    open_batch,
    progress,
    set_due,
    shown,
    submit,
)


def test_a_closed_batch_takes_nothing_more_and_leaves_nothing(
    ledger: Database, source: Source
) -> None:
    batch_id, _ = a_closed_batch(ledger, source, 1)
    with pytest.raises(BatchClosed):
        submit(ledger, batch_id, source("late.txt", b"late"))
    with pytest.raises(BatchClosed), ledger.writing() as connection:
        batches.refuse(connection, DEFAULT_TENANT, batch_id, [REFUSAL])
    assert len(members(ledger, batch_id)) == 1
    with ledger.reading() as connection:
        assert len(connection.execute(select(VERSIONS.c.id)).all()) == 1


@pytest.mark.parametrize("known", [True, False])
def test_only_batches_of_the_tenant_take_members(
    ledger: Database, source: Source, known: bool
) -> None:
    batch_id = submit(ledger, None, source())[0].task_id if known else new_id()
    with pytest.raises(TaskNotFound):
        submit(ledger, batch_id, source("b.txt", b"b"))
    with pytest.raises(TaskNotFound):
        close(ledger, batch_id)
    own = open_batch(ledger)
    with pytest.raises(TaskNotFound), ledger.writing() as connection:
        batches.close(connection, new_id(), own)


def test_one_that_nobody_adds_to_is_closed(ledger: Database, source: Source) -> None:
    idle, busy = open_batch(ledger), open_batch(ledger)
    [accepted] = submit(ledger, idle, source())
    assert due_batches.close_idle(ledger) == []
    set_due(ledger, idle, busy)
    submit(ledger, busy, source("b.txt", b"b"))  # in time
    assert due_batches.close_idle(ledger) == []  # the other one's member is not over
    complete(ledger, accepted.task_id)
    set_due(ledger, idle)
    assert due_batches.close_idle(ledger) == [idle]
    task = shown(ledger, idle)
    assert (task.status, progress(ledger, idle)) == (TaskStatus.COMPLETED, (1, 1))
    assert not shown(ledger, busy).status.final


def refusal_of(ledger: Database, batch_id: str) -> BatchClosed:
    with pytest.raises(BatchClosed) as caught, ledger.reading() as connection:
        batches.check_open(connection, DEFAULT_TENANT, batch_id)
    return caught.value


def test_one_that_was_closed_as_idle_says_so_while_it_waits_for_others(
    ledger: Database, source: Source
) -> None:
    original = source("original.txt", b"the same")
    submit(ledger, None, original)  # somebody else's
    idle, cancelled, closed = (open_batch(ledger) for _ in range(3))
    for batch_id in (idle, cancelled, closed):
        [same] = submit(ledger, batch_id, source("copy.txt", b"the same"))
        assert same.duplicate_of is not None
    set_due(ledger, idle, cancelled)
    due_batches.close_idle(ledger)
    close(ledger, closed)
    assert {shown(ledger, each).status for each in (idle, cancelled, closed)} == {
        TaskStatus.PROCESSING
    }
    with ledger.writing() as connection:
        endings.cancel_by_user(connection, DEFAULT_TENANT, cancelled)
    assert refusal_of(ledger, idle).details == {"closed_as_idle": True}
    assert refusal_of(ledger, cancelled).details == {}
    assert refusal_of(ledger, closed).details == {}


def test_one_that_cannot_be_closed_keeps_no_other_open(
    ledger: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, sound = open_batch(ledger), open_batch(ledger)
    set_due(ledger, broken, sound)
    settle = job_ends.settle

    def fail_for_one(connection: Connection, batch_id: str, ended: int = 0) -> Task | None:
        if batch_id == broken:
            raise ValueError("a row that cannot be read")
        return settle(connection, batch_id, ended)

    monkeypatch.setattr(job_ends, "settle", fail_for_one)
    assert due_batches.close_idle(ledger) == [sound]
    with ledger.reading() as connection:
        assert due_batches.due(connection) == []  # it is looked at again later


def waits_until(ledger: Database, batch_id: str) -> timedelta | None:
    """How long a batch will wait for its next member; None when it does not."""
    with ledger.reading() as connection:
        until = connection.scalar(select(JOBS.c.lease_until).where(JOBS.c.id == batch_id))
    return None if until is None else until - now()


def keep_open(ledger: Database, batch_id: str) -> None:
    with ledger.writing() as connection:
        batches.keep_open(connection, DEFAULT_TENANT, batch_id)


def is_nearly_idle(ledger: Database, batch_id: str) -> bool:
    with ledger.reading() as connection:
        return batches.is_nearly_idle(connection, DEFAULT_TENANT, batch_id)


def test_one_without_members_waits_longer_for_its_first(ledger: Database, source: Source) -> None:
    batch_id = open_batch(ledger)
    waits = waits_until(ledger, batch_id)
    assert waits is not None
    assert waits > timedelta(minutes=59)
    assert not is_nearly_idle(ledger, batch_id)
    keep_open(ledger, batch_id)
    assert waits - timedelta(seconds=30) < (waits_until(ledger, batch_id) or timedelta())
    submit(ledger, batch_id, source())
    waits = waits_until(ledger, batch_id)
    assert waits is not None
    assert waits <= batches.IDLE


def test_one_whose_next_member_is_arriving_is_left_open(ledger: Database, source: Source) -> None:
    batch_id = open_batch(ledger)
    [accepted] = submit(ledger, batch_id, source())
    complete(ledger, accepted.task_id)
    set_due(ledger, batch_id)
    assert is_nearly_idle(ledger, batch_id)
    keep_open(ledger, batch_id)
    assert not is_nearly_idle(ledger, batch_id)
    assert due_batches.close_idle(ledger) == []
    submit(ledger, batch_id, source("b.txt", b"b"))


def test_what_takes_no_more_is_not_left_open(ledger: Database, source: Source) -> None:
    closed, _ = a_closed_batch(ledger, source, 1)
    cancelled = open_batch(ledger)
    submit(ledger, cancelled, source("other.txt", b"other"))
    with ledger.writing() as connection:
        batch_cancellation.request_cancel(connection, cancelled)
    for batch_id in (closed, cancelled):
        before = waits_until(ledger, batch_id)
        for look in (keep_open, is_nearly_idle):
            with pytest.raises(BatchClosed):
                look(ledger, batch_id)
        assert (waits_until(ledger, batch_id) is None) == (before is None)
    with ledger.reading() as connection:
        assert [each.id for each in due_batches.due(connection)] == [cancelled]
    for look in (keep_open, is_nearly_idle):
        with pytest.raises(TaskNotFound):
            look(ledger, new_id())
