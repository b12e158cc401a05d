"""Re-indexings: a live version's stored chunks are embedded and written anew, without parsing.

A collection's are the members of a batch. They are written a piece at a time, each with how far it
came, so that no transaction is long and whoever comes next goes on where the last one was killed.
"""

import time
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, select, update

from flotilla.errors import Conflict
from flotilla.ledger import batches, collections, jobs
from flotilla.ledger.batch_counts import count
from flotilla.ledger.database import Database, now
from flotilla.ledger.documents import live_version
from flotilla.ledger.jobs import NewJob
from flotilla.ledger.locks import lock_documents
from flotilla.ledger.tables import DOCUMENTS, JOBS

# As `pipelines`, which stands above, names it.
STAGE = "vectorstore.reindex"
KIND = "reindex"
PIECE = 500
"""Members that one transaction writes: some 30 ms on SQLite, which has one writer at a time."""

documents = DOCUMENTS.c
columns = JOBS.c


def reindex(
    connection: Connection, tenant_id: str, document_id: str, callback_url: str | None = None
) -> str:
    """Write the job that re-indexes a document's live version; returns its id.

    While one is on its way already, its id.

    Raises:
        DocumentNotFound: the tenant has no such document.
        Conflict: no version of it is live.
    """
    # Two requests at once, or a deletion: the second has to see the first.
    lock_documents(connection, [document_id])
    version_id = live_version(connection, tenant_id, document_id)
    if version_id is None:
        raise Conflict(
            "No version of this document is live yet: wait until it is ingested, or retry its task."
        )
    on_its_way = connection.scalar(
        select(columns.id).where(
            columns.document_id == document_id,
            columns.version_id == version_id,
            columns.kind == KIND,
            columns.finished_at.is_(None),
        )
    )
    if on_its_way is not None:
        return str(on_its_way)
    row = connection.execute(
        select(documents.collection_id, documents.name, documents.live_version_id).where(
            documents.id == document_id
        )
    ).one()
    job = _new_job(tenant_id, _Target(document_id, version_id, row.name), row.collection_id)
    jobs.add(connection, [replace(job, callback_url=callback_url)])
    return job.id


@dataclass(frozen=True, slots=True)
class _Target:
    document_id: str
    version_id: str
    name: str


def _new_job(
    tenant_id: str,
    target: _Target,
    collection_id: str | None,
    collection: str | None = None,
    parent_id: str | None = None,
) -> NewJob:
    return NewJob(
        tenant_id=tenant_id,
        kind=KIND,
        queue="vectorstore",
        stage=STAGE,
        payload={"name": target.name},
        parent_id=parent_id,
        document_id=target.document_id,
        version_id=target.version_id,
        collection_id=collection_id,
        collection=collection,
    )


def reindex_collection(
    connection: Connection, tenant_id: str, name: str, callback_url: str | None = None
) -> str:
    """Write the batch that re-indexes a collection, whose members `write_members` adds.

    While one is on its way already, its id.

    Raises:
        CollectionNotFound: there is no such collection.
    """
    # Two requests at once: the second has to see the first.
    collection_id = collections.resolve(connection, tenant_id, [name], lock=True, field=None)[name]
    on_its_way = connection.scalar(
        select(columns.id).where(
            columns.finished_at.is_(None),
            columns.status.in_(jobs.OPEN),
            columns.queue == batches.QUEUE,
            columns.kind == batches.KIND,
            columns.collection_id == collection_id,
            columns.cancel_requested_at.is_(None),
        )
    )
    if on_its_way is not None:
        return str(on_its_way)
    return batches.open_batch(
        connection,
        tenant_id,
        name=name,
        idle=batches.AT_ONCE,
        callback_url=callback_url,
        collection_id=collection_id,
        collection=name,
        reindex={"after": ""},
    )


def write_members(database: Database, batch_id: str, seconds: float) -> bool:
    """Write the members of a batch that re-indexes a collection, for about so long.

    Returns whether all are written; the reaper goes on with the rest.
    """
    deadline = time.monotonic() + seconds
    while True:
        with database.writing() as connection:
            more = write_piece(connection, batch_id, PIECE)
        if not more or time.monotonic() >= deadline:
            return not more


def write_piece(connection: Connection, batch_id: str, size: int) -> bool:
    """Write the next members; closes the batch after the last. Returns whether more are left."""
    held = count(connection, batch_id, 0)
    batch = jobs.get(connection, batch_id)
    if held is None or batch is None or batch.payload.get("closed"):
        return False
    rows = _next_documents(connection, batch, size)
    _write(connection, batch, rows)
    if len(rows) < size:
        batches.shut(connection, batch)
        return False
    connection.execute(
        update(JOBS)
        .where(columns.id == batch_id)
        .values(payload=batch.payload | {"reindex": {"after": rows[-1].id}}, lease_until=now())
    )
    return True


def _next_documents(connection: Connection, batch: jobs.Job, size: int) -> list[Row[Any]]:
    rows = connection.execute(
        select(documents.id, documents.name, documents.live_version_id)
        .where(
            documents.collection_id == batch.collection_id,
            documents.id > batch.payload["reindex"]["after"],
            documents.deleted_at.is_(None),
            documents.live_version_id.is_not(None),
        )
        .order_by(documents.id)
        .limit(size)
    )
    return list(rows)


def _write(connection: Connection, batch: jobs.Job, rows: list[Row[Any]]) -> None:
    # One that somebody has asked for by itself is done by that.
    on_its_way = set(
        connection.scalars(
            select(columns.version_id).where(
                columns.document_id.in_([row.id for row in rows]),
                columns.kind == KIND,
                columns.finished_at.is_(None),
            )
        )
    )
    jobs.add(
        connection,
        [
            _new_job(
                batch.tenant_id,
                _Target(row.id, row.live_version_id, row.name),
                batch.collection_id,
                batch.collection,
                batch.id,
            )
            for row in rows
            if row.live_version_id not in on_its_way
        ],
    )
