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

from sqlalchemy import ColumnElement, Connection, case, insert, select, update
from sqlalchemy.exc import IntegrityError

from flotilla.ledger.database import new_id, now
from flotilla.ledger.tables import FAILURES, STEPS
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
    return _give_back(connection, held, due_in, sent=sent, outages=steps.outages + int(outage))


def postpone(connection: Connection, held: Held, due_in: float) -> bool:
    """Give a step back that waits for something else, to be begun again in `due_in` seconds, for
    which a message is on its way; this was no attempt. False when the fence has fallen."""
    return _give_back(connection, held, due_in, sent=True, attempts=steps.attempts - 1)


def _give_back(
    connection: Connection, held: Held, due_in: float, *, sent: bool, **counted: ColumnElement[int]
) -> bool:
    moment = now()
    return (
        connection.execute(
            update(STEPS)
            .where(held.matches())
            .values(
                state=StepState.WAITING.value,
                lease_owner=None,
                lease_until=None,
                due_at=moment + timedelta(seconds=due_in),
                sent_at=moment if sent else None,
                **counted,
            )
        ).rowcount
        == 1
    )


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
            retry_after=error.retry_after,
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
