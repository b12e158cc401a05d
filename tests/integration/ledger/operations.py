"""What the tests do with a ledger, each in a transaction of its own."""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update

from flotilla.ledger import documents, job_ends, job_views, jobs, locks, submissions, versions
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.ledger.jobs import NewJob
from flotilla.ledger.submissions import NewSource
from flotilla.ledger.tables import DOCUMENTS, JOBS, VERSIONS
from flotilla.schemas import Document, DocumentAccepted, Task, TaskError

ERROR = TaskError(stage="document.convert", code="no_text", message="None.", retryable=False)


def submit(
    ledger: Database, *sources: NewSource, collection: str = "default"
) -> list[DocumentAccepted]:
    with ledger.writing() as connection:
        return submissions.submit(connection, DEFAULT_TENANT, collection, sources)


def publish(ledger: Database, accepted: DocumentAccepted, source: NewSource) -> bool:
    with ledger.writing() as connection:
        locks.lock_collections(
            connection, [versions.get(connection, source.version_id).collection_id]
        )
        published = versions.publish(connection, accepted.document_id, source.version_id)
        job_ends.complete(connection, accepted.task_id, {})
    return published


def shown_document(ledger: Database, document_id: str) -> Document:
    """The document as the API shows it."""
    with ledger.reading() as connection:
        return documents.view(connection, DEFAULT_TENANT, document_id)


def states(ledger: Database, document_id: str) -> list[str]:
    """The states of the document's versions, in their order."""
    column = VERSIONS.c
    query = select(column.state).where(column.document_id == document_id).order_by(column.number)
    with ledger.reading() as connection:
        return list(connection.scalars(query))


def delete(ledger: Database, document_id: str) -> None:
    with ledger.writing() as connection:
        documents.mark_deleted(connection, DEFAULT_TENANT, document_id)


def counts(ledger: Database) -> tuple[int, int, int]:
    """How many documents, versions and jobs there are."""
    with ledger.reading() as connection:
        return tuple(  # type: ignore[return-value]
            connection.scalar(select(func.count()).select_from(table))
            for table in (DOCUMENTS, VERSIONS, JOBS)
        )


def new_job(**values: Any) -> NewJob:
    """A question unless something else is said."""
    given = {"kind": "query", "queue": "rag", "stage": "rag.answer", "payload": {}}
    return NewJob(tenant_id=DEFAULT_TENANT, **(given | values))


def add(ledger: Database, *new: NewJob) -> list[str]:
    with ledger.writing() as connection:
        jobs.add(connection, new)
    return [job.id for job in new]


def shown_task(ledger: Database, job_id: str) -> Task:
    """The job as the API shows it."""
    with ledger.reading() as connection:
        task = job_views.view(connection, DEFAULT_TENANT, job_id)
    assert task is not None
    return task


def set_back(ledger: Database, job_id: str, **columns: datetime) -> None:
    with ledger.writing() as connection:
        connection.execute(update(JOBS).where(JOBS.c.id == job_id).values(columns))
