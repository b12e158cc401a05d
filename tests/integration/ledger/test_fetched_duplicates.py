"""Addresses whose bytes turn out to be there already: whose document they are, and what goes."""

from collections.abc import Callable

import pytest

from flotilla.errors import DocumentNotFound
from flotilla.ledger import endings, job_ends, jobs, locks, retries, submissions, versions
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.ledger.submissions import NewSource
from flotilla.schemas import DocumentAccepted, DocumentStatus, TaskStatus
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
ADDRESS = "https://example.org/terms.pdf"


@pytest.fixture
def known(ledger: Database, source: Source) -> NewSource:
    """A document that answers."""
    version = source("known.pdf", b"A")
    [accepted] = submit(ledger, version)
    publish(ledger, accepted, version)
    return version


@pytest.fixture
def address(source: Source) -> Callable[[], NewSource]:
    """Makes submissions of one address."""
    return lambda: source(
        ADDRESS,
        first_stage="document.fetch",
        source_url=ADDRESS,
        blob=None,
        sha256=None,
        size=None,
    )


def fetched(
    ledger: Database, accepted: DocumentAccepted, version: NewSource, sha256: str | None
) -> str | None:
    """What the fleet does with the bytes: the id of the document that has them, or None."""
    assert sha256 is not None
    with ledger.writing() as connection:
        job = jobs.get(connection, accepted.task_id)
        this = versions.get(connection, version.version_id)
        assert job is not None
        locks.lock_collections(connection, [this.collection_id])
        locks.lock_jobs(connection, [job.id])
        same = submissions.same_as_fetched(connection, this, sha256)
        if same is None:
            versions.describe(connection, version.version_id, sha256=sha256)
            return None
        assert job_ends.complete_as_duplicate(connection, job, same.document_id) is not None
        return same.document_id


def test_a_new_address_with_known_bytes_leaves_no_document(
    ledger: Database, known: NewSource, address: Callable[[], NewSource]
) -> None:
    version = address()
    [accepted] = submit(ledger, version)

    original = fetched(ledger, accepted, version, known.sha256)

    assert original not in (None, accepted.document_id)
    with pytest.raises(DocumentNotFound):
        shown_document(ledger, accepted.document_id)
    assert counts(ledger) == (1, 1, 2)


def test_a_duplicate_leaves_its_document_to_the_submission_that_came_after_it(
    ledger: Database, source: Source, known: NewSource, address: Callable[[], NewSource]
) -> None:
    one, other = address(), address()
    [first] = submit(ledger, one)
    [second] = submit(ledger, other)
    assert first.document_id == second.document_id

    assert fetched(ledger, first, one, known.sha256) is not None

    assert states(ledger, second.document_id) == ["failed", "pending"]
    assert shown_document(ledger, second.document_id).status is DocumentStatus.PROCESSING
    # The second finds other bytes there by now.
    assert fetched(ledger, second, other, source(data=b"B").sha256) is None
    assert publish(ledger, second, other)
    assert shown_document(ledger, second.document_id).version == 2


def test_the_last_of_several_duplicates_takes_the_document_with_it(
    ledger: Database, known: NewSource, address: Callable[[], NewSource]
) -> None:
    one, other = address(), address()
    [first] = submit(ledger, one)
    [second] = submit(ledger, other)

    originals = {
        fetched(ledger, accepted, version, known.sha256)
        for accepted, version in ((second, other), (first, one))
    }

    assert len(originals) == 1
    assert counts(ledger) == (1, 1, 3)
    for accepted in (first, second):
        task = shown_task(ledger, accepted.task_id)
        assert (task.status, task.result["duplicate_of"]) == (TaskStatus.COMPLETED, *originals)


def test_a_retried_duplicate_leaves_its_document_to_newer_bytes_that_failed(
    ledger: Database, source: Source, known: NewSource, address: Callable[[], NewSource]
) -> None:
    one, other = address(), address()
    [first] = submit(ledger, one)
    endings.fail(ledger, first.task_id, ERROR)
    [second] = submit(ledger, other)
    assert fetched(ledger, second, other, source(data=b"B").sha256) is None
    endings.fail(ledger, second.task_id, ERROR)
    retries.retry(ledger, DEFAULT_TENANT, first.task_id)

    assert fetched(ledger, first, one, known.sha256) is not None

    assert states(ledger, second.document_id) == ["failed", "failed"]
    assert shown_document(ledger, second.document_id).status is DocumentStatus.FAILED
    retries.retry(ledger, DEFAULT_TENANT, second.task_id)


def test_unchanged_bytes_of_an_address_leave_the_version_that_answers(
    ledger: Database, source: Source, address: Callable[[], NewSource]
) -> None:
    one, other = address(), address()
    sha256 = source(data=b"A").sha256
    [first] = submit(ledger, one)
    assert fetched(ledger, first, one, sha256) is None
    assert publish(ledger, first, one)
    [second] = submit(ledger, other)

    assert fetched(ledger, second, other, sha256) == first.document_id

    assert states(ledger, first.document_id) == ["live", "failed"]
    assert shown_document(ledger, first.document_id).status is DocumentStatus.READY
