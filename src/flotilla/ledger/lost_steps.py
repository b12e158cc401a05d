"""Steps whose worker is gone: their leases are taken back and their fences raised."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select, update

from flotilla.ledger.database import now
from flotilla.ledger.steps import Key, StepState
from flotilla.ledger.tables import JOBS, STEPS

steps = STEPS.c


@dataclass(frozen=True, slots=True)
class Freed:
    """A step whose worker is gone, as it stands now."""

    key: Key
    attempts: int
    kills: int
    losses: int
    owner: str


def jobs_of_expired(connection: Connection) -> list[str]:
    """The jobs of which a worker is gone that had a step."""
    return sorted({row.job_id for row in connection.execute(_expired(now()))})


def free_expired(connection: Connection, job_id: str | None = None) -> list[Freed]:
    """Take the leases that ran out, of one job or of all, from their holders, and raise the
    fences."""
    moment = now()
    expired = _expired(moment)
    if job_id is not None:
        expired = expired.where(steps.job_id == job_id)
    dead = connection.execute(expired).all()
    freed = []
    for row in sorted(dead):  # two that do this at once never wait in a ring
        key = Key(row.job_id, row.stage, row.part)
        found = _free(
            connection,
            key.matches() & (steps.fence == row.fence) & (steps.lease_until < moment),
            own_doing=False,
            sent=False,
        )
        if found is not None:
            freed.append(Freed(key, *found, owner=str(row.lease_owner)))
    return freed


def _expired(moment: datetime) -> Select[Any]:
    return (
        select(steps.job_id, steps.stage, steps.part, steps.fence, steps.lease_owner)
        .join(JOBS, JOBS.c.id == steps.job_id)
        .where(
            steps.state == StepState.RUNNING.value,
            steps.state != StepState.DONE.value,  # as the index of open steps says it
            steps.lease_until < moment,
            JOBS.c.finished_at.is_(None),
        )
    )


def free_of(
    connection: Connection, key: Key, owner: str, *, own_doing: bool, sent: bool
) -> Freed | None:
    """Take a step from a holder that is known to be dead; None when it holds it no more.

    Args:
        key: which step.
        owner: the dead worker, as it named itself to `begin`.
        own_doing: whether the step's own work killed it.
        sent: whether its message is in the broker again.
    """
    found = _free(connection, key.matches() & (steps.lease_owner == owner), own_doing, sent)
    return Freed(key, *found, owner=owner) if found is not None else None


def _free(
    connection: Connection, condition: ColumnElement[bool], own_doing: bool, sent: bool
) -> tuple[int, int, int] | None:
    moment = now()
    row = connection.execute(
        update(STEPS)
        .where(condition, steps.state == StepState.RUNNING.value)
        .values(
            state=StepState.WAITING.value,
            fence=steps.fence + 1,
            kills=steps.kills + int(own_doing),
            losses=steps.losses + int(not own_doing),
            lease_owner=None,
            lease_until=None,
            due_at=moment,
            sent_at=moment if sent else None,
        )
        .returning(steps.attempts, steps.kills, steps.losses)
    ).one_or_none()
    return (row.attempts, row.kills, row.losses) if row is not None else None
