"""Running one message of a job: begin, work, record; retry what may pass, fail what will not.

`stage` wraps a fleet's function into a Celery task. The function gets a `StageRun` and does the
work; what it raises becomes another attempt or the job's final error. Any message may be delivered
twice, so every function must be able to run twice.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import structlog
from celery.canvas import Signature
from celery.exceptions import Ignore, Reject, Retry
from sqlalchemy import Connection

from flotilla.broker import app, queue_of
from flotilla.errors import (
    DependencyUnavailable,
    FlotillaError,
)
from flotilla.ledger import fan_outs, jobs, steps
from flotilla.ledger.admission import wave_size
from flotilla.ledger.attempts import backoff
from flotilla.ledger.database import Database, get_database
from flotilla.ledger.endings import fail_in, tell
from flotilla.ledger.fan_outs import Part
from flotilla.ledger.fleet_sizes import get_fleet_sizes
from flotilla.ledger.leases import Lease, get_keeper
from flotilla.ledger.locks import lock_jobs
from flotilla.ledger.messages import (
    LONGEST_DELAY,
    CeleryTask,
    stop_if_unwanted,
    stuck,
    understood,
    waiting_for_ledger,
    worker_of,
)
from flotilla.ledger.runs import Postponed, StageRun
from flotilla.ledger.steps import Held, Key, Taken
from flotilla.logging import get_logger
from flotilla.settings import get_settings
from flotilla.step_times import timing_steps

logger = get_logger(__name__)

StageFunction: TypeAlias = "Callable[..., Signature | None]"
Wave: TypeAlias = Callable[[str, list[Part]], Signature]
Condition: TypeAlias = Callable[[Connection, str], bool]


def stage(
    name: str,
    *,
    after: str | None = None,
    wave: Wave | None = None,
    when: Condition | None = None,
    **options: Any,
) -> Callable[[StageFunction], CeleryTask]:
    """Make a function the Celery task `name(job_id, part=0, ...)` of a job's stage.

    The function may return a signature, which takes the task's place in its chain; it has then
    ended its step itself, with `StageRun.plan`.

    Args:
        name: the task's and the stage's.
        after: the fan-out whose parts must all be done before; until then the task does nothing.
        wave: makes the canvas of the fan-out's next parts, where not all are sent at once.
        when: what must hold of the job before; until then the task does nothing.
        options: of the Celery task.
    """

    def decorate(function: StageFunction) -> CeleryTask:
        @app.task(
            name=name,
            bind=True,
            throws=(FlotillaError,),
            max_retries=None,
            Request="flotilla.ledger.deaths:WatchedRequest",
            **options,
        )
        @functools.wraps(function)
        def task(self: CeleryTask, job_id: str, part: int = 0, *args: Any) -> None:
            with structlog.contextvars.bound_contextvars(task_id=job_id, stage=name):
                key = Key(job_id, name, part)
                with waiting_for_ledger(self):
                    begun = _begin(self, key, after, wave, when)
                if begun is None:
                    return
                if isinstance(begun, StageRun):
                    with timing_steps() as times:
                        replacement = _work(self, begun, function, args)
                    if get_settings().log_steps:
                        logger.info("stage.steps", part=part, **times.rounded())
                else:
                    replacement = begun
            if replacement is not None:
                self.replace(replacement)

        return task  # type: ignore[no-any-return]

    return decorate


def _work(
    task: CeleryTask, run: StageRun, function: StageFunction, args: tuple[Any, ...]
) -> Signature | None:
    with get_keeper().holding(run.lease):
        run.tell()
        try:
            replacement = function(run, *args)
        except Exception as error:
            with waiting_for_ledger(task):
                final = _failed(task, run, error)
            raise final from error
        if replacement is None:
            with waiting_for_ledger(task), run.database.writing() as connection:
                finished = steps.finish(connection, run.held)
                finished = finished or steps.is_done(connection, run.held.key)
            if not finished:
                logger.info("stage.lease_lost")
                raise Ignore  # what comes after it is for whoever has taken it over
    return replacement


def _begin(
    task: CeleryTask, key: Key, after: str | None, wave: Wave | None, when: Condition | None
) -> StageRun | Signature | None:
    """Take the step's lease.

    Returns None when the step is done already and its chain should just go on, and the next parts
    of the fan-out before it when some are not sent yet.

    Raises:
        Ignore: there is nothing to do here, so the chain ends.
    """
    database = get_database()
    fleets = get_fleet_sizes().get() if after is not None else {}
    with database.writing() as connection:
        jobs.lock(connection, key.job_id)
        if not jobs.is_open(connection, key.job_id):
            logger.info("stage.nothing_to_do")
            raise Ignore
        if after is not None and not fan_outs.all_done(connection, key.job_id, after):
            size = wave_size(connection, after, fleets)
            parts = fan_outs.next_wave(connection, key.job_id, after, size)
            if wave is None or not parts:
                # The others are on their way, and bring this message along.
                logger.info("stage.too_early")
                raise Ignore
            return wave(key.job_id, parts)
        if when is not None and not when(connection, key.job_id):
            logger.info("stage.too_early")
            raise Ignore
        held = steps.begin(connection, key, worker_of(task))
        if held is Taken.DONE:
            return None
        if not isinstance(held, Held):
            logger.info("stage.not_begun", why=held.value)
            raise Ignore
        job = jobs.claim(connection, key.job_id, key.stage, queue_of(key.stage), held.attempts)
        if job is None:
            raise Ignore
    return StageRun(job, held, database, _lease(database, held, worker_of(task)))


def _lease(database: Database, held: Held, worker: str) -> Lease:
    patience = None
    if queue_of(held.key.stage) != "document":  # whose processes Celery ends when it is time
        patience = get_settings().job.stall_seconds

    def give_up() -> None:
        from flotilla.ledger.deaths import report_death

        report_death(database, held.key, worker, stuck(patience), sent=False)

    return Lease(database, lambda c: steps.still_held(c, held), patience, give_up)


def _failed(task: CeleryTask, run: StageRun, error: Exception) -> Exception:
    """Record a failed attempt; raises Retry or Ignore, or returns the error to be raised.

    A MemoryError is never raised: Celery's parent process takes it for its own.
    """
    if isinstance(error, Ignore | Reject | Retry):
        raise error
    if isinstance(error, Postponed):
        with run.database.writing() as connection:
            if not steps.postpone(connection, run.held, error.delay):
                raise Ignore from error
        raise task.retry(exc=error, countdown=error.delay)
    stop_if_unwanted(run.database, run.job.id, error)
    settings = get_settings().job
    error, task_error = understood(run.stage, error)
    outage = isinstance(error, DependencyUnavailable)
    if outage:
        attempts, limit = run.held.outages + 1, settings.max_outage_attempts
    else:
        attempts, limit = run.held.failures + 1, settings.max_attempts
    delay = backoff(settings, attempts, getattr(error, "retry_after", None))
    again = task_error.retryable and attempts < limit
    on_its_way = again and delay <= LONGEST_DELAY
    ended = None
    with run.database.writing() as connection:
        lock_jobs(connection, [run.job.id])
        if not steps.still_held(connection, run.held):
            raise Ignore from error
        # An outage of hours is one story, and not a line for each attempt.
        if attempts <= settings.max_attempts or not again:
            steps.record_failure(connection, run.held.key, run.attempt, worker_of(task), task_error)
        steps.release(connection, run.held, delay, sent=on_its_way or not again, outage=outage)
        if not again:  # from the end of this transaction on, another worker may have the step
            ended = fail_in(connection, run.job.id, task_error)
    if again:
        logger.info("stage.retrying", code=task_error.code, attempt=run.attempt, delay=delay)
        if not on_its_way:
            raise Ignore from error  # the reaper sends it when it is due
        # How often is settled above: the tasks' own max_retries is None, which is no limit. Given
        # here, None would mean Celery's default of 3.
        raise task.retry(exc=error, countdown=delay)
    logger.info("stage.failed", code=task_error.code, attempt=run.attempt)
    if ended is not None:
        tell(run.database, ended)
    return error
