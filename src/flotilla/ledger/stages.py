"""Running one message of a job: begin, work, record; retry what may pass, fail what will not.

`stage` wraps a fleet's function into a Celery task. The function gets a `StageRun` and does the
work; what it raises becomes another attempt or the job's final error. Any message may be delivered
twice, so every function must be able to run twice.
"""

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    OutOfMemory,
    TimeLimit,
)
from flotilla.ledger import fan_outs, job_ends, job_leases, jobs, steps
from flotilla.ledger.admission import wave_size
from flotilla.ledger.announce import announce
from flotilla.ledger.attempts import as_task_error, backoff
from flotilla.ledger.database import Database, RawJSON, get_database
from flotilla.ledger.endings import cancel, fail, fail_in, tell
from flotilla.ledger.fan_outs import Part
from flotilla.ledger.fleet_sizes import get_fleet_sizes
from flotilla.ledger.leases import Lease, get_keeper
from flotilla.ledger.locks import lock_jobs
from flotilla.ledger.reply_runs import ReplyRun
from flotilla.ledger.runs import StageRun
from flotilla.ledger.steps import Held, Key, Taken
from flotilla.logging import get_logger
from flotilla.schemas import TaskError
from flotilla.settings import get_settings

logger = get_logger(__name__)

# Seconds. A message that waits longer than the broker's visibility timeout (300 at least) would be
# handed to a second worker; what has to wait longer than this waits in the ledger.
LONGEST_DELAY = 240.0
# Seconds until the next look at a ledger that is out of reach.
LEDGER_PAUSE = 1.0

CeleryTask: TypeAlias = "celery.Task[Any, Any]"
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
                with _waiting_for_ledger(self):
                    begun = _begin(self, key, after, wave, when)
                if begun is None:
                    return
                if isinstance(begun, StageRun):
                    replacement = _work(self, begun, function, args)
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
            with _waiting_for_ledger(task):
                understood = _failed(task, run, error)
            raise understood from error
        if replacement is None:
            with _waiting_for_ledger(task), run.database.writing() as connection:
                finished = steps.finish(connection, run.held)
                finished = finished or steps.is_done(connection, run.held.key)
            if not finished:
                logger.info("stage.lease_lost")
                raise Ignore  # what comes after it is for whoever has taken it over
    return replacement


def reply(name: str, **options: Any) -> Callable[[Callable[[ReplyRun], str]], CeleryTask]:
    """Make a function the Celery task `name(job_id)`; the JSON it returns is the job's result.

    For jobs of one short task, such as questions: two statements in the ledger and no steps. A
    gateway that awaits the result gives the channel on which it listens.
    """

    def decorate(function: Callable[[ReplyRun], str]) -> CeleryTask:
        @app.task(name=name, bind=True, throws=(FlotillaError,), max_retries=None, **options)
        @functools.wraps(function)
        def task(
            self: CeleryTask, job_id: str, reply_to: str | None = None, outages: int = 0
        ) -> None:
            with structlog.contextvars.bound_contextvars(task_id=job_id, stage=name):
                attempt = self.request.retries + 1
                waiting_for_ledger = functools.partial(
                    _waiting_for_ledger, self, outages=outages + 1
                )
                with waiting_for_ledger():
                    database = get_database()
                    with database.writing() as connection:
                        leased = job_leases.lease(
                            connection, job_id, name, queue_of(name), attempt, _worker(self)
                        )
                if leased is None:
                    logger.info("reply.nothing_to_do")
                    return
                fence = leased.fence
                patience = _reply_patience()
                lease = Lease(
                    database,
                    lambda c: job_leases.renew(c, job_id, fence),
                    patience,
                    # Whoever asked has long stopped waiting: it is not tried again.
                    lambda: fail(database, job_id, as_task_error(name, _stuck(patience)), fence),
                )
                with get_keeper().holding(lease):
                    try:
                        result = RawJSON(function(ReplyRun(leased, database)))
                    except Exception as error:
                        with waiting_for_ledger():
                            understood = _not_answered(self, leased, outages, error)
                        raise understood from error
                    with waiting_for_ledger(), database.writing() as connection:
                        ended = job_ends.complete(connection, job_id, result, fence)
                if ended is not None:
                    announce(ended, result, reply_to)

        return task  # type: ignore[no-any-return]

    return decorate


def _reply_patience() -> float:
    """Seconds that one takes at most: it shows no progress while it waits for the model."""
    settings = get_settings()
    return max(settings.job.stall_seconds, 2 * settings.llm.timeout)


@contextmanager
def _waiting_for_ledger(task: CeleryTask, **kwargs: int) -> Iterator[None]:
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


def _worker(task: CeleryTask) -> str:
    return f"{task.request.hostname}:{os.getpid()}"


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
        held = steps.begin(connection, key, _worker(task))
        if held is Taken.DONE:
            return None
        if not isinstance(held, Held):
            logger.info("stage.not_begun", why=held.value)
            raise Ignore
        job = jobs.claim(connection, key.job_id, key.stage, queue_of(key.stage), held.attempts)
        if job is None:
            raise Ignore
    return StageRun(job, held, database, _lease(database, held, _worker(task)))


def _lease(database: Database, held: Held, worker: str) -> Lease:
    patience = None
    if queue_of(held.key.stage) != "document":  # whose processes Celery ends when it is time
        patience = get_settings().job.stall_seconds

    def give_up() -> None:
        from flotilla.ledger.deaths import report_death

        report_death(database, held.key, worker, _stuck(patience), sent=False)

    return Lease(database, lambda c: steps.still_held(c, held), patience, give_up)


def _stuck(patience: float | None) -> TimeLimit:
    return TimeLimit(f"The work has made no progress for {patience:g} seconds.")


def _failed(task: CeleryTask, run: StageRun, error: Exception) -> Exception:
    """Record a failed attempt; raises Retry or Ignore, or returns the error to be raised.

    A MemoryError is never raised: Celery's parent process takes it for its own.
    """
    if isinstance(error, Ignore | Reject | Retry):
        raise error
    _stop_if_unwanted(run.database, run.job.id, error)
    settings = get_settings().job
    error, task_error = _understood(run.stage, error)
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
            steps.record_failure(connection, run.held.key, run.attempt, _worker(task), task_error)
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


def _not_answered(
    task: CeleryTask, leased: job_leases.Leased, outages: int, error: Exception
) -> Exception:
    """The same for a job without steps, whose message counts the outages that it has met."""
    if isinstance(error, Ignore | Reject | Retry):
        raise error
    settings = get_settings().job
    job = leased.job
    database = get_database()
    _stop_if_unwanted(database, job.id, error)
    error, task_error = _understood(job.stage, error)
    attempt = task.request.retries + 1
    if isinstance(error, DependencyUnavailable):
        outages += 1
        attempts, limit = outages, settings.max_outage_attempts
    else:
        attempts, limit = attempt - outages, settings.max_attempts
    delay = backoff(settings, attempts, getattr(error, "retry_after", None))
    key = Key(job.id, job.stage)
    again = task_error.retryable and attempts < limit and delay <= LONGEST_DELAY
    with database.writing() as connection:
        if not job_leases.renew(connection, job.id, leased.fence):
            raise Ignore from error
        if attempts <= settings.max_attempts or not again:
            steps.record_failure(connection, key, attempt, _worker(task), task_error)
        if again:
            job_leases.give_back(connection, job.id, leased.fence, delay)
    if again:
        logger.info("stage.retrying", code=task_error.code, attempt=attempt, delay=delay)
        raise task.retry(kwargs={"outages": outages}, exc=error, countdown=delay)
    logger.info("stage.failed", code=task_error.code, attempt=attempt)
    fail(database, job.id, task_error, leased.fence)
    return error


def _stop_if_unwanted(database: Database, job_id: str, error: Exception) -> None:
    """Raises Ignore where the work is not wanted any more, or is somebody else's."""
    if isinstance(error, Cancelled):
        cancel(database, job_id)
    if isinstance(error, LeaseLost | Cancelled):
        raise Ignore from error


def _understood(stage_name: str, error: Exception) -> tuple[Exception, TaskError]:
    if isinstance(error, SoftTimeLimitExceeded):
        error = TimeLimit("The work took longer than this fleet's time limit allows.")
    elif isinstance(error, MemoryError):
        error = OutOfMemory("The work took more memory than there is for one document.")
    task_error = as_task_error(stage_name, error)
    if not isinstance(error, FlotillaError):
        logger.error("stage.crashed", code=task_error.code, exc_info=error)
    return error, task_error
