"""Batches: what their members add up to, who may come in, and what follows their end."""

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from flotilla.errors import BatchClosed, Conflict, TaskNotFound
from flotilla.ledger import (
    admission,
    batch_cancellation,
    batches,
    endings,
    job_ends,
    job_views,
    jobs,
    retries,
    submissions,
)
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, new_id, now
from flotilla.ledger.submissions import NewSource
from flotilla.ledger.tables import JOBS, VERSIONS
from flotilla.schemas import DocumentAccepted, Refusal, Task, TaskError, TaskStatus

Source = Callable[..., NewSource]
ERROR = TaskError(
    stage="document.convert", code="file_corrupt", message="It is damaged.", retryable=False
)
REFUSAL = Refusal(name="large.pdf", code="file_too_large", message="large.pdf is too large.")


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """What was announced."""
    told: list[Task] = []
    monkeypatch.setattr(endings, "announce", told.append)
    return told


def open_batch(ledger: Database, **values: Any) -> str:
    with ledger.writing() as connection:
        return batches.open_batch(connection, DEFAULT_TENANT, **values)


def close(ledger: Database, batch_id: str) -> Task:
    with ledger.writing() as connection:
        return batches.close(connection, DEFAULT_TENANT, batch_id)


def submit(ledger: Database, batch_id: str | None, *sources: NewSource) -> list[DocumentAccepted]:
    with ledger.writing() as connection:
        return submissions.submit(connection, DEFAULT_TENANT, "default", sources, batch_id)


def many(source: Source, number: int) -> list[NewSource]:
    return [source(f"{at:03}.txt", f"text {at}".encode()) for at in range(number)]


def a_closed_batch(ledger: Database, source: Source, members: int) -> tuple[str, list[str]]:
    batch_id = open_batch(ledger, name="papers")
    accepted = submit(ledger, batch_id, *many(source, members))
    close(ledger, batch_id)
    return batch_id, [each.task_id for each in accepted]


def complete(ledger: Database, job_id: str) -> None:
    with ledger.writing() as connection:
        assert job_ends.complete(connection, job_id, {}) is not None


def shown(ledger: Database, job_id: str) -> Task:
    with ledger.reading() as connection:
        task = job_views.view(connection, DEFAULT_TENANT, job_id)
    assert task is not None
    return task


def members(ledger: Database, batch_id: str, status: TaskStatus | None = None) -> list[Task]:
    with ledger.reading() as connection:
        return job_views.listing(
            connection,
            DEFAULT_TENANT,
            status=status,
            kind=None,
            before=None,
            limit=1000,
            parent_id=batch_id,
        )


def progress(ledger: Database, batch_id: str) -> tuple[int, int | None]:
    found = shown(ledger, batch_id).progress
    assert found is not None
    assert found.unit == "documents"
    return found.done, found.total


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
        wanted = retries.Filter(parent_id=batch_id)
        assert retries.failed(connection, DEFAULT_TENANT, wanted, None) == []
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
    assert batches.close_idle(ledger) == []  # it is not due yet

    overdue(ledger, batch_id)
    assert batches.close_idle(ledger) == []
    endings.fail(ledger, elsewhere.task_id, ERROR)
    overdue(ledger, batch_id)
    assert batches.close_idle(ledger) == [batch_id]
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


def overdue(ledger: Database, batch_id: str) -> None:
    with ledger.writing() as connection:
        past = now() - timedelta(seconds=1)
        connection.execute(update(JOBS).where(JOBS.c.id == batch_id).values(lease_until=past))


def test_the_same_file_twice_in_one_request_is_one_document(
    ledger: Database, source: Source
) -> None:
    batch_id = open_batch(ledger)
    first, second = submit(ledger, batch_id, source("a.txt"), source("b.txt"))
    assert second.duplicate_of == first.document_id
    close(ledger, batch_id)
    complete(ledger, first.task_id)
    assert shown(ledger, batch_id).result["duplicates"] == 1


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


def set_due(ledger: Database, *batch_ids: str) -> None:
    """Let the time pass for which a batch is left alone."""
    past = now() - timedelta(seconds=1)
    with ledger.writing() as connection:
        connection.execute(update(JOBS).where(JOBS.c.id.in_(batch_ids)).values(lease_until=past))


def test_one_that_nobody_adds_to_is_closed(ledger: Database, source: Source) -> None:
    idle, busy = open_batch(ledger), open_batch(ledger)
    [accepted] = submit(ledger, idle, source())
    assert batches.close_idle(ledger) == []
    set_due(ledger, idle, busy)
    submit(ledger, busy, source("b.txt", b"b"))  # in time
    assert batches.close_idle(ledger) == []  # the other one's member is not over
    complete(ledger, accepted.task_id)
    set_due(ledger, idle)
    assert batches.close_idle(ledger) == [idle]
    task = shown(ledger, idle)
    assert (task.status, progress(ledger, idle)) == (TaskStatus.COMPLETED, (1, 1))
    assert not shown(ledger, busy).status.final


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
    assert batches.close_idle(ledger) == []
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
        assert [each.id for each in batches.due(connection)] == [cancelled]
    for look in (keep_open, is_nearly_idle):
        with pytest.raises(TaskNotFound):
            look(ledger, new_id())


class TestCancel:
    def cancel(self, ledger: Database, job_id: str) -> None:
        with ledger.writing() as connection:
            assert endings.cancel_by_user(connection, DEFAULT_TENANT, job_id) == []

    def test_its_members_end_with_it(self, ledger: Database, source: Source) -> None:
        batch_id, ids = a_closed_batch(ledger, source, 5)
        complete(ledger, ids[0])
        self.cancel(ledger, batch_id)
        assert endings.cancel_members(ledger, batch_id, 10)
        task = shown(ledger, batch_id)
        assert task.status is TaskStatus.CANCELLED
        assert (task.result["completed"], task.result["cancelled"]) == (1, 4)
        assert {shown(ledger, each).status for each in ids[1:]} == {TaskStatus.CANCELLED}
        with pytest.raises(Conflict):
            self.cancel(ledger, batch_id)

    def test_nothing_begins_once_it_is_requested(self, ledger: Database, source: Source) -> None:
        batch_id, ids = a_closed_batch(ledger, source, 3)
        self.cancel(ledger, batch_id)
        with ledger.writing() as connection:
            assert jobs.claim(connection, ids[0], "document.convert", "document") is None
            assert admission.release(connection, 32) == []

    def test_an_open_one_takes_nothing_more(self, ledger: Database, source: Source) -> None:
        batch_id = open_batch(ledger)
        submit(ledger, batch_id, source())
        self.cancel(ledger, batch_id)
        with pytest.raises(BatchClosed):
            submit(ledger, batch_id, source("b.txt", b"b"))

    def test_it_goes_on_where_it_was_left(
        self, ledger: Database, source: Source, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(endings, "PIECE", 2)
        batch_id, ids = a_closed_batch(ledger, source, 5)
        self.cancel(ledger, batch_id)
        assert not endings.cancel_members(ledger, batch_id, 0)  # whoever did it is killed here
        assert sum(shown(ledger, each).status.final for each in ids) == 2
        with ledger.reading() as connection:
            assert [(each.id, each.cancelled) for each in batches.due(connection)] == [
                (batch_id, True)
            ]
        assert endings.cancel_members(ledger, batch_id, 10)
        assert shown(ledger, batch_id).status is TaskStatus.CANCELLED


class TestRetry:
    def test_its_failed_members_are_tried_again(self, ledger: Database, source: Source) -> None:
        batch_id, ids = a_closed_batch(ledger, source, 4)
        complete(ledger, ids[0])
        for job_id in ids[1:]:
            endings.fail(ledger, job_id, ERROR)
        outcome = retries.retry(ledger, DEFAULT_TENANT, batch_id)
        assert outcome.taken == ids[1:]
        task = shown(ledger, batch_id)
        assert (task.status, task.result, task.error) == (TaskStatus.PROCESSING, None, None)
        assert (task.attempt, task.finished_at) == (2, None)
        assert progress(ledger, batch_id) == (1, 4)
        for job_id in ids[1:]:
            complete(ledger, job_id)
        task = shown(ledger, batch_id)
        assert (task.status, progress(ledger, batch_id)) == (TaskStatus.COMPLETED, (4, 4))

    def test_one_member_by_itself_reopens_it(self, ledger: Database, source: Source) -> None:
        batch_id, ids = a_closed_batch(ledger, source, 2)
        complete(ledger, ids[0])
        endings.fail(ledger, ids[1], ERROR)
        assert shown(ledger, batch_id).status is TaskStatus.PARTIAL
        retries.retry(ledger, DEFAULT_TENANT, ids[1])
        assert shown(ledger, batch_id).status is TaskStatus.PROCESSING
        endings.fail(ledger, ids[1], ERROR)
        assert shown(ledger, batch_id).status is TaskStatus.PARTIAL

    def test_what_failed_while_it_was_being_cancelled_can_begin(
        self, ledger: Database, source: Source
    ) -> None:
        batch_id, ids = a_closed_batch(ledger, source, 1)
        with ledger.writing() as connection:
            batch_cancellation.request_cancel(connection, batch_id)
        endings.fail(ledger, ids[0], ERROR)
        assert shown(ledger, batch_id).status is TaskStatus.CANCELLED
        retries.retry(ledger, DEFAULT_TENANT, ids[0])
        with ledger.reading() as connection:
            assert jobs.is_open(connection, ids[0])
        complete(ledger, ids[0])
        assert shown(ledger, batch_id).status is TaskStatus.COMPLETED

    def test_of_many_each_is_for_itself(
        self, ledger: Database, source: Source, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(retries, "PIECE", 2)
        batch_id, ids = a_closed_batch(ledger, source, 5)
        for job_id in ids:
            endings.fail(ledger, job_id, ERROR)
        [newer] = submit(ledger, None, source("001.txt", b"other bytes"))
        outcome = retries.retry_many(ledger, DEFAULT_TENANT, ids)
        assert newer.duplicate_of is None
        assert outcome.taken == [ids[0], *ids[2:]]
        assert list(outcome.refused) == [ids[1]]
        assert progress(ledger, batch_id)[0] == 1


class TestAtOnce:
    """Several workers and the gateway touch one batch at the same moment."""

    MEMBERS = 24
    WORKERS = 4

    def end_all(self, ledger: Database, ids: list[str], *others: Callable[[], object]) -> None:
        def work(share: list[str]) -> None:
            for job_id in share:
                with ledger.writing() as connection:
                    job_ends.complete(connection, job_id, {})

        shares = [ids[at :: self.WORKERS] for at in range(self.WORKERS)]
        with ThreadPoolExecutor() as threads:
            running = [threads.submit(work, share) for share in shares]
            running += [threads.submit(other) for other in others]
            for each in running:
                each.result(timeout=60)

    def test_it_ends_once_and_has_counted_all(
        self, ledger: Database, source: Source, told: list[Task]
    ) -> None:
        batch_id, ids = a_closed_batch(ledger, source, self.MEMBERS)
        self.end_all(ledger, ids)
        task = shown(ledger, batch_id)
        assert (task.status, task.result["completed"]) == (TaskStatus.COMPLETED, self.MEMBERS)
        assert progress(ledger, batch_id) == (self.MEMBERS, self.MEMBERS)

    def test_cancelling_meanwhile_waits_for_nobody(self, ledger: Database, source: Source) -> None:
        batch_id, ids = a_closed_batch(ledger, source, self.MEMBERS)

        def cancel() -> None:
            with contextlib.suppress(Conflict):  # all were quicker
                with ledger.writing() as connection:
                    batch_cancellation.request_cancel(connection, batch_id)
                endings.cancel_members(ledger, batch_id, 30)

        self.end_all(ledger, ids, cancel, cancel)
        task = shown(ledger, batch_id)
        assert task.status.final
        assert task.result["completed"] + task.result["cancelled"] == self.MEMBERS
        states = {shown(ledger, job_id).status for job_id in ids}
        assert states <= {TaskStatus.COMPLETED, TaskStatus.CANCELLED}

    def test_retrying_meanwhile_loses_no_member(self, ledger: Database, source: Source) -> None:
        batch_id, ids = a_closed_batch(ledger, source, self.MEMBERS)
        half = self.MEMBERS // 2
        for job_id in ids[:half]:
            endings.fail(ledger, job_id, ERROR)

        def retry() -> None:
            with contextlib.suppress(Conflict):
                retries.retry(ledger, DEFAULT_TENANT, batch_id)

        self.end_all(ledger, ids[half:], retry, retry)
        for job_id in ids[:half]:
            complete(ledger, job_id)
        task = shown(ledger, batch_id)
        assert (task.status, task.result["completed"]) == (TaskStatus.COMPLETED, self.MEMBERS)
        assert progress(ledger, batch_id) == (self.MEMBERS, self.MEMBERS)
