"""Versions: which one of a document's answers."""

from collections.abc import Callable

import pytest

from flotilla.ledger import chunk_lengths, endings, versions
from flotilla.ledger.database import Database
from flotilla.ledger.submissions import NewSource
from flotilla.schemas import DocumentStatus
from tests.doubles.ledger_rows import add_document, add_job, add_version
from tests.integration.ledger.operations import ERROR, delete, publish, shown_document, submit

Source = Callable[..., NewSource]


def test_the_old_version_answers_until_the_new_one_is_published(
    ledger: Database, source: Source
) -> None:
    old, new = (
        source(data=b"A", metadata={"year": 2024}),
        source(data=b"B", metadata={"year": 2025}),
    )
    [first] = submit(ledger, old)
    publish(ledger, first, old)
    [second] = submit(ledger, new)

    assert second.document_id == first.document_id
    assert second.duplicate_of is None
    before = shown_document(ledger, first.document_id)
    assert (before.status, before.version, before.metadata) == ("ready", 1, {"year": 2024})
    assert before.sha256 == old.sha256

    assert publish(ledger, second, new)
    after = shown_document(ledger, first.document_id)
    assert (after.status, after.version, after.metadata) == ("ready", 2, {"year": 2025})
    assert after.sha256 == new.sha256
    with ledger.reading() as connection:
        assert versions.given_up(connection, first.document_id, before=2) == [old.version_id]


def test_a_stage_sees_the_metadata_of_its_own_version(ledger: Database, source: Source) -> None:
    old, new = (
        source(data=b"A", metadata={"year": 2024}),
        source(data=b"B", metadata={"year": 2025}),
    )
    submit(ledger, old)
    submit(ledger, new)

    with ledger.reading() as connection:
        assert versions.get(connection, old.version_id).metadata == {"year": 2024}
        assert versions.get(connection, new.version_id).metadata == {"year": 2025}


def test_a_version_that_is_late_does_not_replace_a_newer_one(
    ledger: Database, source: Source
) -> None:
    old, new = source(data=b"A"), source(data=b"B")
    [first] = submit(ledger, old)
    [second] = submit(ledger, new)

    assert publish(ledger, second, new)
    assert not publish(ledger, first, old)
    assert shown_document(ledger, first.document_id).version == 2


def test_a_version_that_is_published_twice_stays_live(ledger: Database, source: Source) -> None:
    version = source()
    [accepted] = submit(ledger, version)

    assert publish(ledger, accepted, version)
    assert publish(ledger, accepted, version)
    assert shown_document(ledger, accepted.document_id).status is DocumentStatus.READY


def test_a_failed_new_version_leaves_the_old_one_ready(ledger: Database, source: Source) -> None:
    old = source(data=b"A")
    [first] = submit(ledger, old)
    publish(ledger, first, old)
    [second] = submit(ledger, source(data=b"B"))
    endings.fail(ledger, second.task_id, ERROR)

    document = shown_document(ledger, first.document_id)
    assert (document.status, document.version, document.error) == ("ready", 1, ERROR)


def test_a_failed_version_does_not_stop_the_one_after_it(ledger: Database, source: Source) -> None:
    [first] = submit(ledger, source(data=b"A"))
    submit(ledger, source(data=b"B"))
    endings.fail(ledger, first.task_id, ERROR)

    assert shown_document(ledger, first.document_id).status is DocumentStatus.PROCESSING


def test_a_deleted_document_cannot_be_published(ledger: Database, source: Source) -> None:
    version = source()
    [accepted] = submit(ledger, version)
    delete(ledger, accepted.document_id)

    assert not publish(ledger, accepted, version)


def test_a_version_of_which_nothing_is_left_is_forgotten(ledger: Database, source: Source) -> None:
    written = [source(data=b"%d" % number) for number in range(3)]
    for each in written:
        [accepted] = submit(ledger, each)
        publish(ledger, accepted, each)
    document_id = accepted.document_id
    with ledger.writing() as connection:
        replaced = versions.given_up(connection, document_id, before=3)
        versions.forget(connection, [*replaced, written[2].version_id])
        assert versions.older(connection, document_id, number=4) == [written[2].version_id]
    [again] = submit(ledger, source(data=b"4"))
    assert again.document_id == document_id
    assert shown_document(ledger, document_id).version == 3


@pytest.mark.parametrize(
    ("kind", "status", "stays"),
    [
        ("ingest", "processing", True),
        ("reindex", "pending", True),
        ("reindex", "failed", True),
        ("ingest", "failed", False),
        ("reindex", "completed", False),
    ],
)
def test_a_version_that_a_job_may_come_back_to_is_kept(
    ledger: Database, kind: str, status: str, stays: bool
) -> None:
    document_id = add_document(ledger)
    old = add_version(ledger, document_id, versions.RETIRED)
    add_version(ledger, document_id, versions.LIVE, number=2)
    add_job(ledger, kind, status, document_id=document_id, version_id=old)
    with ledger.writing() as connection:
        versions.forget(connection, [old])
        assert versions.given_up(connection, document_id, before=2) == ([old] if stays else [])


def test_a_collection_counts_the_terms_of_what_is_published_in_it_once(
    ledger: Database, source: Source
) -> None:
    new, failed = source(data=b"A"), source(data=b"B", name="other.txt")
    [first] = submit(ledger, new)
    submit(ledger, failed)
    with ledger.writing() as connection:
        collection_id = versions.get(connection, new.version_id).collection_id
        chunk_lengths.count(connection, new.version_id, 640, 8)
        chunk_lengths.count(connection, new.version_id, 60, 2)
        chunk_lengths.count(connection, failed.version_id, 1000, 1)
        assert chunk_lengths.of_collection(connection, collection_id) == (0, 0)
    assert publish(ledger, first, new)
    with ledger.writing() as connection:
        assert chunk_lengths.of_collection(connection, collection_id) == (700, 10)
        versions.publish(connection, first.document_id, new.version_id)
        assert chunk_lengths.of_collection(connection, collection_id) == (700, 10)
