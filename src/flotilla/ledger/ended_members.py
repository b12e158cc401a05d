"""Members of a batch that are over as soon as they are written, so that all of it has a name.

A file whose bytes a document has already, or is about to have, is completed by that. Should the
task that ingests them fail, so has the file: its batch waits for that task, and says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, null, select, update

from flotilla.errors import Conflict
from flotilla.ledger.database import new_id, now
from flotilla.ledger.tables import JOBS
from flotilla.schemas import Refusal, TaskStatus

STAGE = "gateway.submit"
"""The stage that a refused file failed at."""

QUEUE = "default"

PIECE = 1000
"""Duplicates whose ends are changed at once."""

ERROR = ("error_stage", "error_code", "error_message", "error_retryable")

jobs = JOBS.c


@dataclass(frozen=True, slots=True)
class EndedMember:
    """A member that is over as soon as it is written: refused, or a duplicate of a document."""

    name: str
    refusal: Refusal | None = None
    duplicate_of: str | None = None
    original_task: str | None = None
    collection_id: str | None = None
    collection: str | None = None


def add(
    connection: Connection, tenant_id: str, batch_id: str, members: Sequence[EndedMember]
) -> None:
    """Write members that are over, without counting them: `batches.admit` does that."""
    if members:
        rows = [_ended_row(tenant_id, batch_id, member) for member in members]
        connection.execute(insert(JOBS), rows)


def follow(connection: Connection, batch_id: str) -> bool:
    """Give a batch's duplicates the ends of the tasks that have ingested their bytes.

    It comes last in a transaction that holds the batch. Returns False where that has to be done
    again: one of the tasks is not over, or somebody else holds a duplicate.
    """
    original = JOBS.alias("original")
    other_end = (
        select(
            jobs.id,
            jobs.document_id,
            original.c.id.label("original_task"),
            *(original.c[name] for name in ("status", *ERROR)),
        )
        .join_from(JOBS, original, original.c.id == jobs.payload["original"].as_string())
        .where(
            jobs.parent_id == batch_id,
            jobs.stage == STAGE,
            jobs.finished_at.is_not(None),
            jobs.status != original.c.status,
        )
    )
    # A folder that is sent twice waits for all of its originals, and is looked at every few
    # seconds: the first that is not over is enough.
    unfinished = other_end.where(original.c.finished_at.is_(None)).limit(1)
    if connection.execute(unfinished).first() is not None:
        return False
    changed = connection.execute(other_end.order_by(jobs.id)).all()
    over = {row.id: row for row in changed}
    # Whoever holds a batch waits for nobody.
    free = select(jobs.id).where(jobs.id.in_(list(over)[:PIECE]))
    held = list(connection.scalars(free.with_for_update(key_share=True, skip_locked=True)))
    for row in (over[job_id] for job_id in held):
        completed = row.status == TaskStatus.COMPLETED.value
        connection.execute(
            update(JOBS)
            .where(jobs.id == row.id)
            .values(
                status=row.status,
                result=_result(row.document_id, row.original_task) if completed else null(),
                **{name: getattr(row, name) for name in ERROR},
            )
        )
    return len(held) == len(changed)


def failed_elsewhere(original_task: str) -> Conflict:
    """Why a duplicate cannot be tried again when the task that was to ingest its bytes failed."""
    return Conflict(
        f"Another task, {original_task}, was to ingest these bytes and failed: retry that one, or "
        "send the file again."
    )


def _result(document_id: str | None, original_task: str | None) -> dict[str, str | None]:
    return {"document_id": document_id, "duplicate_of": document_id, "task_id": original_task}


def _ended_row(tenant_id: str, batch_id: str, member: EndedMember) -> dict[str, Any]:
    moment = now()
    refusal = member.refusal
    original = {} if member.original_task is None else {"original": member.original_task}
    return {
        "id": new_id(),
        "tenant_id": tenant_id,
        "parent_id": batch_id,
        "kind": "ingest",
        "status": (TaskStatus.FAILED if refusal else TaskStatus.COMPLETED).value,
        "queue": QUEUE,
        "stage": STAGE,
        "attempt": 1,
        "fence": 0,
        "payload": {"name": member.name} | original,
        "result": None if refusal else _result(member.duplicate_of, member.original_task),
        "document_id": member.duplicate_of,
        "collection_id": member.collection_id,
        "collection": member.collection,
        "error_stage": STAGE if refusal else None,
        "error_code": refusal.code if refusal else None,
        "error_message": refusal.message if refusal else None,
        "error_retryable": False if refusal else None,
        "sent_at": moment,
        "created_at": moment,
        "finished_at": moment,
        "cleaned_at": moment,
    }
