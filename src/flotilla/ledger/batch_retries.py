"""Retrying batches: their failed members are made pending again in pieces.

How far that came stands in the batch's payload, as `retry`, until all of it is done. Meanwhile the
batch does not end, and it is looked at again, so that the reaper goes on where a request stopped.
"""

from sqlalchemy import Connection, select, update

from flotilla.errors import Conflict
from flotilla.ledger import ended_members, job_ends
from flotilla.ledger.batch_counts import count
from flotilla.ledger.batches import IDLE
from flotilla.ledger.database import now
from flotilla.ledger.job_views import is_in
from flotilla.ledger.tables import JOBS
from flotilla.schemas import Task, TaskStatus

columns = JOBS.c


def note(connection: Connection, batch_id: str, after: str | None) -> Task | None:
    """Keep the last member up to which the failed ones are tried again; None when all are.

    In a transaction that has opened the batch again. Returns the batch where this ended it: its
    members were over by then.

    Raises:
        Conflict: the batch is being cancelled, and the transaction is to be rolled back.
    """
    batch = count(connection, batch_id, 0)
    if batch is None:
        return None
    if batch.cancel_requested_at is not None:
        raise Conflict("This batch is being cancelled: retry it once it is over.")
    payload = {key: value for key, value in batch.payload.items() if key != "retry"}
    if after is not None:
        values = {"payload": payload | {"retry": after}, "lease_until": now()}
    elif "retry" not in batch.payload:
        return None
    elif payload.get("closed"):
        values = {"payload": payload, "lease_until": None}
    else:
        later = now() if "reindex" in payload else now() + IDLE
        values = {"payload": payload, "lease_until": later}
    connection.execute(update(JOBS).where(columns.id == batch_id).values(values))
    return job_ends.settle(connection, batch_id)


def check_going_on(connection: Connection, batch_id: str) -> None:
    """Go on with a retry only while nobody has cancelled the batch, not even to its end.

    In a transaction that has not opened the batch again yet.

    Raises:
        Conflict: somebody has, and the transaction is to be rolled back.
    """
    batch = count(connection, batch_id, 0)
    if batch is None or "retry" not in batch.payload:
        raise Conflict("This batch was cancelled meanwhile: retry it once it is over.")


def nothing_to_retry(connection: Connection, batch_id: str) -> Conflict:
    """Why no member of a batch can be tried again, and what to do instead."""
    original = JOBS.alias("original")
    elsewhere = connection.scalar(
        select(original.c.id)
        .join_from(JOBS, original, original.c.id == columns.payload["original"].as_string())
        .where(
            columns.parent_id == batch_id,
            columns.stage == ended_members.STAGE,
            is_in(TaskStatus.FAILED),
            original.c.status == TaskStatus.FAILED.value,
        )
        .order_by(columns.id)
        .limit(1)
    )
    if elsewhere is not None:
        return ended_members.failed_elsewhere(elsewhere)
    return Conflict(
        "No document of this batch failed in a way that a retry could mend: send again what is "
        "still wanted."
    )
