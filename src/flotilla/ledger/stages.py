"""Running one message of a job: claim, work, record; retry what may pass, fail what will not.

`stage` wraps a fleet's function into a Celery task. The function gets a `StageRun` and does the
work; what it raises becomes another attempt or the job's final error. Any message may be delivered
twice, so every function must be able to run twice.
"""

import functools
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import celery
import structlog
from billiard.exceptions import SoftTimeLimitExceeded
from celery.canvas import Signature
from celery.exceptions import Ignore, Reject, Retry
from sqlalchemy import Connection

from flotilla.broker import app, queue_of
from flotilla.errors import (
    Cancelled,
    DependencyUnavailable,
    FlotillaError,
    LeaseLost,
    TimeLimit,
    WorkerLost,
)
from flotilla.ledger import jobs, steps, versions
from flotilla.ledger.announce import announce
from flotilla.ledger.database import Database, RawJSON, get_database
from flotilla.logging import get_logger
from flotilla.schemas import Task, TaskError
from flotilla.settings import JobSettings, get_settings

logger = get_logger(__name__)

# Seconds. A message that waits longer than the broker's visibility timeout (300 at least) is
# handed to a second worker; what has to wait longer than this fails, and may be sent again.
LONGEST_DELAY = 240.0
# Seconds until the next look at a ledger that is out of reach.
LEDGER_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class StageRun:
    """One attempt at one part of a job's stage."""

    job: jobs.Job
    stage: str
    part: int
    attempt: int
    database: Database

    def version(self) -> versions.Version:
        """The version that the job ingests.

        Raises:
            Cancelled: its document was deleted meanwhile.
        """
        assert self.job.version_id is not None  # noqa: S101 - ingestions have one
        with self.database.reading() as connection:
            version = versions.get(connection, self.job.version_id)
        if version.deleted:
            raise Cancelled("The document was deleted while it was being ingested.")
        return version

    def describe(self, **values: Any) -> None:
        """Note what became known of the version (pages, chunks, content_type, …)."""
        assert self.job.version_id is not None  # noqa: S101
        with self.database.writing() as connection:
            versions.describe(connection, self.job.version_id, **values)

    def progress(self, done: int, total: int | None, unit: str) -> None:
        """Set how much of the work is done."""
        with self.database.writing() as connection:
            jobs.progress(connection, self.job.id, done, total, unit)

    def finish_part(self, units: int, total: int | None, unit: str) -> None:
        """Mark this part done and move the job's progress by what it carried."""
        with self.database.writing() as connection:
            jobs.lock(connection, self.job.id)
            done = steps.finish(connection, self.job.id, self.stage, self.part, units)
            jobs.progress(connection, self.job.id, done, total, unit)


CeleryTask: TypeAlias = "celery.Task[Any, Any]"
StageFunction: TypeAlias = "Callable[..., Signature | None]"


def stage(name: str, **options: Any) -> Callable[[StageFunction], CeleryTask]:
    """Make a function the Celery task `name(job_id, part=0, ...)` of a job's stage.

    The function may return a signature, which takes the task's place in its chain.
    """

    def decorate(function: StageFunction) -> CeleryTask:
        @app.task(name=name, bind=True, throws=(FlotillaError,), max_retries=None, **options)
        @functools.wraps(function)
        def task(self: CeleryTask, job_id: str, part: int = 0, *args: Any) -> None:
            with structlog.contextvars.bound_contextvars(task_id=job_id, stage=name):
                with _waiting_for_ledger(self):
                    run = _begin(self, name, job_id, part)
                if run is None:
                    return
                try:
                    replacement = function(run, *args)
                except Exception as error:
                    with _waiting_for_ledger(self):
                        _failed(self, run, error)
                    raise
                # A step that hands on to others is over when they are: should this process die
                # before it has sent them, the next delivery does it.
                if replacement is None:
                    with _waiting_for_ledger(self):
                        _finish_step(run)
            if replacement is not None:
                self.replace(replacement)

        return task  # type: ignore[no-any-return]

    return decorate


def reply(name: str, **options: Any) -> Callable[[Callable[[jobs.Job], str]], CeleryTask]:
    """Make a function the Celery task `name(job_id)`; the JSON it returns is the job's result.

    For jobs of one short task, such as questions: two statements in the ledger and no steps. A
    gateway that awaits the result gives the channel on which it listens.
    """

    def decorate(function: Callable[[jobs.Job], str]) -> CeleryTask:
        @app.task(name=name, bind=True, throws=(FlotillaError,), max_retries=None, **options)
        @functools.wraps(function)
        def task(self: CeleryTask, job_id: str, reply_to: str | None = None) -> None:
            with structlog.contextvars.bound_contextvars(task_id=job_id, stage=name):
                attempt = self.request.retries + 1
                with _waiting_for_ledger(self):
                    database = get_database()
                    with database.writing() as connection:
                        job = jobs.claim(connection, job_id, name, queue_of(name), attempt)
                if job is None:
                    return
                try:
                    result = RawJSON(function(job))
                except Exception as error:
                    with _waiting_for_ledger(self):
                        _failed(self, StageRun(job, name, 0, attempt, database), error)
                    raise
                with _waiting_for_ledger(self), database.writing() as connection:
                    ended = jobs.complete(connection, job_id, result)
                if ended is not None:
                    announce(ended, result, reply_to)

        return task  # type: ignore[no-any-return]

    return decorate


@contextmanager
def _waiting_for_ledger(task: CeleryTask) -> Iterator[None]:
    """Put the message back for a while when the ledger itself is out of reach.

    The job cannot be ended without it, and what it does not know of is not an attempt.
    """
    try:
        yield
    except DependencyUnavailable as error:
        delay = backoff(get_settings().job, task.request.retries + 1, LEDGER_PAUSE)
        logger.warning("stage.ledger_unavailable", delay=delay)
        raise task.retry(exc=error, countdown=delay) from error


def _begin(task: CeleryTask, name: str, job_id: str, part: int) -> StageRun | None:
    """Claim the job; None when this part is done already and its chain should just go on.

    Raises:
        Ignore: the job is over, so the chain ends here.
        WorkerLost: earlier attempts left no trace but their beginning.
    """
    database = get_database()
    with database.writing() as connection:
        job = jobs.claim(connection, job_id, name, queue_of(name))
        if job is None:
            logger.info("stage.nothing_to_do")
            raise Ignore
        step = steps.begin(connection, job_id, name, part, str(task.request.hostname))
        if step.attempts > 1:
            jobs.set_attempt(connection, job_id, step.attempts)
    if step.done:
        return None
    run = StageRun(job, name, part, step.attempts, database)
    if step.attempts > get_settings().job.max_attempts:
        error = WorkerLost(
            f"After {step.attempts - 1} attempts, of which the last killed its worker, this is "
            "set aside: the worker's log says how it died."
        )
        fail(database, job_id, as_task_error(name, error))
        raise error
    return run


def _finish_step(run: StageRun) -> None:
    with run.database.writing() as connection:
        steps.complete(connection, run.job.id, run.stage, run.part)


def _failed(task: CeleryTask, run: StageRun, error: Exception) -> None:
    """Record a failed attempt; raises Retry, Ignore or returns for the error to be raised."""
    if isinstance(error, Ignore | Reject | Retry):
        raise error
    if isinstance(error, LeaseLost | Cancelled):
        if isinstance(error, Cancelled):
            cancel(run.database, run.job.id)
        raise Ignore from error
    if isinstance(error, SoftTimeLimitExceeded):
        error = TimeLimit("The work took longer than this fleet's time limit allows.")
    settings = get_settings().job
    task_error = as_task_error(run.stage, error)
    if not isinstance(error, FlotillaError):
        logger.error("stage.crashed", code=task_error.code, exc_info=error)
    with run.database.writing() as connection:
        steps.record_failure(
            connection, run.job.id, run.part, run.attempt, str(task.request.hostname), task_error
        )
    delay = backoff(settings, run.attempt, getattr(error, "retry_after", None))
    if task_error.retryable and run.attempt < settings.max_attempts and delay <= LONGEST_DELAY:
        logger.info("stage.retrying", code=task_error.code, attempt=run.attempt, delay=delay)
        # How often is settled above: the tasks' own max_retries is None, which is no limit. Given
        # here, None would mean Celery's default of 3.
        raise task.retry(exc=error, countdown=delay)
    logger.info("stage.failed", code=task_error.code, attempt=run.attempt)
    fail(run.database, run.job.id, task_error)


def fail(database: Database, job_id: str, error: TaskError) -> Task | None:
    """End a job with its error, and its version with it; None when it was over already."""
    return _give_up(database, job_id, lambda connection: jobs.fail(connection, job_id, error))


def cancel(database: Database, job_id: str) -> Task | None:
    """End a job as cancelled, and its version with it; None when it was over already."""
    return _give_up(database, job_id, lambda connection: jobs.cancel(connection, job_id))


def _give_up(
    database: Database, job_id: str, end: Callable[[Connection], Task | None]
) -> Task | None:
    with database.writing() as connection:
        ended = end(connection)
        job = jobs.get(connection, job_id) if ended is not None else None
        if job is not None and job.kind == "ingest" and job.version_id and job.document_id:
            versions.fail(connection, job.document_id, job.version_id)
    if ended is not None:
        announce(ended)
    return ended


def as_task_error(stage_name: str, error: Exception) -> TaskError:
    """What the user is told of an error; the text of an unexpected one stays in the log."""
    if isinstance(error, FlotillaError):
        return TaskError(
            stage=stage_name, code=error.code, message=error.message, retryable=error.retryable
        )
    return TaskError(
        stage=stage_name,
        code=FlotillaError.code,
        message=f"An internal error ({type(error).__name__}) ended this stage: the worker's log "
        "has the details under this task id.",
        retryable=isinstance(error, ConnectionError | TimeoutError),
    )


def backoff(settings: JobSettings, attempt: int, retry_after: float | None) -> float:
    """Seconds until the next attempt: exponential with full jitter, never before Retry-After.

    Full jitter as in Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015).
    """
    ceiling = min(settings.backoff_cap, settings.backoff_base * 2 ** (attempt - 1))
    return max(retry_after or 0.0, random.uniform(0, ceiling))
