"""Batches that are cancelled, that are tried again, and whose members end at one moment."""

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from flotilla.errors import BatchClosed, Conflict
from flotilla.ledger import (
    admission,
    batch_cancellation,
    due_batches,
    endings,
    job_ends,
    jobs,
    retries,
)
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.schemas import Task, TaskStatus
from tests.integration.ledger.batch_operations import (
    ERROR,
    Source,
    a_closed_batch,
    complete,
    open_batch,
    progress,
    shown,
    submit,
)


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
            assert [(each.id, each.cancelled) for each in due_batches.due(connection)] == [
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
