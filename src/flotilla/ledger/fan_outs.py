"""Fan-outs: a stage that many messages carry, a part of it each.

The parts are written before they are sent, and sent in waves, so that one large document does not
fill its fleet's queue.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from flotilla.ledger.database import now
from flotilla.ledger.steps import StepState
from flotilla.ledger.tables import STEPS

steps = STEPS.c


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
