"""Retrying a batch too large for one request: the reaper goes on, and the batch ends after that."""

import pytest

from flotilla.errors import Conflict
from flotilla.ledger import (
    batch_cancellation,
    batches,
    due_batches,
    endings,
    failed_jobs,
    job_ends,
    retries,
)
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.schemas import Task, TaskStatus
from flotilla.upkeep.batches import advance
from tests.integration.ledger.batch_operations import (
    ERROR,
    REFUSAL,
    Source,
    a_closed_batch,
    close,
    complete,
    many,
    members,
    open_batch,
    progress,
    shown,
    submit,
)


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "PIECE", 2)


def a_failed_batch(ledger: Database, source: Source, size: int) -> tuple[str, list[str]]:
    batch_id, ids = a_closed_batch(ledger, source, size)
    for job_id in ids:
        endings.fail(ledger, job_id, ERROR)
    assert shown(ledger, batch_id).status is TaskStatus.FAILED
    return batch_id, ids


def due(ledger: Database) -> list[str]:
    with ledger.reading() as connection:
        return [batch.id for batch in due_batches.due(connection)]


def pending(ledger: Database, batch_id: str) -> list[str]:
    return [each.task_id for each in reversed(members(ledger, batch_id, TaskStatus.PENDING))]


def test_what_one_request_has_no_time_for_the_reaper_does(ledger: Database, source: Source) -> None:
    batch_id, ids = a_failed_batch(ledger, source, 5)

    outcome = retries.retry(ledger, DEFAULT_TENANT, batch_id, seconds=0)
    assert outcome.taken == ids[:2] == pending(ledger, batch_id)
    assert due(ledger) == [batch_id]
    # A round may be short, or its reaper die.
    advance(ledger, seconds=1e-9)
    retries.retry_rest(ledger, batch_id, seconds=0)
    assert pending(ledger, batch_id) == ids[:4]
    advance(ledger)
    assert pending(ledger, batch_id) == ids
    assert due(ledger) == []
    for job_id in ids:
        complete(ledger, job_id)
    task = shown(ledger, batch_id)
    assert (task.status, task.attempt) == (TaskStatus.COMPLETED, 2)
    assert progress(ledger, batch_id) == (5, 5)


def test_it_does_not_end_while_members_are_about_to_be_tried_again(
    ledger: Database, source: Source, told: list[Task]
) -> None:
    batch_id, ids = a_failed_batch(ledger, source, 3)
    retries.retry(ledger, DEFAULT_TENANT, batch_id, seconds=0)
    told.clear()
    for job_id in ids[:2]:
        complete(ledger, job_id)
    assert shown(ledger, batch_id).status is TaskStatus.PROCESSING
    # By itself, and so not left to the reaper any more.
    retries.retry(ledger, DEFAULT_TENANT, ids[2])
    complete(ledger, ids[2])
    assert shown(ledger, batch_id).status is TaskStatus.PROCESSING

    advance(ledger)

    assert shown(ledger, batch_id).status is TaskStatus.COMPLETED
    assert [(each.task_id, each.status) for each in told] == [(batch_id, TaskStatus.COMPLETED)]


def test_what_is_retried_a_second_time_meanwhile_is_all_of_it(
    ledger: Database, source: Source
) -> None:
    batch_id, ids = a_failed_batch(ledger, source, 5)
    retries.retry(ledger, DEFAULT_TENANT, batch_id, seconds=0)
    assert retries.retry(ledger, DEFAULT_TENANT, batch_id).taken == ids[2:]
    assert due(ledger) == []
    assert pending(ledger, batch_id) == ids


@pytest.mark.parametrize("closed", [True, False])
def test_one_that_is_open_may_be_filled_and_closed_meanwhile(
    ledger: Database, source: Source, closed: bool
) -> None:
    batch_id = open_batch(ledger)
    ids = [each.task_id for each in submit(ledger, batch_id, *many(source, 3))]
    for job_id in ids:
        endings.fail(ledger, job_id, ERROR)
    retries.retry(ledger, DEFAULT_TENANT, batch_id, seconds=0)
    [more] = submit(ledger, batch_id, source("more", b"more"))
    with ledger.reading() as connection:
        assert not batches.is_nearly_idle(connection, DEFAULT_TENANT, batch_id)
    if closed:
        close(ledger, batch_id)
    assert due(ledger) == [batch_id]
    advance(ledger)
    assert due(ledger) == []
    for job_id in (*ids, more.task_id):
        complete(ledger, job_id)
    if not closed:
        assert shown(ledger, batch_id).status is TaskStatus.PROCESSING
        close(ledger, batch_id)
    assert shown(ledger, batch_id).status is TaskStatus.COMPLETED
    assert progress(ledger, batch_id) == (4, 4)


def test_what_waits_to_be_tried_again_stays_failed_when_it_is_cancelled(
    ledger: Database, source: Source
) -> None:
    batch_id, ids = a_failed_batch(ledger, source, 3)
    retries.retry(ledger, DEFAULT_TENANT, batch_id, seconds=0)
    with ledger.writing() as connection:
        batch_cancellation.request_cancel(connection, batch_id)
    with pytest.raises(Conflict, match="being cancelled"):
        retries.retry(ledger, DEFAULT_TENANT, batch_id)
    advance(ledger)
    assert shown(ledger, batch_id).status is TaskStatus.CANCELLED
    assert shown(ledger, ids[2]).status is TaskStatus.FAILED
    assert due(ledger) == []


def test_a_reaper_that_finds_it_cancelled_meanwhile_leaves_it_alone(
    ledger: Database, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id, ids = a_failed_batch(ledger, source, 3)
    retries.retry(ledger, DEFAULT_TENANT, batch_id, seconds=0)
    find = failed_jobs.failed

    def cancelled_by_now(*given: object) -> list[str]:
        with ledger.writing() as connection:
            batch_cancellation.request_cancel(connection, batch_id)
        return find(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(retries, "failed", cancelled_by_now)
    retries.retry_rest(ledger, batch_id, 10)
    assert shown(ledger, ids[2]).status is TaskStatus.FAILED


def test_a_duplicate_names_the_task_that_is_to_be_retried(ledger: Database, source: Source) -> None:
    [original] = submit(ledger, None, source("a.pdf", b"A"))
    batch_id = open_batch(ledger)
    submit(ledger, batch_id, source("b.pdf", b"A"))
    with ledger.writing() as connection:
        batches.refuse(connection, DEFAULT_TENANT, batch_id, [REFUSAL])
    close(ledger, batch_id)
    endings.fail(ledger, original.task_id, ERROR)
    # As soon as the reaper looks, it has ended as the original has.
    with ledger.writing() as connection:
        job_ends.settle(connection, batch_id)
    assert shown(ledger, batch_id).status is TaskStatus.FAILED
    duplicate, refused = sorted(
        members(ledger, batch_id), key=lambda each: each.name == "large.pdf"
    )

    for task_id in (batch_id, duplicate.task_id):
        with pytest.raises(Conflict, match=f"{original.task_id}.*retry that one"):
            retries.retry(ledger, DEFAULT_TENANT, task_id)
    with pytest.raises(Conflict, match="was refused"):
        retries.retry(ledger, DEFAULT_TENANT, refused.task_id)
    retries.retry(ledger, DEFAULT_TENANT, original.task_id)
    with pytest.raises(Conflict, match="send again what is still wanted"):
        retries.retry(ledger, DEFAULT_TENANT, batch_id)


def test_a_retry_brings_no_batch_back_that_was_cancelled_meanwhile(
    ledger: Database, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id, ids = a_failed_batch(ledger, source, 6)
    find, pieces = retries.failed, 0

    def found_after_a_cancellation(*given: object) -> list[str]:
        nonlocal pieces
        pieces += 1
        if pieces == 2:
            with ledger.writing() as connection:
                batch_cancellation.request_cancel(connection, batch_id)
            assert endings.cancel_members(ledger, batch_id, 3.0)
            assert shown(ledger, batch_id).status is TaskStatus.CANCELLED
        return find(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(retries, "failed", found_after_a_cancellation)
    with pytest.raises(Conflict, match="cancelled"):
        retries.retry(ledger, DEFAULT_TENANT, batch_id)
    assert shown(ledger, batch_id).status is TaskStatus.CANCELLED
    assert all(shown(ledger, each).status.final for each in ids)
