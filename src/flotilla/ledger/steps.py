"""Steps: the share of a job's stage that one message carries."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from flotilla.ledger.database import new_id, now
from flotilla.ledger.tables import FAILURES, STEPS
from flotilla.schemas import TaskError

steps = STEPS.c


class StepState(StrEnum):
    """Where a step stands."""

    RUNNING = "running"
    WAITING = "waiting"  # between two attempts
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Step:
    """A step as it was begun: `attempts` counts this one."""

    done: bool
    attempts: int


def begin(connection: Connection, job_id: str, stage: str, part: int, worker: str) -> Step:
    """Begin an attempt at a step, unless it is done already."""
    key = (steps.job_id == job_id, steps.stage == stage, steps.part == part)
    started = {"state": StepState.RUNNING.value, "lease_owner": worker, "started_at": now()}
    changed = connection.execute(
        update(STEPS)
        .where(*key, steps.state != StepState.DONE.value)
        .values(attempts=steps.attempts + 1, **started)
        .returning(steps.attempts)
    ).one_or_none()
    if changed is not None:
        return Step(done=False, attempts=changed.attempts)
    state = connection.scalar(select(steps.state).where(*key))
    if state == StepState.DONE.value:
        return Step(done=True, attempts=0)
    if state is not None:  # another delivery made it between the two statements
        return begin(connection, job_id, stage, part, worker)
    try:
        with connection.begin_nested():
            connection.execute(
                insert(STEPS).values(
                    job_id=job_id,
                    stage=stage,
                    part=part,
                    attempts=1,
                    fence=0,
                    units=0,
                    **started,
                )
            )
    except IntegrityError:  # another delivery of the same message was quicker
        return begin(connection, job_id, stage, part, worker)
    return Step(done=False, attempts=1)


def finish(connection: Connection, job_id: str, stage: str, part: int, units: int) -> int:
    """Mark a step done with what it carried; returns the units done over the whole stage."""
    connection.execute(
        update(STEPS)
        .where(steps.job_id == job_id, steps.stage == stage, steps.part == part)
        .values(state=StepState.DONE.value, units=units, finished_at=now(), lease_owner=None)
    )
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


def complete(connection: Connection, job_id: str, stage: str, part: int) -> None:
    """Mark a step done that carries no units, or whose units are counted already."""
    connection.execute(
        update(STEPS)
        .where(
            steps.job_id == job_id,
            steps.stage == stage,
            steps.part == part,
            steps.state != StepState.DONE.value,
        )
        .values(state=StepState.DONE.value, finished_at=now(), lease_owner=None)
    )


def record_failure(
    connection: Connection, job_id: str, part: int, attempt: int, worker: str, error: TaskError
) -> None:
    """Keep an attempt's failure, whatever becomes of the job."""
    connection.execute(
        update(STEPS)
        .where(steps.job_id == job_id, steps.stage == error.stage, steps.part == part)
        .values(state=StepState.WAITING.value, lease_owner=None)
    )
    connection.execute(
        insert(FAILURES).values(
            id=new_id(),
            job_id=job_id,
            stage=error.stage,
            part=part,
            attempt=attempt,
            worker=worker,
            code=error.code,
            message=error.message,
            retryable=error.retryable,
            failed_at=now(),
        )
    )
