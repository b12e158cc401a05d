"""Cancelling a batch while members are publishing: those go on, and the batch ends with them."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, select

from flotilla import dispatch, pipelines
from flotilla.errors import Conflict
from flotilla.ledger import (
    batches,
    documents,
    due_batches,
    endings,
    job_ends,
    jobs,
    recovery,
    steps,
    submissions,
    versions,
)
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, now
from flotilla.ledger.steps import Held, Key
from flotilla.ledger.submissions import NewSource
from flotilla.ledger.tables import JOBS
from flotilla.schemas import DocumentAccepted, TaskStatus
from tests.integration.ledger.operations import ERROR, shown_document, shown_task
from tests.integration.ledger.races import in_the_middle

Source = Callable[..., NewSource]


def a_batch(
    ledger: Database, source: Source, members: int = 1
) -> tuple[str, list[DocumentAccepted], list[NewSource]]:
    sources = [source(f"{at}.txt", f"text {at}".encode()) for at in range(members)]
    with ledger.writing() as connection:
        batch_id = batches.open_batch(connection, DEFAULT_TENANT)
        accepted = submissions.submit(connection, DEFAULT_TENANT, "default", sources, batch_id)
        batches.close(connection, DEFAULT_TENANT, batch_id)
    with ledger.writing() as connection:
        for each in accepted:
            recovery.mark_sent(connection, each.task_id)
    return batch_id, accepted, sources


def begin(ledger: Database, job_id: str, stage: str = pipelines.PUBLISH) -> Held:
    with ledger.writing() as connection:
        held = steps.begin(connection, Key(job_id, stage), "worker")
        assert jobs.claim(connection, job_id, stage, "vectorstore") is not None
    assert isinstance(held, Held)
    return held


def cancel(ledger: Database, batch_id: str) -> bool:
    with ledger.writing() as connection:
        endings.cancel_by_user(connection, DEFAULT_TENANT, batch_id)
    return endings.cancel_members(ledger, batch_id, 10)


def finish(ledger: Database, held: Held) -> None:
    with ledger.writing() as connection:
        assert steps.finish(connection, held)


def complete(ledger: Database, job_id: str) -> None:
    """What the last stage does, once it may begin."""
    held = begin(ledger, job_id, pipelines.FINISH)
    with ledger.writing() as connection:
        assert job_ends.complete(connection, job_id, {}) is not None
        assert steps.finish(connection, held)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stages whose messages were sent."""
    sent: list[str] = []
    monkeypatch.setattr(pipelines, "begin", lambda *what: sent.append(what[2]))
    return sent


@pytest.mark.parametrize("publishing", ["waits", "runs", "is done"])
def test_a_member_that_is_publishing_goes_on_to_its_end(
    ledger: Database, source: Source, sent: list[str], publishing: str
) -> None:
    batch_id, [member, other], [new, _] = a_batch(ledger, source, 2)
    held = begin(ledger, member.task_id)
    if publishing == "waits":  # for Qdrant, which was away
        with ledger.writing() as connection:
            assert versions.publish(connection, member.document_id, new.version_id)
            assert steps.release(connection, held, 0.0, sent=False, outage=True)
    elif publishing == "is done":
        with ledger.writing() as connection:
            assert versions.publish(connection, member.document_id, new.version_id)
        finish(ledger, held)

    assert cancel(ledger, batch_id)
    assert shown_task(ledger, other.task_id).status is TaskStatus.CANCELLED
    assert not shown_task(ledger, batch_id).status.final
    with ledger.reading() as connection:
        assert jobs.is_open(connection, member.task_id)
        assert due_batches.due(connection) == []  # nothing is left to be done for it
        job = jobs.get(connection, member.task_id)
        lost = set(recovery.due(connection, ["ingest"]))
    assert job is not None

    if publishing == "waits":
        assert dispatch.resume(ledger, job, lost)
        assert sent == [pipelines.PUBLISH]
        held = begin(ledger, member.task_id)
    if publishing != "is done":
        with ledger.writing() as connection:
            assert versions.publish(connection, member.document_id, new.version_id)
        finish(ledger, held)
    else:
        assert dispatch.resume(ledger, job)
        assert sent == [pipelines.FINISH]
    complete(ledger, member.task_id)

    assert shown_document(ledger, member.document_id).status == "ready"
    batch = shown_task(ledger, batch_id)
    assert batch.status is TaskStatus.CANCELLED
    assert (batch.result["completed"], batch.result["cancelled"]) == (1, 1)


def test_one_that_waits_to_publish_is_cancelled(ledger: Database, source: Source) -> None:
    batch_id, [member], _ = a_batch(ledger, source)
    held = begin(ledger, member.task_id)
    with ledger.writing() as connection:
        assert steps.release(connection, held, 3600.0, sent=False, outage=True)
    assert cancel(ledger, batch_id)
    assert shown_task(ledger, member.task_id).status is TaskStatus.CANCELLED
    assert shown_task(ledger, batch_id).status is TaskStatus.CANCELLED


def test_members_that_are_publishing_keep_no_others_from_being_cancelled(
    ledger: Database, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings, "PIECE", 2)
    batch_id, accepted, _ = a_batch(ledger, source, 7)
    publishing = {each.task_id for each in accepted[:3]}
    for job_id in publishing:
        begin(ledger, job_id)
    assert cancel(ledger, batch_id)
    with ledger.reading() as connection:
        assert set(jobs.open_members(connection, batch_id, 10)) == publishing


def test_one_whose_document_is_deleted_is_cancelled_while_it_is_publishing(
    ledger: Database, source: Source
) -> None:
    batch_id, [member], _ = a_batch(ledger, source)
    begin(ledger, member.task_id)
    with ledger.writing() as connection:
        documents.mark_deleted(connection, DEFAULT_TENANT, member.document_id)
    assert cancel(ledger, batch_id)
    assert shown_task(ledger, batch_id).status is TaskStatus.CANCELLED


def test_who_begins_to_publish_while_the_batch_is_being_cancelled_is_seen(
    ledger: Database, source: Source
) -> None:
    """Both at one moment: the cancellation waits for the worker's transaction, and sees what it has
    written."""
    batch_id, [member], [new] = a_batch(ledger, source)
    begun: list[object] = []

    def looks(connection: Connection) -> None:
        jobs.lock(connection, member.task_id)
        assert jobs.is_open(connection, member.task_id)

    def begins(connection: Connection) -> None:
        begun.append(steps.begin(connection, Key(member.task_id, pipelines.PUBLISH), "worker"))
        assert jobs.claim(connection, member.task_id, pipelines.PUBLISH, "vectorstore")

    assert in_the_middle(ledger, looks, lambda: cancel(ledger, batch_id), begins)
    [held] = begun
    assert isinstance(held, Held)
    with ledger.reading() as connection:
        marked = select(JOBS.c.cancel_requested_at).where(JOBS.c.id == member.task_id)
        assert connection.scalar(marked) is None
    with ledger.writing() as connection:
        assert versions.publish(connection, member.document_id, new.version_id)
    finish(ledger, held)
    complete(ledger, member.task_id)
    assert shown_task(ledger, batch_id).status is TaskStatus.CANCELLED


def test_a_file_that_is_submitted_again_while_it_fails_waits_in_no_ring(
    ledger: Database, source: Source
) -> None:
    """The failure ends the document's version and the batch, the submission does so the other way
    round: neither may hold the one while it waits for the other."""
    with ledger.writing() as connection:
        batch_id = batches.open_batch(connection, DEFAULT_TENANT)
        [first] = submissions.submit(connection, DEFAULT_TENANT, "default", [source()], batch_id)

    def takes_the_document(connection: Connection) -> None:
        again = source(data=b"other bytes")
        submissions._write_document(
            connection, DEFAULT_TENANT, DEFAULT_TENANT, again, first.task_id, now()
        )

    ended = in_the_middle(
        ledger,
        takes_the_document,
        lambda: endings.fail(ledger, first.task_id, ERROR),
        lambda connection: batches.admit(connection, DEFAULT_TENANT, batch_id),
    )
    assert ended is not None


def test_a_member_that_is_publishing_is_not_taken_back_by_itself(
    ledger: Database, source: Source
) -> None:
    _, [member], _ = a_batch(ledger, source)
    begin(ledger, member.task_id)
    with pytest.raises(Conflict), ledger.writing() as connection:
        endings.cancel_by_user(connection, DEFAULT_TENANT, member.task_id)
