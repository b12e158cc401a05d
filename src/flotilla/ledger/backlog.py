"""The backlog: open jobs that wait longer than they should."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, Connection, func, select

from flotilla.ledger.database import now
from flotilla.ledger.jobs import JOB_COLUMNS, OPEN, Job, job_of
from flotilla.ledger.tables import JOBS, STEPS
from flotilla.schemas import TaskStatus

jobs = JOBS.c
steps = STEPS.c


def unsent(
    connection: Connection, kinds: Sequence[str], older_than: timedelta, limit: int = 500
) -> list[Job]:
    """Jobs of these kinds that were written, but whose message was never sent: their gateway
    died between."""
    return _oldest(
        connection,
        kinds,
        limit,
        jobs.status == TaskStatus.PENDING.value,
        jobs.sent_at.is_(None),
        jobs.created_at < now() - older_than,
    )


def stalled(
    connection: Connection, kinds: Sequence[str], older_than: timedelta, limit: int = 500
) -> list[Job]:
    """Open jobs of these kinds that were sent, and of which no step began or ended in this time."""
    moment = now() - older_than
    moving = select(steps.job_id).where(
        steps.job_id == jobs.id, (steps.started_at >= moment) | (steps.finished_at >= moment)
    )
    return _oldest(
        connection,
        kinds,
        limit,
        jobs.status.in_(OPEN),
        func.coalesce(jobs.started_at, jobs.sent_at) < moment,
        ~moving.exists(),
    )


def overdue(
    connection: Connection, kinds: Sequence[str], older_than: timedelta, limit: int = 500
) -> list[Job]:
    """Jobs of these kinds that nobody began in this time, or that nobody ended in this time
    after they were begun."""
    return _oldest(
        connection,
        kinds,
        limit,
        jobs.status.in_(OPEN),
        func.coalesce(jobs.started_at, jobs.created_at) < now() - older_than,
    )


def _oldest(
    connection: Connection, kinds: Sequence[str], limit: int, *conditions: ColumnElement[bool]
) -> list[Job]:
    rows = connection.execute(
        select(*JOB_COLUMNS)
        # Implied by an open status; said because the index of open jobs is partial on it.
        .where(jobs.finished_at.is_(None), jobs.kind.in_(kinds), *conditions)
        .order_by(jobs.id)
        .limit(limit)
    )
    return [job_of(row) for row in rows]
