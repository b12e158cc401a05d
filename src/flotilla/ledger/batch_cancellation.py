"""Cancelling batches: their members are stopped first, and then ended in pieces.

What has begun to publish its version goes on, and the batch ends with the last of those.
"""

from sqlalchemy import Connection, func, select, update

from flotilla.errors import Conflict
from flotilla.ledger import job_ends
from flotilla.ledger.batch_counts import count
from flotilla.ledger.batches import BUSY
from flotilla.ledger.database import now
from flotilla.ledger.jobs import OPEN
from flotilla.ledger.tables import JOBS

columns = JOBS.c


def request_cancel(connection: Connection, batch_id: str) -> None:
    """Let no member of a batch go on; `endings.cancel_members` then ends them, in pieces.

    What waits is not begun any more, and what is worked on stops at its next checkpoint. What has
    begun to publish its version goes on: the one before may be gone by then.

    Raises:
        Conflict: the batch is over.
    """
    moment = now()
    is_open_member = (columns.parent_id == batch_id) & columns.status.in_(OPEN)
    # In the order of their ids, as all that touches many jobs: two could else wait in a ring. Once
    # they are held none can begin to publish, and only then is looked at which have.
    members = select(columns.id).where(is_open_member).order_by(columns.id)
    held = members.with_for_update(key_share=True).subquery()
    connection.execute(select(func.count()).select_from(held))
    connection.execute(
        update(JOBS)
        .where(is_open_member, ~job_ends.publishing())
        .values(cancel_requested_at=moment)
    )
    batch = count(connection, batch_id, 0)
    if batch is None:
        raise Conflict("This batch has ended meanwhile: there is nothing to cancel.")
    payload = {key: value for key, value in batch.payload.items() if key != "retry"}
    connection.execute(
        update(JOBS)
        .where(columns.id == batch_id)
        .values(
            cancel_requested_at=moment,
            lease_until=moment,
            payload=payload | {"closed": True},
        )
    )


def await_publishing(connection: Connection, batch_id: str) -> None:
    """Leave a batch alone of which all members are cancelled that can be.

    It ends with the last of the others; this is how long until it is looked at all the same.
    """
    connection.execute(
        update(JOBS)
        .where(columns.id == batch_id, columns.finished_at.is_(None))
        .values(lease_until=now() + BUSY)
    )
