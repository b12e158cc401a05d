"""Submissions: what becomes a document, a version or neither."""

import threading
from collections.abc import Callable

import pytest

from flotilla.errors import CollectionNotFound
from flotilla.ledger import collections, endings, job_views
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.ledger.submissions import NewSource
from flotilla.schemas import DocumentAccepted, DocumentStatus, TaskStatus
from tests.integration.ledger.operations import ERROR, counts, publish, shown_document, submit

Source = Callable[..., NewSource]


def test_the_same_bytes_again_name_the_first_document(ledger: Database, source: Source) -> None:
    [first] = submit(ledger, source("terms.pdf", b"A"))
    [second] = submit(ledger, source("copy.pdf", b"A"))

    assert second.duplicate_of == second.document_id == first.document_id
    assert second.task_id == first.task_id
    assert second.name == "terms.pdf"  # it is stored under no other
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
    assert shown_document(ledger, accepted.document_id).sha256 == first.sha256


@pytest.mark.parametrize("end", ["fail", "cancel"])
def test_what_failed_or_was_cancelled_can_be_submitted_again(
    ledger: Database, source: Source, end: str
) -> None:
    [first] = submit(ledger, source(data=b"A"))
    if end == "fail":
        endings.fail(ledger, first.task_id, ERROR)
        assert shown_document(ledger, first.document_id).error == ERROR
    else:
        endings.cancel(ledger, first.task_id)
    assert shown_document(ledger, first.document_id).status is DocumentStatus.FAILED

    [second] = submit(ledger, source(data=b"A"))

    assert second.duplicate_of is None
    assert second.document_id == first.document_id
    again = shown_document(ledger, first.document_id)
    assert (again.status, again.error) == ("processing", None)


def test_a_job_says_which_document_it_ingests(ledger: Database, source: Source) -> None:
    [accepted] = submit(ledger, source(password="secret"))

    with ledger.reading() as connection:
        task = job_views.view(connection, DEFAULT_TENANT, accepted.task_id)
    assert task is not None
    assert (task.document_id, task.collection) == (accepted.document_id, "default")
    assert (task.status, task.queue, task.stage) == (
        TaskStatus.PENDING,
        "document",
        "document.convert",
    )
    assert "secret" not in task.model_dump_json()
