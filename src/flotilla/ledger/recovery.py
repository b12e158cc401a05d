"""What the reaper looks for: work that nobody holds and that no message will bring back.

Waiting is not being lost. A step that waits for its turn has a message in the broker; whether it
has is for the reaper to find out. Here is only what has waited long enough to be worth the look.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, func, select, update

from flotilla.ledger.database import now
from flotilla.ledger.jobs import JOB_COLUMNS, OPEN, Job, job_of, sent
from flotilla.ledger.steps import Key, StepState, under_way
from flotilla.ledger.tables import JOBS, STEPS
from flotilla.schemas import TaskStatus
from flotilla.settings import get_settings

jobs = JOBS.c
steps = STEPS.c


def grace() -> timedelta:
    """Longer than the moment between a message's sending, its taking and its step's beginning."""
    return timedelta(seconds=get_settings().job.grace_seconds)


REPLIES = ("query", "search", "questions")
"""Kinds of jobs of one short message, which hold their lease themselves."""


def due(connection: Connection, kinds: Sequence[str]) -> list[Key]:
    """Waiting steps that are due and for which no message was ever sent."""
    return _waiting(connection, kinds, steps.sent_at.is_(None), steps.due_at <= now())


def overdue(connection: Connection, kinds: Sequence[str]) -> list[Key]:
    """Waiting steps that were sent and should have been begun, unless they stand in a queue."""
    moment = now() - grace()
    return _waiting(
        connection,
        kinds,
        steps.sent_at <= moment,
        steps.due_at.is_(None) | (steps.due_at <= moment),
    )


def _waiting(
    connection: Connection, kinds: Sequence[str], *conditions: ColumnElement[bool]
) -> list[Key]:
    found: list[Key] = []
    for piece in _pieces(connection, kinds):
        rows = connection.execute(
            select(steps.job_id, steps.stage, steps.part).where(
                steps.state == StepState.WAITING.value,
                steps.state != StepState.DONE.value,  # as the index of open steps says it
                steps.job_id.in_(piece),
                *conditions,
            )
        )
        found += [Key(*row) for row in rows]
    return found


def silent(connection: Connection, kinds: Sequence[str]) -> list[Job]:
    """Jobs on which nobody works, none of whose steps waits to be begun, and which are not over:
    their next message was never sent, or is lost."""
    moment = now() - grace()
    found: list[Job] = []
    for piece in _pieces(connection, kinds, before=moment):
        busy = set(
            connection.scalars(
                select(steps.job_id)
                .where(
                    steps.job_id.in_(piece),
                    under_way() | (steps.finished_at >= moment),
                )
                .distinct()
            )
        )
        idle = [job_id for job_id in piece if job_id not in busy]
        rows = connection.execute(select(*JOB_COLUMNS).where(jobs.id.in_(idle))) if idle else ()
        found += [job_of(row) for row in rows]
    return found


PIECE = 500


def _pieces(
    connection: Connection, kinds: Sequence[str], before: datetime | None = None
) -> Iterator[list[str]]:
    """Ids of the jobs that the fleets have on their hands, in pieces.

    Read by themselves, since no planner knows how few they are: joined with the steps they would
    have it read all that has ever ended or failed, every few seconds.
    """
    ids = sorted(sent(connection, kinds, before))
    for first in range(0, len(ids), PIECE):
        yield ids[first : first + PIECE]


def unanswered(connection: Connection, limit: int = 500) -> list[Job]:
    """Questions that were sent and should have been begun, unless they stand in a queue."""
    return _open(
        connection,
        REPLIES,
        limit,
        jobs.status == TaskStatus.PENDING.value,
        jobs.sent_at < now() - grace(),
    )


@dataclass(frozen=True, slots=True)
class FreedReply:
    """A question whose worker is gone, how many it has lost so far, and its new fence."""

    job: Job
    losses: int
    fence: int


def free_replies(connection: Connection) -> list[FreedReply]:
    """Take questions from workers whose lease ran out."""
    moment = now()
    rows = connection.execute(
        update(JOBS)
        .where(
            jobs.finished_at.is_(None),
            jobs.sent_at.is_not(None),
            jobs.kind.in_(REPLIES),
            jobs.status == TaskStatus.PROCESSING.value,
            jobs.lease_until < moment,
        )
        .values(
            status=TaskStatus.PENDING.value,
            fence=jobs.fence + 1,
            losses=jobs.losses + 1,
            lease_owner=None,
            lease_until=None,
            sent_at=moment,
        )
        .returning(*JOB_COLUMNS, jobs.losses, jobs.fence)
    )
    return [FreedReply(job_of(row), row.losses, row.fence) for row in rows]


def mark_sent(connection: Connection, job_id: str) -> None:
    """Note that a job's message was sent once more."""
    connection.execute(update(JOBS).where(jobs.id == job_id).values(sent_at=now()))


def expired(
    connection: Connection, kinds: Sequence[str], older_than: timedelta, limit: int = 500
) -> list[Job]:
    """Jobs of these kinds that nobody began, or ended, in this time."""
    since = func.coalesce(jobs.started_at, jobs.created_at)
    return _open(connection, kinds, limit, since < now() - older_than)


def uncleaned(connection: Connection, pause: timedelta, limit: int = 500) -> list[str]:
    """Ids of ended jobs whose traces are still to be removed and on which nobody works any more.

    Each is given out at most once in this time.
    """
    moment = now()
    held = select(steps.job_id).where(
        steps.job_id == jobs.id,
        steps.state == StepState.RUNNING.value,
        steps.lease_until >= moment,
    )
    chosen = list(
        connection.scalars(
            select(jobs.id)
            .where(
                jobs.finished_at.is_not(None),
                jobs.cleaned_at.is_(None),
                jobs.lease_until.is_(None) | (jobs.lease_until < moment),
                ~held.exists(),
            )
            .limit(limit)
        )
    )
    if not chosen:
        return []
    rows = connection.execute(
        update(JOBS)
        .where(
            jobs.id.in_(chosen),
            jobs.cleaned_at.is_(None),
            jobs.lease_until.is_(None) | (jobs.lease_until < moment),
        )
        .values(lease_until=moment + pause)
        .returning(jobs.id)
    )
    return list(rows.scalars())


def is_uncleaned(connection: Connection, job_id: str) -> bool:
    """Whether traces of an ended job are still to be removed."""
    found = select(jobs.id).where(
        jobs.id == job_id, jobs.finished_at.is_not(None), jobs.cleaned_at.is_(None)
    )
    return connection.scalar(found) is not None


def mark_cleaned(connection: Connection, job_id: str) -> None:
    """Note that nothing is left of what the job was writing."""
    connection.execute(
        update(JOBS)
        .where(jobs.id == job_id, jobs.finished_at.is_not(None))
        .values(cleaned_at=now(), lease_until=None)
    )


def _open(
    connection: Connection, kinds: Sequence[str], limit: int, *conditions: ColumnElement[bool]
) -> list[Job]:
    rows = connection.execute(
        select(*JOB_COLUMNS)
        .where(
            # As the index of sent jobs says it.
            jobs.finished_at.is_(None),
            jobs.sent_at.is_not(None),
            jobs.status.in_(OPEN),
            jobs.kind.in_(kinds),
            *conditions,
        )
        .order_by(jobs.id)
        .limit(limit)
    )
    return [job_of(row) for row in rows]
