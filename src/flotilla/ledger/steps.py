"""Steps: the share of a job's stage that one message carries, and who may work on it.

A worker that begins a step gets a lease and a fence. It renews the lease while it works; when the
lease runs out, or another has begun, the fence has been raised and whatever the first still writes
is refused. Each change is one UPDATE that names the state and the fence that it starts from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from flotilla.ledger.database import new_id, now
from flotilla.ledger.tables import FAILURES, JOBS, STEPS
from flotilla.schemas import TaskError
from flotilla.settings import get_settings

steps = STEPS.c

# Two processes' views of the shared clock differ by less.
CLOCK_TOLERANCE = timedelta(seconds=1)


def lease_time() -> timedelta:
    """How long a lease lasts; whoever holds it renews it every third of this."""
    return timedelta(seconds=get_settings().job.lease_seconds)


class StepState(StrEnum):
    """Where a step stands."""

    WAITING = "waiting"  # planned, sent, or between two attempts
    RUNNING = "running"  # somebody holds its lease
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Key:
    """Which step of which job."""

    job_id: str
    stage: str
    part: int = 0

    def matches(self) -> ColumnElement[bool]:
        return (
            (steps.job_id == self.job_id) & (steps.stage == self.stage) & (steps.part == self.part)
        )


@dataclass(frozen=True, slots=True)
class Held:
    """A step that this worker may work on, as long as its fence stands."""

    key: Key
    fence: int
    attempts: int
    kills: int
    losses: int
    outages: int

    @property
    def failures(self) -> int:
        """Attempts before this one that ended in an error of their own."""
        return self.attempts - 1 - self.kills - self.losses - self.outages

    def matches(self) -> ColumnElement[bool]:
        return (
            self.key.matches()
            & (steps.fence == self.fence)
            & (steps.state == StepState.RUNNING.value)
        )


class Taken(StrEnum):
    """Why a step cannot be begun."""

    DONE = "done"
    HELD = "held"  # by another worker, whose lease is good
    EARLY = "early"  # it waits for its next attempt, of which this is not the message


TAKEN = {
    StepState.WAITING: Taken.EARLY,
    StepState.RUNNING: Taken.HELD,
    StepState.DONE: Taken.DONE,
}


def under_way() -> ColumnElement[bool]:
    """Of a step: it is being worked on, was sent, or waits for its next attempt."""
    return (steps.state == StepState.RUNNING.value) | (
        (steps.state == StepState.WAITING.value)
        & (steps.sent_at.is_not(None) | steps.due_at.is_not(None))
    )


def begin(connection: Connection, key: Key, worker: str) -> Held | Taken:
    """Take a step's lease, with a higher fence than anybody before."""
    moment = now()
    held = {
        "state": StepState.RUNNING.value,
        "lease_owner": worker,
        "lease_until": moment + lease_time(),
        "started_at": moment,
        "due_at": None,
    }
    running = steps.state == StepState.RUNNING.value
    is_due = steps.due_at.is_(None) | (steps.due_at <= moment + CLOCK_TOLERANCE)
    row = connection.execute(
        update(STEPS)
        .where(
            key.matches(),
            ((steps.state == StepState.WAITING.value) & is_due)
            | (running & (steps.lease_until < moment)),
        )
        .values(
            attempts=steps.attempts + 1,
            fence=steps.fence + 1,
            losses=steps.losses + case((running, 1), else_=0),
            **held,
        )
        .returning(steps.fence, steps.attempts, steps.kills, steps.losses, steps.outages)
    ).one_or_none()
    if row is not None:
        return Held(key, *row)
    state = connection.scalar(select(steps.state).where(key.matches()))
    if state is not None:
        return TAKEN[StepState(state)]
    try:
        with connection.begin_nested():
            connection.execute(
                insert(STEPS).values(
                    job_id=key.job_id,
                    stage=key.stage,
                    part=key.part,
                    attempts=1,
                    fence=1,
                    units=0,
                    **held,
                )
            )
    except IntegrityError:  # another delivery of the same message was quicker
        return begin(connection, key, worker)
    return Held(key, fence=1, attempts=1, kills=0, losses=0, outages=0)


def still_held(connection: Connection, held: Held) -> bool:
    """Whether the fence stands; renews the lease, and keeps others off until this transaction is
    over."""
    renewed = connection.execute(
        update(STEPS).where(held.matches()).values(lease_until=now() + lease_time())
    )
    return renewed.rowcount == 1


def finish(connection: Connection, held: Held, units: int | None = None) -> bool:
    """End a step well, with the units it carried; False when the fence has fallen."""
    values: dict[str, Any] = {
        "state": StepState.DONE.value,
        "finished_at": now(),
        "lease_owner": None,
        "lease_until": None,
    }
    if units is not None:
        values["units"] = units
    return connection.execute(update(STEPS).where(held.matches()).values(values)).rowcount == 1


def release(connection: Connection, held: Held, due_in: float, *, sent: bool, outage: bool) -> bool:
    """Give a step back after an error, to be tried again in `due_in` seconds.

    `sent` tells that a message for then is on its way; otherwise the reaper sends one. `outage`
    tells that the error was the system's and not the step's. False when the fence has fallen.
    """
    moment = now()
    return (
        connection.execute(
            update(STEPS)
            .where(held.matches())
            .values(
                state=StepState.WAITING.value,
                lease_owner=None,
                lease_until=None,
                outages=steps.outages + int(outage),
                due_at=moment + timedelta(seconds=due_in),
                sent_at=moment if sent else None,
            )
        ).rowcount
        == 1
    )


# --- fan-outs ------------------------------------------------------------------------------


def plan(connection: Connection, job_id: str, stage: str, args: Sequence[Sequence[Any]]) -> None:
    """Write the parts of a fan-out, each with its message's further arguments.

    A part that is there already keeps its state: a plan may be made twice.
    """
    there = set(
        connection.scalars(select(steps.part).where(steps.job_id == job_id, steps.stage == stage))
    )
    rows = [
        {
            "job_id": job_id,
            "stage": stage,
            "part": part,
            "state": StepState.WAITING.value,
            "attempts": 0,
            "fence": 0,
            "units": 0,
            "args": list(each),
        }
        for part, each in enumerate(args)
        if part not in there
    ]
    if rows:
        connection.execute(insert(STEPS), rows)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a fan-out that is to be sent."""

    number: int
    args: tuple[Any, ...]


def next_wave(connection: Connection, job_id: str, stage: str, size: int) -> list[Part]:
    """Mark the next planned parts as sent and return them; none when all are."""
    chosen = (
        select(steps.part)
        .where(
            steps.job_id == job_id,
            steps.stage == stage,
            steps.state == StepState.WAITING.value,
            steps.sent_at.is_(None),
            steps.due_at.is_(None),
        )
        .order_by(steps.part)
        .limit(size)
    )
    rows = connection.execute(
        update(STEPS)
        .where(
            steps.job_id == job_id,
            steps.stage == stage,
            steps.part.in_(list(connection.scalars(chosen))),
            steps.sent_at.is_(None),
        )
        .values(sent_at=now())
        .returning(steps.part, steps.args)
    )
    return sorted((Part(row.part, tuple(row.args or ())) for row in rows), key=lambda p: p.number)


def all_done(connection: Connection, job_id: str, stage: str) -> bool:
    """Whether no part of the stage is left to do."""
    undone = select(steps.part).where(
        steps.job_id == job_id, steps.stage == stage, steps.state != StepState.DONE.value
    )
    return connection.execute(undone.limit(1)).first() is None


def is_done(connection: Connection, key: Key) -> bool:
    """Whether the step has been done, by whomever."""
    return connection.scalar(select(steps.state).where(key.matches())) == StepState.DONE.value


def any_done(connection: Connection, job_id: str, stages: Sequence[str]) -> bool:
    """Whether a step of one of the stages is done."""
    done = select(steps.part).where(
        steps.job_id == job_id,
        steps.stage.in_(stages),
        steps.state == StepState.DONE.value,
    )
    return connection.execute(done.limit(1)).first() is not None


def units_done(connection: Connection, job_id: str, stage: str) -> int:
    """The units that the stage's finished parts have carried."""
    return int(
        connection.scalar(
            select(func.coalesce(func.sum(steps.units), 0)).where(
                steps.job_id == job_id,
                steps.stage == stage,
                steps.state == StepState.DONE.value,
            )
        )
        or 0
    )


# --- deaths and failures -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Freed:
    """A step whose worker is gone, as it stands now."""

    key: Key
    attempts: int
    kills: int
    losses: int
    owner: str


def free_expired(connection: Connection) -> list[Freed]:
    """Take the leases that ran out from their holders, and raise the fences."""
    moment = now()
    dead = connection.execute(
        select(STEPS.c.job_id, steps.stage, steps.part, steps.fence, steps.lease_owner)
        .join(JOBS, JOBS.c.id == steps.job_id)
        .where(
            steps.state == StepState.RUNNING.value,
            steps.state != StepState.DONE.value,  # as the index of open steps says it
            steps.lease_until < moment,
            JOBS.c.finished_at.is_(None),
        )
    ).all()
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


def record_failure(
    connection: Connection, key: Key, attempt: int, worker: str, error: TaskError
) -> None:
    """Keep an attempt's failure, whatever becomes of the job."""
    connection.execute(
        insert(FAILURES).values(
            id=new_id(),
            job_id=key.job_id,
            stage=error.stage,
            part=key.part,
            attempt=attempt,
            worker=worker,
            code=error.code,
            message=error.message,
            retryable=error.retryable,
            failed_at=now(),
        )
    )


def start_over(connection: Connection, job_id: str) -> None:
    """Make what is not done ready for a new beginning: as if it had never been tried."""
    connection.execute(
        update(STEPS)
        .where(steps.job_id == job_id, steps.state != StepState.DONE.value)
        .values(
            state=StepState.WAITING.value,
            fence=steps.fence + 1,
            attempts=0,
            kills=0,
            losses=0,
            outages=0,
            lease_owner=None,
            lease_until=None,
            due_at=None,
            sent_at=None,
        )
    )
