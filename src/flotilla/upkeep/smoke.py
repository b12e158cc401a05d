"""The fleets' smoke tests: the plainest tasks, a chain and a chord, to be read by a newcomer."""

import math
from typing import Any

from flotilla import pipelines
from flotilla.broker import app, queue_of
from flotilla.errors import DependencyUnavailable, InvalidRequest
from flotilla.ledger import job_ends, jobs
from flotilla.ledger.announce import announce
from flotilla.ledger.attempts import as_task_error
from flotilla.ledger.database import get_database
from flotilla.ledger.endings import fail


def _at(job_id: str, stage: str) -> None:
    with get_database().writing() as connection:
        jobs.claim(connection, job_id, stage, queue_of(stage))


def _failed(job_id: str, stage: str, message: str) -> InvalidRequest:
    """End the job with a sentence; returns the error, for Celery to end the canvas."""
    error = InvalidRequest(message)
    fail(get_database(), job_id, as_task_error(stage, error))
    return error


def _finite(value: float, job_id: str, stage: str) -> float:
    if not math.isfinite(value):
        raise _failed(job_id, stage, "The result is too large for a number: send smaller ones.")
    return value


@app.task(name=pipelines.PROCESS)
def process(data: Any, *, job_id: str) -> dict[str, Any]:
    """Hand the data back, with its type and, where it has one, its length."""
    _at(job_id, pipelines.PROCESS)
    size = len(data) if isinstance(data, str | list | dict) else None
    return {"processed": data, "type": type(data).__name__, "length": size}


@app.task(name=pipelines.ADD, throws=(InvalidRequest,))
def add(x: float, y: float, *, job_id: str) -> float:
    """x + y."""
    _at(job_id, pipelines.ADD)
    return _finite(x + y, job_id, pipelines.ADD)


@app.task(name=pipelines.DIVIDE, throws=(InvalidRequest,))
def divide(dividend: float, divisor: float, *, job_id: str) -> float:
    """dividend / divisor.

    Raises:
        InvalidRequest: the divisor is 0; the job then shows what a failed task looks like.
    """
    _at(job_id, pipelines.DIVIDE)
    if divisor == 0:
        raise _failed(
            job_id, pipelines.DIVIDE, "Nothing can be divided by 0: send another divisor."
        )
    return _finite(dividend / divisor, job_id, pipelines.DIVIDE)


@app.task(name=pipelines.TOTAL, throws=(InvalidRequest,))
def total(values: list[float], *, job_id: str) -> float:
    """The sum of a group's results."""
    _at(job_id, pipelines.TOTAL)
    return _finite(sum(values), job_id, pipelines.TOTAL)


@app.task(
    name=pipelines.DELIVER,
    autoretry_for=(DependencyUnavailable,),
    retry_backoff=True,
    max_retries=8,
)
def deliver(result: Any, *, job_id: str) -> None:
    """Write a canvas's result into the ledger, where the API reads it."""
    with get_database().writing() as connection:
        ended = job_ends.complete(connection, job_id, result)
    if ended is not None:
        announce(ended)
