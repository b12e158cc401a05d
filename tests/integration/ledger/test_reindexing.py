"""Re-indexing a document and a collection, as far as the ledger goes."""

from collections.abc import Callable

import pytest
from sqlalchemy import select

from flotilla.errors import CollectionNotFound, Conflict, DocumentNotFound
from flotilla.ledger import (
    collections,
    documents,
    due_batches,
    endings,
    job_ends,
    job_views,
    jobs,
    reindexing,
    submissions,
    versions,
)
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, new_id
from flotilla.ledger.submissions import NewSource
from flotilla.ledger.tables import JOBS
from flotilla.schemas import Task, TaskStatus
from flotilla.upkeep.batches import advance

Source = Callable[..., NewSource]


def live(ledger: Database, source: Source, number: int, collection: str = "default") -> list[str]:
    """Ids of so many documents of which a version answers."""
    found = []
    for at in range(number):
        new = source(f"{at:03}.txt", f"text {at}".encode())
        with ledger.writing() as connection:
            [accepted] = submissions.submit(connection, DEFAULT_TENANT, collection, [new])
            versions.publish(connection, accepted.document_id, new.version_id)
            job_ends.complete(connection, accepted.task_id, {})
        found.append(accepted.document_id)
    return found


def reindex(ledger: Database, document_id: str) -> str:
    with ledger.writing() as connection:
        return reindexing.reindex(connection, DEFAULT_TENANT, document_id)


def begin(ledger: Database, name: str = "default") -> str:
    with ledger.writing() as connection:
        return reindexing.reindex_collection(connection, DEFAULT_TENANT, name)


def members(ledger: Database, batch_id: str) -> list[tuple[str, str]]:
    """Kind and document of each member, in the order in which they were written."""
    columns = JOBS.c
    with ledger.reading() as connection:
        rows = connection.execute(
            select(columns.kind, columns.document_id)
            .where(columns.parent_id == batch_id)
            .order_by(columns.id)
        )
        return [(row[0], row[1]) for row in rows]


def shown(ledger: Database, job_id: str) -> Task:
    with ledger.reading() as connection:
        task = job_views.view(connection, DEFAULT_TENANT, job_id)
    assert task is not None
    return task


def test_one_document_once_at_a_time(ledger: Database, source: Source) -> None:
    [document_id] = live(ledger, source, 1)
    job_id = reindex(ledger, document_id)
    assert reindex(ledger, document_id) == job_id
    task = shown(ledger, job_id)
    assert (task.kind, task.document_id, task.name) == ("reindex", document_id, "000.txt")
    with ledger.writing() as connection:
        job_ends.complete(connection, job_id, {})
    assert reindex(ledger, document_id) != job_id


def test_what_does_not_answer_is_not_indexed_anew(ledger: Database, source: Source) -> None:
    with ledger.writing() as connection:
        [accepted] = submissions.submit(connection, DEFAULT_TENANT, "default", [source()])
    with pytest.raises(Conflict, match="live"):
        reindex(ledger, accepted.document_id)
    with pytest.raises(DocumentNotFound):
        reindex(ledger, new_id())
    with pytest.raises(CollectionNotFound):
        begin(ledger, "nowhere")


def test_a_collection_is_a_batch_of_its_live_documents(ledger: Database, source: Source) -> None:
    with ledger.writing() as connection:
        collections.create(connection, DEFAULT_TENANT, "other", None)
    live(ledger, source, 2, "other")
    first, *wanted, last = live(ledger, source, 5)
    with ledger.writing() as connection:  # it answers no more
        documents.mark_deleted(connection, DEFAULT_TENANT, first)
    alone = reindex(ledger, last)  # it is on its way by itself
    with ledger.writing() as connection:  # it does not answer yet
        submissions.submit(connection, DEFAULT_TENANT, "default", [source("new.txt", b"new")])
    batch_id = begin(ledger)
    assert begin(ledger) == batch_id
    assert reindexing.write_members(ledger, batch_id, 10)
    assert members(ledger, batch_id) == [("reindex", each) for each in wanted]
    task = shown(ledger, batch_id)
    assert (task.name, task.collection, task.kind) == ("default", "default", "batch")
    assert task.progress is not None
    assert task.progress.total == 3
    assert not task.status.final
    with ledger.writing() as connection:
        ids = jobs.open_members(connection, batch_id, 10)
        assert alone not in ids
        for job_id in ids[:2]:
            job_ends.complete(connection, job_id, {})
    # One whose document was deleted meanwhile has nothing left to do.
    endings.cancel(ledger, ids[2])
    task = shown(ledger, batch_id)
    assert (task.status, task.result["cancelled"]) == (TaskStatus.COMPLETED, 1)
    assert begin(ledger) != batch_id


def test_an_empty_collection_is_done_at_once(ledger: Database) -> None:
    batch_id = begin(ledger)
    assert reindexing.write_members(ledger, batch_id, 10)
    assert shown(ledger, batch_id).status is TaskStatus.COMPLETED


def test_whoever_comes_next_goes_on_where_the_last_was_killed(
    ledger: Database, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reindexing, "PIECE", 2)
    wanted = live(ledger, source, 5)
    batch_id = begin(ledger)
    assert not reindexing.write_members(ledger, batch_id, 0)
    assert members(ledger, batch_id) == [("reindex", each) for each in wanted[:2]]
    with ledger.writing() as connection:  # all that is there has ended: more is to come
        for job_id in jobs.open_members(connection, batch_id, 10):
            job_ends.complete(connection, job_id, {})
    assert not shown(ledger, batch_id).status.final
    advance(ledger)  # a turn of the reaper
    assert members(ledger, batch_id) == [("reindex", each) for each in wanted]
    with ledger.reading() as connection:
        assert due_batches.due(connection) == []
    advance(ledger)
    assert len(members(ledger, batch_id)) == 5


def test_a_cancelled_one_writes_no_more_members(
    ledger: Database, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reindexing, "PIECE", 2)
    live(ledger, source, 5)
    batch_id = begin(ledger)
    reindexing.write_members(ledger, batch_id, 0)
    with ledger.writing() as connection:
        endings.cancel_by_user(connection, DEFAULT_TENANT, batch_id)
    assert reindexing.write_members(ledger, batch_id, 10)
    advance(ledger)
    task = shown(ledger, batch_id)
    assert (task.status, task.result["cancelled"]) == (TaskStatus.CANCELLED, 2)
