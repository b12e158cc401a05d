"""Sending what the ledger says is to be done: jobs whose turn it is, and work that was lost.

What is sent is marked as sent in the ledger first, in a statement that only one sender wins. A
sender that dies in between leaves a job or a step that nobody works on and no message is left of:
the reaper finds it and sends it again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from flotilla import pipelines
from flotilla.ledger import admission, fan_outs, jobs, steps
from flotilla.ledger.database import Database, now
from flotilla.ledger.fan_outs import Part
from flotilla.ledger.fleet_sizes import get_fleet_sizes
from flotilla.ledger.steps import Key, StepState
from flotilla.ledger.tables import JOBS, STEPS
from flotilla.logging import get_logger
from flotilla.priorities import NORMAL

logger = get_logger(__name__)

columns = STEPS.c


def release(database: Database) -> int:
    """Send the jobs whose turn it is; returns how many there were."""
    limit = admission.window()
    with database.writing() as connection:
        released = admission.release(connection, limit)
    for job in released:
        _send(database, job)
    return len(released)


def send(database: Database, job: jobs.Job, priority: int = NORMAL) -> None:
    """Send a job that does not wait for admission. What cannot be sent now the reaper sends."""
    if job.kind in pipelines.ORDER:
        _send(database, job, priority)
        return
    try:
        pipelines.REPLIES[job.kind](job.id, priority=priority)
    except Exception as error:  # noqa: BLE001 - as below
        logger.warning("dispatch.not_sent", task_id=job.id, error=str(error))


def _send(database: Database, job: jobs.Job, priority: int = NORMAL) -> None:
    try:
        resume(database, job, priority=priority)
    except Exception as error:  # noqa: BLE001 - the ledger has the job; the reaper sends it
        logger.warning("dispatch.not_sent", task_id=job.id, error=str(error))


def resume(
    database: Database, job: jobs.Job, lost: Collection[Key] = (), priority: int = NORMAL
) -> bool:
    """Send what a job lacks to go on; whether there was anything.

    Args:
        database: the ledger.
        job: a job that goes through stages.
        lost: its steps that are known to wait for a message that does not exist.
        priority: of what is sent now; what comes after it has none.
    """
    fleets = get_fleet_sizes().get()
    with database.writing() as connection:
        jobs.lock(connection, job.id)
        if not jobs.is_open(connection, job.id):
            return False
        missing = _missing(connection, job, {key for key in lost if key.job_id == job.id}, fleets)
        if missing is not None:
            connection.execute(update(JOBS).where(JOBS.c.id == job.id).values(sent_at=now()))
    if missing is None:
        return False
    if missing.parts:
        pipelines.resume_parts(job.kind, job.id, missing.stage, missing.parts, priority)
    else:
        pipelines.begin(job.kind, job.id, missing.stage, priority)
    return True


@dataclass(frozen=True, slots=True)
class _Missing:
    """What is to be sent: a stage, or some parts of one."""

    stage: str
    parts: Sequence[Part] = ()


def _missing(
    connection: Connection, job: jobs.Job, lost: set[Key], fleets: Mapping[str, int]
) -> _Missing | None:
    order = pipelines.ORDER[job.kind]
    # A fan-out of thousands of parts is not read for each of them that is lost.
    counted = connection.execute(
        select(columns.stage, columns.state).where(columns.job_id == job.id).distinct()
    ).all()
    if not counted:
        return _Missing(job.stage)
    undone = {row.stage for row in counted if row.state != StepState.DONE.value}
    if not undone:
        last = max((row.stage for row in counted), key=order.index)
        after = pipelines.BODIES.get(last) or pipelines.following(job.kind, last)
        return _Missing(after) if after is not None else None
    stage = min(undone, key=order.index)
    if stage in pipelines.BODIES:
        parts = _mark_sent(connection, job.id, stage, {key.part for key in lost})
        if not parts and not _under_way(connection, job.id, stage):
            parts = fan_outs.next_wave(
                connection, job.id, stage, admission.wave_size(connection, stage, fleets)
            )
        return _Missing(stage, parts) if parts else None
    return _Missing(stage) if _mark_sent(connection, job.id, stage, {0}) else None


def _mark_sent(connection: Connection, job_id: str, stage: str, parts: set[int]) -> list[Part]:
    rows = connection.execute(
        update(STEPS)
        .where(
            columns.job_id == job_id,
            columns.stage == stage,
            columns.part.in_(parts),
            columns.state == StepState.WAITING.value,
        )
        .values(sent_at=now(), due_at=None)
        .returning(columns.part, columns.args)
    )
    return sorted((Part(row.part, tuple(row.args or ())) for row in rows), key=lambda p: p.number)


def _under_way(connection: Connection, job_id: str, stage: str) -> bool:
    """Whether a part of the stage is being worked on, sent, or waits for its next attempt."""
    found = select(columns.part).where(
        columns.job_id == job_id,
        columns.stage == stage,
        steps.under_way(),
    )
    return connection.execute(found.limit(1)).first() is not None
