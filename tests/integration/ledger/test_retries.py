"""Retries: what a failed ingestion finds of its version and its bytes when it is sent again."""

from collections.abc import Callable

import pytest

from flotilla.errors import Conflict
from flotilla.ledger import (
    batches,
    collections,
    endings,
    job_ends,
    jobs,
    retries,
    submissions,
    versions,
)
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.ledger.submissions import NewSource
from flotilla.schemas import DocumentAccepted, DocumentStatus, Task, TaskStatus
from tests.integration.ledger.operations import (
    ERROR,
    counts,
    publish,
    shown_document,
    shown_task,
    states,
    submit,
)

Source = Callable[..., NewSource]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """What was announced."""
    told: list[Task] = []
    monkeypatch.setattr(endings, "announce", told.append)
    return told


def failed(ledger: Database, source: NewSource, batch_id: str | None = None) -> DocumentAccepted:
    with ledger.writing() as connection:
        [accepted] = submissions.submit(connection, DEFAULT_TENANT, "default", [source], batch_id)
    endings.fail(ledger, accepted.task_id, ERROR)
    return accepted


def answering(ledger: Database, source: NewSource) -> DocumentAccepted:
    [accepted] = submit(ledger, source)
    assert publish(ledger, accepted, source)
    return accepted


def test_a_retry_of_bytes_that_another_document_has_by_now_ends_as_its_duplicate(
    ledger: Database, source: Source, told: list[Task]
) -> None:
    lost = failed(ledger, source("a.pdf", b"A"))
    there = answering(ledger, source("b.pdf", b"A"))
    told.clear()

    outcome = retries.retry(ledger, DEFAULT_TENANT, lost.task_id)

    assert (outcome.taken, outcome.to_send) == ([lost.task_id], [])
    task = shown_task(ledger, lost.task_id)
    assert (task.status, task.error) == (TaskStatus.COMPLETED, None)
    assert task.result == {"document_id": there.document_id, "duplicate_of": there.document_id}
    assert [each.task_id for each in told] == [lost.task_id]
    # Its own document held nothing: the name is free again, and the sweep takes what is left.
    assert states(ledger, lost.document_id) == ["failed"]
    assert states(ledger, there.document_id) == ["live"]
    [again] = submit(ledger, source("a.pdf", b"B"))
    assert again.document_id != lost.document_id


def test_in_bulk_a_duplicate_is_over_and_the_others_are_tried_again(
    ledger: Database, source: Source
) -> None:
    ids = [failed(ledger, source(name, name.encode())).task_id for name in ("a", "b", "c")]
    answering(ledger, source("other", b"b"))

    outcome = retries.retry_many(ledger, DEFAULT_TENANT, ids)

    assert (outcome.taken, outcome.refused) == (ids, {})
    assert [shown_task(ledger, each).status.value for each in ids] == [
        "pending",
        "completed",
        "pending",
    ]


def test_of_the_same_bytes_failed_twice_one_is_tried_again(
    ledger: Database, source: Source
) -> None:
    ids = [failed(ledger, source(name, b"A")).task_id for name in ("a", "b")]

    retries.retry_many(ledger, DEFAULT_TENANT, ids)

    assert [shown_task(ledger, each).status.value for each in ids] == ["pending", "completed"]


def test_a_batch_of_which_the_last_one_turns_out_to_be_a_duplicate_is_completed(
    ledger: Database, source: Source, told: list[Task]
) -> None:
    with ledger.writing() as connection:
        batch_id = batches.open_batch(connection, DEFAULT_TENANT)
    lost = failed(ledger, source("a.pdf", b"A"), batch_id)
    with ledger.writing() as connection:
        batches.close(connection, DEFAULT_TENANT, batch_id)
    assert shown_task(ledger, batch_id).status is TaskStatus.FAILED
    answering(ledger, source("b.pdf", b"A"))
    told.clear()

    retries.retry(ledger, DEFAULT_TENANT, batch_id)

    batch = shown_task(ledger, batch_id)
    assert (batch.status, batch.error, batch.attempt) == (TaskStatus.COMPLETED, None, 2)
    assert (batch.result["documents"], batch.result["duplicates"]) == (1, 1)
    assert batch.progress is not None
    assert (batch.progress.done, batch.progress.total) == (1, 1)
    assert [each.task_id for each in told] == [lost.task_id, batch_id]


def test_a_duplicates_document_stays_for_the_newer_bytes_that_can_still_be_retried(
    ledger: Database, source: Source
) -> None:
    old, new = failed(ledger, source("a", b"A")), failed(ledger, source("a", b"B"))
    assert old.document_id == new.document_id
    answering(ledger, source("b", b"A"))

    retries.retry(ledger, DEFAULT_TENANT, old.task_id)

    document = shown_document(ledger, new.document_id)
    assert (document.status, document.task_id) == (DocumentStatus.FAILED, new.task_id)
    retries.retry(ledger, DEFAULT_TENANT, new.task_id)
    assert shown_document(ledger, new.document_id).status is DocumentStatus.PROCESSING


def test_a_failed_new_version_with_the_bytes_of_another_document_leaves_the_old_one_alone(
    ledger: Database, source: Source
) -> None:
    first = answering(ledger, source("a", b"A"))
    lost = failed(ledger, source("a", b"B"))
    answering(ledger, source("b", b"B"))

    retries.retry(ledger, DEFAULT_TENANT, lost.task_id)

    assert shown_task(ledger, lost.task_id).status is TaskStatus.COMPLETED
    assert shown_document(ledger, first.document_id).status is DocumentStatus.READY
    assert states(ledger, first.document_id) == ["live", "failed"]


def test_other_collections_may_hold_the_bytes_of_a_retry(ledger: Database, source: Source) -> None:
    with ledger.writing() as connection:
        collections.create(connection, DEFAULT_TENANT, "contracts", None)
    lost = failed(ledger, source("a", b"A"))
    submit(ledger, source("b", b"A"), collection="contracts")

    retries.retry(ledger, DEFAULT_TENANT, lost.task_id)

    assert shown_task(ledger, lost.task_id).status is TaskStatus.PENDING


def test_what_failed_after_its_version_was_live_goes_on_from_there(
    ledger: Database, source: Source
) -> None:
    version = source()
    [accepted] = submit(ledger, version)
    with ledger.writing() as connection:
        assert versions.publish(connection, accepted.document_id, version.version_id)
    endings.fail(ledger, accepted.task_id, ERROR)
    assert shown_task(ledger, accepted.task_id).status is TaskStatus.FAILED

    retries.retry(ledger, DEFAULT_TENANT, accepted.task_id)

    # It answers all the while.
    assert states(ledger, accepted.document_id) == ["live"]
    assert shown_document(ledger, accepted.document_id).status is DocumentStatus.READY
    with ledger.writing() as connection:
        assert jobs.is_open(connection, accepted.task_id)
        assert versions.publish(connection, accepted.document_id, version.version_id)
        assert job_ends.complete(connection, accepted.task_id, {}) is not None
    assert states(ledger, accepted.document_id) == ["live"]


@pytest.mark.parametrize("live", [True, False])
def test_what_a_newer_version_has_replaced_is_not_tried_again(
    ledger: Database, source: Source, live: bool
) -> None:
    version = source(data=b"A")
    [accepted] = submit(ledger, version)
    if live:
        with ledger.writing() as connection:
            assert versions.publish(connection, accepted.document_id, version.version_id)
    endings.fail(ledger, accepted.task_id, ERROR)
    answering(ledger, source(data=b"B"))
    before = counts(ledger), states(ledger, accepted.document_id)

    with pytest.raises(Conflict, match="newer bytes"):
        retries.retry(ledger, DEFAULT_TENANT, accepted.task_id)

    assert (counts(ledger), states(ledger, accepted.document_id)) == before
