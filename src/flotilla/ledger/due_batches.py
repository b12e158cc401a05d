"""Batches that need to be looked at: open ones that nobody adds to are closed, and those whose
members are still being written, cancelled or tried again go on."""

from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from flotilla.errors import DependencyUnavailable
from flotilla.ledger import job_ends, jobs
from flotilla.ledger.batch_counts import any_open, count
from flotilla.ledger.batches import BUSY, IDLED, KIND, QUEUE, shut
from flotilla.ledger.database import Database, now
from flotilla.ledger.tables import JOBS
from flotilla.logging import get_logger
from flotilla.schemas import TaskStatus

logger = get_logger(__name__)

columns = JOBS.c


def close_idle(database: Database) -> list[str]:
    """Close the batches that have waited long enough for their next member, and end closed ones
    that have waited for tasks that are not their members; returns their ids.

    One of which a member is not over is left open.
    """
    with database.reading() as connection:
        waiting = [batch for batch in due(connection) if not batch.busy]
    closed: list[str] = []
    for each in waiting:
        try:
            if _close_idle(database, each.id):
                closed.append(each.id)
        except DependencyUnavailable:
            raise  # it would be the same for all others
        except Exception:  # one that cannot be read does not keep the others waiting
            logger.exception("batch.not_closed", task_id=each.id)
            put_off(database, each.id)
    return closed


def _close_idle(database: Database, batch_id: str) -> bool:
    with database.writing() as connection:
        count(connection, batch_id, 0)
        if not any(batch.id == batch_id for batch in due(connection)):
            return False  # somebody has added to it meanwhile
        job = jobs.get(connection, batch_id)
        assert job is not None  # noqa: S101 - it is due
        if any_open(connection, batch_id):
            # It could not end yet, and whoever fills it may be waiting for room.
            _look_later(connection, batch_id)
            return False
        if job.payload.get("closed"):
            # What it waits for may not be its own.
            return job_ends.settle(connection, batch_id) is not None
        shut(connection, job, **{IDLED: True})
        return True


def put_off(database: Database, batch_id: str) -> None:
    """Leave a batch alone for a while that cannot be worked on as it is."""
    with database.writing() as connection:
        _look_later(connection, batch_id)


def _look_later(connection: Connection, batch_id: str) -> None:
    later = update(JOBS).where(columns.id == batch_id, columns.finished_at.is_(None))
    connection.execute(later.values(lease_until=now() + BUSY))


@dataclass(frozen=True, slots=True)
class Due:
    """A batch that needs to be looked at."""

    id: str
    cancelled: bool
    retry: bool
    reindex: bool

    @property
    def busy(self) -> bool:
        """Whether its members are still being written, cancelled or tried again."""
        return self.cancelled or self.retry or self.reindex


def due(connection: Connection, limit: int = 100) -> list[Due]:
    """The batches that need to be looked at now, those that have waited longest first."""
    rows = connection.execute(
        select(columns.id, columns.payload, columns.cancel_requested_at)
        .where(
            # As the index of open jobs says it.
            columns.finished_at.is_(None),
            columns.status == TaskStatus.PROCESSING.value,
            columns.queue == QUEUE,
            columns.kind == KIND,
            columns.lease_until <= now(),
        )
        .order_by(columns.lease_until)
        .limit(limit)
    )
    return [
        Due(
            row.id,
            cancelled=row.cancel_requested_at is not None,
            retry="retry" in row.payload,
            reindex="reindex" in row.payload,
        )
        for row in rows
    ]
