"""Running one message of a job: what stages and replies have in common.

The message goes back for a while when the ledger is away, and an error is read for what it says of
the work.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import celery
from billiard.exceptions import SoftTimeLimitExceeded
from celery.exceptions import Ignore

from flotilla.errors import (
    Cancelled,
    DependencyUnavailable,
    FlotillaError,
    LeaseLost,
    OutOfMemory,
    TimeLimit,
)
from flotilla.ledger.attempts import as_task_error, backoff
from flotilla.ledger.database import Database
from flotilla.ledger.endings import cancel
from flotilla.logging import get_logger
from flotilla.schemas import TaskError
from flotilla.settings import get_settings

logger = get_logger(__name__)

CeleryTask: TypeAlias = "celery.Task[Any, Any]"

# Seconds. A message that waits longer than the broker's visibility timeout (300 at least) would be
# handed to a second worker; what has to wait longer than this waits in the ledger.
LONGEST_DELAY = 240.0
# Seconds until the next look at a ledger that is out of reach.
LEDGER_PAUSE = 1.0


@contextmanager
def waiting_for_ledger(task: CeleryTask, **kwargs: int) -> Iterator[None]:
    """Put the message back for a while, with these arguments, when the ledger itself is out of
    reach.

    The job cannot be ended without it, and what it does not know of is not an attempt.
    """
    try:
        yield
    except DependencyUnavailable as error:
        delay = backoff(get_settings().job, task.request.retries + 1, LEDGER_PAUSE)
        logger.warning("stage.ledger_unavailable", delay=delay)
        raise task.retry(kwargs=kwargs or None, exc=error, countdown=delay) from error


def worker_of(task: CeleryTask) -> str:
    """The process that runs the task, as the ledger names it."""
    return f"{task.request.hostname}:{os.getpid()}"


def stuck(patience: float | None) -> TimeLimit:
    """What is said of work that has hung for so many seconds."""
    return TimeLimit(f"The work has made no progress for {patience:g} seconds.")


def stop_if_unwanted(database: Database, job_id: str, error: Exception) -> None:
    """Raises Ignore where the work is not wanted any more, or is somebody else's."""
    if isinstance(error, Cancelled):
        cancel(database, job_id)
    if isinstance(error, LeaseLost | Cancelled):
        raise Ignore from error


def understood(stage_name: str, error: Exception) -> tuple[Exception, TaskError]:
    """The error that is meant, which may be raised, and what the user is told of it.

    A MemoryError must not be raised: Celery's parent process takes it for its own.
    """
    if isinstance(error, SoftTimeLimitExceeded):
        error = TimeLimit("The work took longer than this fleet's time limit allows.")
    elif isinstance(error, MemoryError):
        error = OutOfMemory("The work took more memory than there is for one document.")
    task_error = as_task_error(stage_name, error)
    if not isinstance(error, FlotillaError):
        logger.error("stage.crashed", code=task_error.code, exc_info=error)
    return error, task_error
