"""Leases on jobs of one short message, such as questions, which have no steps to hold them."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, func, select, update

from flotilla.ledger.database import now
from flotilla.ledger.jobs import JOB_COLUMNS, OPEN, Job, job_of
from flotilla.ledger.steps import lease_time
from flotilla.ledger.tables import JOBS
from flotilla.schemas import TaskStatus

jobs = JOBS.c


@dataclass(frozen=True, slots=True)
class Leased:
    """A job of one short message that this worker may work on, as long as its fence stands."""

    job: Job
    fence: int


def lease(
    connection: Connection, job_id: str, stage: str, queue: str, attempt: int, worker: str
) -> Leased | None:
    """Take the lease of a job that has no steps.

    Returns None when the job is over or unknown, or another worker's lease is good.
    """
    moment = now()
    row = connection.execute(
        update(JOBS)
        .where(
            jobs.id == job_id,
            jobs.status.in_(OPEN),
            jobs.cancel_requested_at.is_(None),
            jobs.lease_until.is_(None) | (jobs.lease_until < moment),
        )
        .values(
            status=TaskStatus.PROCESSING.value,
            stage=stage,
            queue=queue,
            attempt=attempt,
            fence=jobs.fence + 1,
            lease_owner=worker,
            lease_until=moment + lease_time(),
            started_at=func.coalesce(jobs.started_at, moment),
        )
        .returning(*JOB_COLUMNS, jobs.fence)
    ).one_or_none()
    if row is None:
        return None
    return Leased(job_of(row), row.fence)


def renew(connection: Connection, job_id: str, fence: int) -> bool:
    """Hold a job's lease for longer; False when the fence has fallen or the job is over."""
    renewed = connection.execute(
        update(JOBS)
        .where(jobs.id == job_id, jobs.fence == fence, jobs.status.in_(OPEN))
        .values(lease_until=now() + lease_time())
    )
    return renewed.rowcount == 1


def is_held(connection: Connection, job_id: str, fence: int) -> bool:
    """Whether the fence stands and the job is still wanted."""
    held = select(jobs.id).where(
        jobs.id == job_id,
        jobs.fence == fence,
        jobs.status.in_(OPEN),
        jobs.cancel_requested_at.is_(None),
    )
    return connection.execute(held).first() is not None


def give_back(connection: Connection, job_id: str, fence: int, due_in: float) -> bool:
    """Let a job wait for its next attempt, whose message comes in `due_in` seconds.

    False when the fence has fallen or the job is over.
    """
    given = connection.execute(
        update(JOBS)
        .where(jobs.id == job_id, jobs.fence == fence, jobs.status.in_(OPEN))
        .values(
            status=TaskStatus.PENDING.value,
            sent_at=now() + timedelta(seconds=due_in),
            lease_owner=None,
            lease_until=None,
        )
    )
    return given.rowcount == 1
