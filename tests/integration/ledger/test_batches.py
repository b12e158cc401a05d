"""Batches: what their members add up to, and who is a member."""

import pytest
from sqlalchemy import select

from flotilla.errors import Conflict
from flotilla.ledger import (
    batches,
    due_batches,
    endings,
    failed_jobs,
    retries,
)
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.ledger.tables import JOBS
from flotilla.schemas import Task, TaskStatus
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
    set_due,
    shown,
    submit,
)


def test_a_batch_ends_with_its_last_member(ledger: Database, source: Source) -> None:
    batch_id, ids = a_closed_batch(ledger, source, 3)
    for done, job_id in enumerate(ids):
        task = shown(ledger, batch_id)
        assert (task.status, progress(ledger, batch_id)) == (TaskStatus.PROCESSING, (done, 3))
        complete(ledger, job_id)
    task = shown(ledger, batch_id)
    assert (task.status, task.name, task.kind) == (TaskStatus.COMPLETED, "papers", "batch")
    assert progress(ledger, batch_id) == (3, 3)
    assert task.result["documents"] == task.result["completed"] == 3
    assert task.result["failures"] == []
    assert task.finished_at is not None


def test_an_open_batch_waits_for_more(ledger: Database, source: Source) -> None:
    batch_id = open_batch(ledger, total=5)
    first, second = many(source, 2)
    [accepted] = submit(ledger, batch_id, first)
    complete(ledger, accepted.task_id)
    assert shown(ledger, batch_id).status is TaskStatus.PROCESSING
    assert progress(ledger, batch_id) == (1, 5)
    submit(ledger, batch_id, second)
    assert not close(ledger, batch_id).status.final
    assert progress(ledger, batch_id) == (1, 2)  # what really came


def test_what_failed_is_told_by_name(ledger: Database, source: Source, told: list[Task]) -> None:
    batch_id, ids = a_closed_batch(ledger, source, 50)
    for job_id in ids[2:]:
        complete(ledger, job_id)
    hanging = ERROR.model_copy(update={"code": "time_limit", "message": "It took too long."})
    endings.fail(ledger, ids[0], hanging)
    assert not shown(ledger, batch_id).status.final
    endings.fail(ledger, ids[1], ERROR)
    task = shown(ledger, batch_id)
    assert task.status is TaskStatus.PARTIAL
    assert (task.result["completed"], task.result["failed"]) == (48, 2)
    assert [(each["name"], each["code"]) for each in task.result["failures"]] == [
        ("000.txt", "time_limit"),
        ("001.txt", "file_corrupt"),
    ]
    failed = members(ledger, batch_id, TaskStatus.FAILED)
    assert [(each.name, each.parent_id) for each in failed] == [
        ("001.txt", batch_id),
        ("000.txt", batch_id),
    ]
    # Whoever awaits the batch gets its result with the news.
    assert (told[-1].task_id, told[-1].result) == (batch_id, task.result)


def test_a_batch_of_which_all_failed_has_failed(ledger: Database, source: Source) -> None:
    batch_id, ids = a_closed_batch(ledger, source, 2)
    for job_id in ids:
        endings.fail(ledger, job_id, ERROR)
    task = shown(ledger, batch_id)
    assert (task.status, task.error and task.error.code) == (TaskStatus.FAILED, "batch_failed")
    assert len(task.result["failures"]) == 2


def test_an_empty_batch_is_completed_when_it_is_closed(ledger: Database) -> None:
    task = close(ledger, open_batch(ledger))
    assert task.status is TaskStatus.COMPLETED
    assert task.result["documents"] == 0


def test_refused_files_are_failed_members(ledger: Database, source: Source) -> None:
    batch_id = open_batch(ledger)
    [accepted] = submit(ledger, batch_id, source())
    with ledger.writing() as connection:
        task = batches.refuse(connection, DEFAULT_TENANT, batch_id, [REFUSAL])
    assert task.progress is not None
    assert task.progress.done == 1
    complete(ledger, accepted.task_id)
    task = close(ledger, batch_id)
    assert task.status is TaskStatus.PARTIAL
    [failure] = task.result["failures"]
    assert (failure["name"], failure["code"]) == ("large.pdf", "file_too_large")
    [member] = members(ledger, batch_id, TaskStatus.FAILED)
    assert member.error is not None
    assert member.error.message == "large.pdf is too large."
    # It is not here to be tried again, and says so.
    with ledger.reading() as connection:
        wanted = failed_jobs.Filter(parent_id=batch_id)
        assert failed_jobs.failed(connection, DEFAULT_TENANT, wanted, 9) == []
    for job_id in (batch_id, member.task_id):
        with pytest.raises(Conflict, match="again"):
            retries.retry(ledger, DEFAULT_TENANT, job_id)


def test_duplicates_are_completed_members(ledger: Database, source: Source) -> None:
    one, other = a_closed_batch(ledger, source, 2)[1], open_batch(ledger)
    accepted = submit(ledger, other, *many(source, 3))
    assert [each.task_id for each in accepted[:2]] == one
    assert progress(ledger, other) == (2, None)
    for job_id in one:
        complete(ledger, job_id)
    close(ledger, other)
    complete(ledger, accepted[2].task_id)
    task = shown(ledger, other)
    assert task.status is TaskStatus.COMPLETED
    assert (task.result["documents"], task.result["duplicates"]) == (3, 2)
    assert [(d["name"], d["duplicate_of"]) for d in task.result["duplicate_documents"]] == [
        (each.name, each.document_id) for each in accepted[:2]
    ]
    # The first ones' versions are still found by their own jobs alone.
    assert [each.duplicate_of for each in submit(ledger, None, *many(source, 2))] == [
        each.document_id for each in accepted[:2]
    ]


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_a_duplicate_in_one_batch_ends_as_its_original(
    ledger: Database, source: Source, end: str
) -> None:
    batch_id = open_batch(ledger)
    first, second, _ = submit(ledger, batch_id, source("a"), source("b"), source("c", b"other"))
    assert second.duplicate_of == first.document_id
    complete(ledger, _.task_id)
    close(ledger, batch_id)
    if end == "failed":
        endings.fail(ledger, first.task_id, ERROR)
    else:
        with ledger.writing() as connection:
            endings.cancel_in(connection, [first.task_id])

    task = shown(ledger, batch_id)
    assert task.status is TaskStatus.PARTIAL
    assert (task.result["completed"], task.result[end], task.result["duplicates"]) == (1, 2, 0)
    with ledger.reading() as connection:
        states = connection.execute(
            select(JOBS.c.status, JOBS.c.error_code).where(JOBS.c.parent_id == batch_id)
        ).all()
    code = "file_corrupt" if end == "failed" else None
    assert sorted(states, key=str) == sorted([("completed", None)] + [(end, code)] * 2, key=str)


def test_a_batch_waits_for_the_original_of_its_duplicate(ledger: Database, source: Source) -> None:
    [elsewhere] = submit(ledger, None, source("a"))
    batch_id = open_batch(ledger)
    submit(ledger, batch_id, source("b"))
    close(ledger, batch_id)
    assert shown(ledger, batch_id).status is TaskStatus.PROCESSING
    assert due_batches.close_idle(ledger) == []  # it is not due yet

    set_due(ledger, batch_id)
    assert due_batches.close_idle(ledger) == []
    endings.fail(ledger, elsewhere.task_id, ERROR)
    set_due(ledger, batch_id)
    assert due_batches.close_idle(ledger) == [batch_id]
    task = shown(ledger, batch_id)
    assert task.status is TaskStatus.FAILED
    assert [(each["name"], each["code"]) for each in task.result["failures"]] == [
        ("b", "file_corrupt")
    ]


def test_a_duplicate_is_completed_again_with_its_original(ledger: Database, source: Source) -> None:
    batch_id = open_batch(ledger)
    first, _ = submit(ledger, batch_id, source("a"), source("b"))
    close(ledger, batch_id)
    endings.fail(ledger, first.task_id, ERROR)
    assert shown(ledger, batch_id).result["failed"] == 2
    retries.retry(ledger, DEFAULT_TENANT, batch_id)
    complete(ledger, first.task_id)
    task = shown(ledger, batch_id)
    assert task.status is TaskStatus.COMPLETED
    assert (task.result["completed"], task.result["duplicates"]) == (2, 1)


def test_the_same_file_twice_in_one_request_is_one_document(
    ledger: Database, source: Source
) -> None:
    batch_id = open_batch(ledger)
    first, second = submit(ledger, batch_id, source("a.txt"), source("b.txt"))
    assert second.duplicate_of == first.document_id
    close(ledger, batch_id)
    complete(ledger, first.task_id)
    assert shown(ledger, batch_id).result["duplicates"] == 1
