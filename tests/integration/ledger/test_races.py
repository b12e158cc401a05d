"""What publishes, fails, deletes, submits and retries at one moment, in every order of locks."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection

from flotilla.errors import Cancelled, CollectionNotFound
from flotilla.ledger import (
    collections,
    documents,
    endings,
    job_ends,
    jobs,
    locks,
    reindexing,
    retries,
    steps,
    submissions,
    versions,
)
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.ledger.leases import Lease
from flotilla.ledger.runs import StageRun
from flotilla.ledger.steps import Held, Key
from flotilla.ledger.submissions import NewSource
from flotilla.schemas import DocumentAccepted, DocumentStatus, Task, TaskStatus
from tests.integration.ledger.operations import (
    ERROR,
    publish,
    shown_document,
    shown_task,
    states,
    submit,
)
from tests.integration.ledger.races import in_the_middle

Source = Callable[..., NewSource]


def fail_in(connection: Connection, accepted: DocumentAccepted, source: NewSource) -> None:
    locks.lock_jobs(connection, [accepted.task_id])
    assert job_ends.fail(connection, accepted.task_id, ERROR) is not None
    versions.fail(connection, accepted.document_id, source.version_id)


def cancel_all(connection: Connection, document_id: str) -> None:
    endings.cancel_in(connection, jobs.open_of_documents(connection, [document_id]))


def working_on(ledger: Database, accepted: DocumentAccepted, stage: str) -> StageRun:
    with ledger.writing() as connection:
        held = steps.begin(connection, Key(accepted.task_id, stage), "worker")
        job = jobs.claim(connection, accepted.task_id, stage, "vectorstore")
    assert isinstance(held, Held)
    assert job is not None
    return StageRun(job, held, ledger, Lease(ledger, lambda c: steps.still_held(c, held)))


# --- versions ------------------------------------------------------------------------------


@pytest.mark.parametrize("newer_first", [True, False])
def test_of_two_versions_published_at_once_the_newer_one_answers(
    ledger: Database, source: Source, newer_first: bool
) -> None:
    old, new = source(data=b"A"), source(data=b"B")
    [first] = submit(ledger, old)
    [second] = submit(ledger, new)
    early, late = [(first, old), (second, new)][:: -1 if newer_first else 1]

    published = in_the_middle(
        ledger,
        lambda connection: versions.publish(connection, early[0].document_id, early[1].version_id),
        lambda: publish(ledger, *late),
    )

    assert published is not newer_first
    assert shown_document(ledger, first.document_id).version == 2
    assert states(ledger, first.document_id) == ["pending" if newer_first else "retired", "live"]


def test_a_document_whose_versions_fail_at_once_has_failed(
    ledger: Database, source: Source
) -> None:
    old, new = source(data=b"A"), source(data=b"B")
    [first] = submit(ledger, old)
    [second] = submit(ledger, new)

    in_the_middle(
        ledger,
        lambda connection: fail_in(connection, second, new),
        lambda: endings.fail(ledger, first.task_id, ERROR),
    )

    assert shown_document(ledger, first.document_id).status is DocumentStatus.FAILED


# --- deletions -----------------------------------------------------------------------------


def test_a_submission_that_is_being_written_is_deleted_with_its_collection(
    ledger: Database, source: Source
) -> None:
    with ledger.writing() as connection:
        collections.create(connection, DEFAULT_TENANT, "contracts", None)
    version = source()
    accepted: list[DocumentAccepted] = []

    def delete() -> None:
        with ledger.writing() as connection:
            collections.delete(connection, DEFAULT_TENANT, "contracts")

    in_the_middle(
        ledger,
        lambda connection: accepted.extend(
            submissions.submit(connection, DEFAULT_TENANT, "contracts", [version])
        ),
        delete,
    )

    assert not publish(ledger, accepted[0], version)
    with ledger.reading() as connection:
        assert documents.live(connection, [accepted[0].document_id]) == {}


def test_a_submission_to_a_collection_that_is_being_deleted_is_refused(
    ledger: Database, source: Source
) -> None:
    with ledger.writing() as connection:
        collections.create(connection, DEFAULT_TENANT, "contracts", None)

    def send() -> list[DocumentAccepted]:
        return submit(ledger, source(), collection="contracts")

    with pytest.raises(CollectionNotFound):
        in_the_middle(
            ledger,
            lambda connection: collections.delete(connection, DEFAULT_TENANT, "contracts"),
            send,
        )


def test_a_document_is_deleted_while_its_ingestion_fails(ledger: Database, source: Source) -> None:
    [accepted] = submit(ledger, source())
    document_id = accepted.document_id

    ended = in_the_middle(
        ledger,
        lambda connection: documents.mark_deleted(connection, DEFAULT_TENANT, document_id),
        lambda: endings.fail(ledger, accepted.task_id, ERROR),
        lambda connection: cancel_all(connection, document_id),
    )

    assert ended is None
    assert shown_task(ledger, accepted.task_id).status is TaskStatus.CANCELLED


def test_a_document_is_deleted_while_it_is_published(ledger: Database, source: Source) -> None:
    version = source()
    [accepted] = submit(ledger, version)
    run = working_on(ledger, accepted, "vectorstore.publish")

    def publish_it() -> None:
        with run.writing(document=True) as connection:
            versions.publish(connection, accepted.document_id, version.version_id)

    with pytest.raises(Cancelled):
        in_the_middle(
            ledger,
            lambda connection: documents.mark_deleted(
                connection, DEFAULT_TENANT, accepted.document_id
            ),
            publish_it,
            lambda connection: cancel_all(connection, accepted.document_id),
        )

    assert states(ledger, accepted.document_id) == ["failed"]


def test_a_document_that_is_being_published_is_deleted_after_that(
    ledger: Database, source: Source
) -> None:
    version = source()
    [accepted] = submit(ledger, version)

    def delete() -> None:
        with ledger.writing() as connection:
            documents.mark_deleted(connection, DEFAULT_TENANT, accepted.document_id)
            cancel_all(connection, accepted.document_id)

    def begin_to_publish(connection: Connection) -> None:
        locks.lock_collections(connection, [DEFAULT_TENANT])
        locks.lock_jobs(connection, [accepted.task_id])

    in_the_middle(
        ledger,
        begin_to_publish,
        delete,
        lambda connection: versions.publish(connection, accepted.document_id, version.version_id),
    )

    with ledger.reading() as connection:
        assert documents.live(connection, [accepted.document_id]) == {}
    assert shown_task(ledger, accepted.task_id).status is TaskStatus.CANCELLED


def test_a_document_is_deleted_while_a_batch_with_its_ingestions_is_cancelled(
    ledger: Database, source: Source
) -> None:
    [first] = submit(ledger, source(data=b"A"))
    [second] = submit(ledger, source(data=b"B"))

    def cancel() -> list[Task]:
        with ledger.writing() as connection:
            return endings.cancel_in(connection, [first.task_id, second.task_id])

    cancelled = in_the_middle(
        ledger,
        lambda connection: documents.mark_deleted(connection, DEFAULT_TENANT, first.document_id),
        cancel,
        lambda connection: cancel_all(connection, first.document_id),
    )

    assert cancelled == []
    assert states(ledger, first.document_id) == ["failed", "failed"]


def test_new_versions_of_several_documents_are_written_in_the_order_of_the_documents(
    ledger: Database, source: Source
) -> None:
    one, other = submit(ledger, source("one", b"1"), source("other", b"2"))

    accepted = in_the_middle(
        ledger,
        lambda connection: locks.lock_documents(connection, [one.document_id]),
        lambda: submit(ledger, source("other", b"3"), source("one", b"4")),
        lambda connection: locks.lock_documents(connection, [other.document_id]),
    )

    assert [each.document_id for each in accepted] == [other.document_id, one.document_id]


# --- retries, re-indexings -----------------------------------------------------------------


def test_a_retry_sees_the_same_bytes_that_are_being_submitted(
    ledger: Database, source: Source
) -> None:
    [failed] = submit(ledger, source("a.pdf", b"A"))
    endings.fail(ledger, failed.task_id, ERROR)
    accepted: list[DocumentAccepted] = []

    in_the_middle(
        ledger,
        lambda connection: accepted.extend(
            submissions.submit(connection, DEFAULT_TENANT, "default", [source("b.pdf", b"A")])
        ),
        lambda: retries.retry(ledger, DEFAULT_TENANT, failed.task_id),
    )

    task = shown_task(ledger, failed.task_id)
    assert task.status is TaskStatus.COMPLETED
    assert task.result["duplicate_of"] == accepted[0].document_id


def test_a_retry_waits_for_the_deletion_of_its_document(ledger: Database, source: Source) -> None:
    [failed] = submit(ledger, source())
    endings.fail(ledger, failed.task_id, ERROR)

    def retry() -> dict[str, str]:
        outcome = retries.retry_many(ledger, DEFAULT_TENANT, [failed.task_id])
        return {job_id: error.code for job_id, error in outcome.refused.items()}

    refused = in_the_middle(
        ledger,
        lambda connection: documents.mark_deleted(connection, DEFAULT_TENANT, failed.document_id),
        retry,
        lambda connection: cancel_all(connection, failed.document_id),
    )

    assert refused == {failed.task_id: "conflict"}
    assert shown_task(ledger, failed.task_id).status is TaskStatus.FAILED


def test_two_requests_at_once_index_a_document_anew_once(ledger: Database, source: Source) -> None:
    version = source()
    [accepted] = submit(ledger, version)
    publish(ledger, accepted, version)
    ids: list[str] = []

    def again(connection: Connection) -> None:
        ids.append(reindexing.reindex(connection, DEFAULT_TENANT, accepted.document_id))

    def and_again() -> None:
        with ledger.writing() as connection:
            again(connection)

    in_the_middle(ledger, again, and_again)

    assert len(ids) == 2
    assert len(set(ids)) == 1
