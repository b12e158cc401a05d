"""Submissions, versions and deletions of documents."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from flotilla.errors import CollectionNotFound, DocumentNotFound
from flotilla.ledger import collections, documents, jobs, stages
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, new_id
from flotilla.ledger.documents import NewSource
from flotilla.ledger.tables import DOCUMENTS, JOBS, VERSIONS
from flotilla.schemas import Document, DocumentAccepted, DocumentStatus, TaskError, TaskStatus

Source = Callable[..., NewSource]
ERROR = TaskError(stage="document.convert", code="file_corrupt", message="No.", retryable=False)


def submit(
    ledger: Database, *sources: NewSource, collection: str = "default"
) -> list[DocumentAccepted]:
    with ledger.writing() as connection:
        return documents.submit(connection, DEFAULT_TENANT, collection, sources)


def publish(ledger: Database, accepted: DocumentAccepted, source: NewSource) -> bool:
    with ledger.writing() as connection:
        published = documents.publish(connection, accepted.document_id, source.version_id)
        jobs.complete(connection, accepted.task_id, {})
    return published


def shown(ledger: Database, document_id: str) -> Document:
    with ledger.reading() as connection:
        return documents.view(connection, DEFAULT_TENANT, document_id)


def delete(ledger: Database, document_id: str) -> None:
    with ledger.writing() as connection:
        documents.mark_deleted(connection, DEFAULT_TENANT, document_id)


def counts(ledger: Database) -> tuple[int, int, int]:
    with ledger.reading() as connection:
        return tuple(  # type: ignore[return-value]
            connection.scalar(select(func.count()).select_from(table))
            for table in (DOCUMENTS, VERSIONS, JOBS)
        )


@pytest.fixture(autouse=True)
def _nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "announce", lambda _task: None)


def test_the_same_bytes_again_name_the_first_document(ledger: Database, source: Source) -> None:
    [first] = submit(ledger, source("terms.pdf", b"A"))
    [second] = submit(ledger, source("copy.pdf", b"A"))

    assert second.duplicate_of == second.document_id == first.document_id
    assert second.task_id == first.task_id
    assert second.name == "copy.pdf"
    assert counts(ledger) == (1, 1, 1)


def test_the_same_bytes_twice_in_one_request_are_one_document(
    ledger: Database, source: Source
) -> None:
    first, second, other = submit(
        ledger, source("a.pdf", b"A"), source("b.pdf", b"A"), source("c.pdf", b"C")
    )

    assert first.duplicate_of is None
    assert second.duplicate_of == first.document_id
    assert other.duplicate_of is None
    assert counts(ledger) == (2, 2, 2)


@pytest.mark.parametrize("name", ["same.pdf", "{}.pdf"], ids=["one name", "other names"])
def test_the_same_bytes_in_racing_requests_are_one_document(
    ledger: Database, source: Source, name: str
) -> None:
    barrier = threading.Barrier(6)
    replies: list[DocumentAccepted] = []

    def send(number: int) -> None:
        barrier.wait()
        replies.extend(submit(ledger, source(name.format(number), b"A")))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(replies) == 6
    assert len({reply.document_id for reply in replies}) == 1
    assert sum(reply.duplicate_of is None for reply in replies) == 1
    assert counts(ledger) == (1, 1, 1)


def test_other_collections_may_hold_the_same_bytes(ledger: Database, source: Source) -> None:
    with ledger.writing() as connection:
        collections.create(connection, DEFAULT_TENANT, "contracts", None)

    [first] = submit(ledger, source(data=b"A"))
    [second] = submit(ledger, source(data=b"A"), collection="contracts")

    assert second.duplicate_of is None
    assert second.document_id != first.document_id


def test_an_unknown_collection_leaves_nothing_written(ledger: Database, source: Source) -> None:
    with pytest.raises(CollectionNotFound, match="'nowhere'"):
        submit(ledger, source(), collection="nowhere")

    assert counts(ledger) == (0, 0, 0)


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
    before = shown(ledger, first.document_id)
    assert (before.status, before.version, before.metadata) == ("ready", 1, {"year": 2024})
    assert before.sha256 == old.sha256

    assert publish(ledger, second, new)
    after = shown(ledger, first.document_id)
    assert (after.status, after.version, after.metadata) == ("ready", 2, {"year": 2025})
    assert after.sha256 == new.sha256
    with ledger.reading() as connection:
        assert documents.given_up(connection, first.document_id) == [old.version_id]


def test_a_stage_sees_the_metadata_of_its_own_version(ledger: Database, source: Source) -> None:
    old, new = (
        source(data=b"A", metadata={"year": 2024}),
        source(data=b"B", metadata={"year": 2025}),
    )
    submit(ledger, old)
    submit(ledger, new)

    with ledger.reading() as connection:
        assert documents.version(connection, old.version_id).metadata == {"year": 2024}
        assert documents.version(connection, new.version_id).metadata == {"year": 2025}


def test_a_version_that_is_late_does_not_replace_a_newer_one(
    ledger: Database, source: Source
) -> None:
    old, new = source(data=b"A"), source(data=b"B")
    [first] = submit(ledger, old)
    [second] = submit(ledger, new)

    assert publish(ledger, second, new)
    assert not publish(ledger, first, old)
    assert shown(ledger, first.document_id).version == 2


def test_a_version_that_is_published_twice_stays_live(ledger: Database, source: Source) -> None:
    version = source()
    [accepted] = submit(ledger, version)

    assert publish(ledger, accepted, version)
    assert publish(ledger, accepted, version)
    assert shown(ledger, accepted.document_id).status is DocumentStatus.READY


def test_bytes_that_a_newer_version_is_about_to_replace_are_a_version_again(
    ledger: Database, source: Source
) -> None:
    first, second, again = source(data=b"A"), source(data=b"B"), source(data=b"A")
    [accepted] = submit(ledger, first)
    publish(ledger, accepted, first)
    submit(ledger, second)
    [third] = submit(ledger, again)

    assert third.duplicate_of is None
    publish(ledger, third, again)
    assert shown(ledger, accepted.document_id).sha256 == first.sha256


@pytest.mark.parametrize("end", ["fail", "cancel"])
def test_what_failed_or_was_cancelled_can_be_submitted_again(
    ledger: Database, source: Source, end: str
) -> None:
    [first] = submit(ledger, source(data=b"A"))
    if end == "fail":
        stages.fail(ledger, first.task_id, ERROR)
        assert shown(ledger, first.document_id).error == ERROR
    else:
        stages.cancel(ledger, first.task_id)
    assert shown(ledger, first.document_id).status is DocumentStatus.FAILED

    [second] = submit(ledger, source(data=b"A"))

    assert second.duplicate_of is None
    assert second.document_id == first.document_id
    again = shown(ledger, first.document_id)
    assert (again.status, again.error) == ("processing", None)


def test_a_failed_new_version_leaves_the_old_one_ready(ledger: Database, source: Source) -> None:
    old = source(data=b"A")
    [first] = submit(ledger, old)
    publish(ledger, first, old)
    [second] = submit(ledger, source(data=b"B"))
    stages.fail(ledger, second.task_id, ERROR)

    document = shown(ledger, first.document_id)
    assert (document.status, document.version, document.error) == ("ready", 1, ERROR)


def test_a_failed_version_does_not_stop_the_one_after_it(ledger: Database, source: Source) -> None:
    [first] = submit(ledger, source(data=b"A"))
    submit(ledger, source(data=b"B"))
    stages.fail(ledger, first.task_id, ERROR)

    assert shown(ledger, first.document_id).status is DocumentStatus.PROCESSING


def test_a_deleted_document_is_gone_and_frees_its_name(ledger: Database, source: Source) -> None:
    version = source(data=b"A")
    [first] = submit(ledger, version)
    publish(ledger, first, version)
    delete(ledger, first.document_id)

    with pytest.raises(DocumentNotFound):
        shown(ledger, first.document_id)
    with ledger.reading() as connection:
        assert documents.live_versions(connection, [first.document_id]) == {}
    with pytest.raises(DocumentNotFound):
        delete(ledger, first.document_id)

    [second] = submit(ledger, source(data=b"A"))
    assert second.duplicate_of is None
    assert second.document_id != first.document_id


def test_a_deleted_document_cannot_be_published(ledger: Database, source: Source) -> None:
    version = source()
    [accepted] = submit(ledger, version)
    delete(ledger, accepted.document_id)

    assert not publish(ledger, accepted, version)


def test_purging_takes_deleted_documents_alone(ledger: Database, source: Source) -> None:
    gone, kept = submit(ledger, source("a", b"A"), source("b", b"B"))
    delete(ledger, gone.document_id)

    with ledger.writing() as connection:
        documents.purge(connection, [gone.document_id, kept.document_id])

    assert counts(ledger) == (1, 1, 2)
    assert shown(ledger, kept.document_id).sha256 is not None


def test_a_deleted_collection_takes_its_documents_and_frees_its_name(
    ledger: Database, source: Source
) -> None:
    with ledger.writing() as connection:
        collections.create(connection, DEFAULT_TENANT, "contracts", None)
    version = source()
    [accepted] = submit(ledger, version, collection="contracts")
    publish(ledger, accepted, version)

    with ledger.writing() as connection:
        collection_id = collections.delete(connection, DEFAULT_TENANT, "contracts")
        assert documents.deleted_in(connection, collection_id) == [accepted.document_id]
        assert documents.live_versions(connection, [accepted.document_id]) == {}
    with pytest.raises(CollectionNotFound):
        submit(ledger, source(data=b"B"), collection="contracts")
    with ledger.writing() as connection:
        created = collections.create(connection, DEFAULT_TENANT, "contracts", None)
    assert created.documents == 0


def test_another_tenants_document_is_not_found(ledger: Database, source: Source) -> None:
    [accepted] = submit(ledger, source())

    with pytest.raises(DocumentNotFound), ledger.reading() as connection:
        documents.view(connection, new_id(), accepted.document_id)


def test_a_listing_is_complete_while_documents_are_added(ledger: Database, source: Source) -> None:
    wanted = [
        accepted.document_id
        for accepted in submit(ledger, *(source(f"{n}", b"%d" % n) for n in range(7)))
    ]
    found: list[str] = []
    before = None
    while True:
        with ledger.reading() as connection:
            part = documents.listing(
                connection,
                DEFAULT_TENANT,
                collection_id=None,
                status=None,
                before=before,
                limit=3,
            )
        if not part:
            break
        found += [document.document_id for document in part]
        before = found[-1]
        submit(ledger, source(new_id(), new_id().encode()))

    assert found == sorted(wanted, reverse=True)


def test_a_job_says_which_document_it_ingests(ledger: Database, source: Source) -> None:
    [accepted] = submit(ledger, source(password="secret"))

    with ledger.reading() as connection:
        task = jobs.view(connection, DEFAULT_TENANT, accepted.task_id)
    assert task is not None
    assert (task.document_id, task.collection) == (accepted.document_id, "default")
    assert (task.status, task.queue, task.stage) == (
        TaskStatus.PENDING,
        "document",
        "document.convert",
    )
    assert "secret" not in task.model_dump_json()
