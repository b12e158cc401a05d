"""Locks on rows, taken in the order that `ledger.database` gives.

SQLite, which has one writer at a time, needs none of them and passes them over.
"""

from collections.abc import Collection

from sqlalchemy import Connection, Table, select

from flotilla.ledger.tables import COLLECTIONS, DOCUMENTS, JOBS

jobs = JOBS.c


def lock_collections(connection: Connection, collection_ids: Collection[str]) -> None:
    """Make whoever else adds documents to the collections wait for this transaction."""
    _lock(connection, COLLECTIONS, collection_ids)


def lock_documents(connection: Connection, document_ids: Collection[str]) -> None:
    """Make whoever else adds, publishes, gives up or deletes versions of the documents wait for
    this transaction.

    What is read in a statement after this stays so until the end; what the same statement reads
    may be older than the wait.
    """
    _lock(connection, DOCUMENTS, document_ids)


def lock_jobs(connection: Connection, job_ids: Collection[str]) -> None:
    """Make the jobs' other writers wait for this transaction; the documents that they ingest come
    first."""
    if connection.dialect.name == "sqlite":
        return
    ingested = select(jobs.document_id).where(
        jobs.id.in_(set(job_ids)), jobs.kind == "ingest", jobs.document_id.is_not(None)
    )
    lock_documents(connection, set(connection.scalars(ingested)))
    _lock(connection, JOBS, job_ids)


def _lock(connection: Connection, table: Table, ids: Collection[str]) -> None:
    if not ids or connection.dialect.name == "sqlite":
        return
    # Key-share is not in the way of the foreign keys of rows that are being written.
    rows = select(table.c.id).where(table.c.id.in_(set(ids))).order_by(table.c.id)
    connection.execute(rows.with_for_update(key_share=True))
