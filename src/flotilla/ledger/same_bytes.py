"""Bytes that a collection holds already: which document they are, and whether that is enough."""

from typing import Any

from sqlalchemy import Connection, Row, select

from flotilla.ledger.jobs import WAITS_FOR
from flotilla.ledger.tables import DOCUMENTS, JOBS, VERSIONS
from flotilla.ledger.versions import LIVE, PENDING
from flotilla.models import ConverterName
from flotilla.schemas import DocumentAccepted

REPLACED = "converter_replaced"
"""Code of the note that another converter stood in for the one that was asked for."""

documents = DOCUMENTS.c
versions = VERSIONS.c
jobs = JOBS.c


def find_same(
    connection: Connection, collection_id: str, sha256: str, except_version: str | None = None
) -> Row[Any] | None:
    """The collection's document that these bytes are, as a live version or on the way.

    Not so where a newer version with other bytes is on the way to take their place. One that waits
    for another job has the same bytes as that one.
    """
    later = VERSIONS.alias()
    job_of_later = JOBS.alias()
    waits = select(job_of_later.c.id).where(
        job_of_later.c.version_id == later.c.id,
        job_of_later.c.payload[WAITS_FOR].as_string().is_not(None),
        later.c.sha256.is_(None),
    )
    superseded = select(later.c.id).where(
        later.c.document_id == versions.document_id,
        later.c.number > versions.number,
        later.c.state == PENDING,
        later.c.id != (except_version or ""),
        ~waits.exists(),
    )
    return connection.execute(
        select(
            documents.id,
            documents.name,
            documents.source,
            versions.converter,
            jobs.id.label("job_id"),
            jobs.status,
            jobs.payload,
            jobs.notes,
        )
        .join_from(VERSIONS, DOCUMENTS, documents.id == versions.document_id)
        .join(JOBS, jobs.version_id == versions.id)
        .where(
            versions.sha256 == sha256,
            versions.id != (except_version or ""),
            versions.state.in_((PENDING, LIVE)),
            documents.collection_id == collection_id,
            documents.deleted_at.is_(None),
            jobs.kind == "ingest",
            ~superseded.exists(),
        )
        .order_by(jobs.id.desc())
        .limit(1)
    ).one_or_none()


def duplicate(row: Row[Any]) -> DocumentAccepted:
    """What is said of a submission whose bytes are those of a row of `find_same`."""
    return DocumentAccepted(
        document_id=row.id,
        task_id=row.job_id,
        name=row.name,
        status=row.status,
        duplicate_of=row.id,
    )


def asked(payload: dict[str, Any]) -> ConverterName:
    """The converter that a job's submission asks for."""
    return ConverterName(payload.get("converter", ConverterName.AUTO))


def is_read_anew(row: Row[Any], source: str, converter: ConverterName) -> bool:
    """Whether the same bytes of the same source are no duplicate, since another converter is asked
    for than the one that read them, or the one that was asked for had another stand in for it."""
    if converter is ConverterName.AUTO or row.source != source:
        return False
    if asked(row.payload) is converter:
        return any(note["code"] == REPLACED for note in row.notes or ())
    return bool(row.converter != converter.value)
