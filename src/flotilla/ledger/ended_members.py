"""Members of a batch that are over as soon as they are written, so that all of it has a name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert

from flotilla.ledger.database import new_id, now
from flotilla.ledger.tables import JOBS
from flotilla.schemas import Refusal, TaskStatus

STAGE = "gateway.submit"
"""The stage that a refused file failed at."""

QUEUE = "default"


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


def _ended_row(tenant_id: str, batch_id: str, member: EndedMember) -> dict[str, Any]:
    moment = now()
    refusal = member.refusal
    result = {
        "document_id": member.duplicate_of,
        "duplicate_of": member.duplicate_of,
        "task_id": member.original_task,
    }
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
        "payload": {"name": member.name},
        "result": None if refusal else result,
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
