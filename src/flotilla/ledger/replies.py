"""Answering one message of a job of one short task, such as a question.

`reply` wraps a fleet's function into a Celery task. What the function raises becomes another
attempt or the job's final error. Any message may be delivered twice, so every function must be able
to run twice.
"""

import functools
import time
from collections.abc import Callable
from typing import Any

import structlog
from celery.exceptions import Ignore, Reject, Retry
from sqlalchemy import Connection

from flotilla.broker import app, queue_of
from flotilla.errors import Cancelled, DependencyUnavailable, FlotillaError
from flotilla.ledger import job_ends, job_leases, steps
from flotilla.ledger.announce import announce
from flotilla.ledger.attempts import as_task_error, backoff
from flotilla.ledger.database import RawJSON, get_database
from flotilla.ledger.endings import fail
from flotilla.ledger.leases import Lease, get_keeper
from flotilla.ledger.messages import (
    LONGEST_DELAY,
    CeleryTask,
    stop_if_unwanted,
    stuck,
    understood,
    waiting_for_ledger,
    worker_of,
)
from flotilla.ledger.reply_runs import ReplyRun
from flotilla.ledger.steps import Key
from flotilla.logging import get_logger
from flotilla.schemas import Task
from flotilla.settings import get_settings

logger = get_logger(__name__)

MOST_CALLS = 200
"""Calls of models that a message holds at most, some 200 bytes each."""


def reply(name: str, **options: Any) -> Callable[[Callable[[ReplyRun], str]], CeleryTask]:
    """Make a function the Celery task `name(job_id)`; the JSON it returns is the job's result.

    For jobs of one short task, such as questions: two statements in the ledger and no steps. A
    gateway that awaits the result gives the channel on which it listens.
    """

    def decorate(function: Callable[[ReplyRun], str]) -> CeleryTask:
        @app.task(name=name, bind=True, throws=(FlotillaError,), max_retries=None, **options)
        @functools.wraps(function)
        def task(
            self: CeleryTask,
            job_id: str,
            reply_to: str | None = None,
            outages: int = 0,
            spent: float = 0.0,
            calls: list[dict[str, Any]] | None = None,
        ) -> None:
            with structlog.contextvars.bound_contextvars(task_id=job_id, stage=name):
                attempt = self.request.retries + 1
                waiting = functools.partial(waiting_for_ledger, self, outages=outages + 1)
                with waiting():
                    database = get_database()
                    with database.writing() as connection:
                        leased = job_leases.lease(
                            connection, job_id, name, queue_of(name), attempt, worker_of(self)
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
                    lambda: fail(database, job_id, as_task_error(name, stuck(patience)), fence),
                )
                with get_keeper().holding(lease):
                    run = ReplyRun(leased, database, lease, spent, list(calls or ()))
                    began = time.monotonic()
                    try:
                        result = RawJSON(function(run))
                    except Exception as error:
                        with waiting():
                            worked = spent + time.monotonic() - began
                            final = _not_answered(self, run, outages, worked, error)
                        raise final from error
                    try:
                        with waiting(), database.writing() as connection:
                            ended = _complete(connection, run, result)
                    except Cancelled as error:
                        stop_if_unwanted(database, job_id, error)
                        raise
                if ended is not None:
                    announce(ended, result, reply_to)
                    _after_end(run)

        return task  # type: ignore[no-any-return]

    return decorate


def _complete(connection: Connection, run: ReplyRun, result: RawJSON) -> Task | None:
    """End the job with its result, and write what goes with it: all of it, or nothing."""
    ended = job_ends.complete(connection, run.job.id, result, run.leased.fence)
    if ended is not None:
        for write in run.with_end:
            write(connection)
    return ended


def _after_end(run: ReplyRun) -> None:
    for work in run.after_end:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the job has ended well all the same
            logger.warning("reply.not_followed_up", error=repr(error))


def _reply_patience() -> float:
    """Seconds that one takes at most: it shows no progress while it waits for the model."""
    settings = get_settings()
    # A step that has begun within the budget may take a request longer.
    return max(settings.job.stall_seconds, settings.rag.budget_seconds + 2 * settings.llm.timeout)


def _not_answered(
    task: CeleryTask, run: ReplyRun, outages: int, spent: float, error: Exception
) -> Exception:
    """Record a failed attempt; raises Retry or Ignore, or returns the error to be raised.

    There are no steps that count: the message itself counts the outages that it has met, and holds
    the calls of models that the attempts have made.
    """
    if isinstance(error, Ignore | Reject | Retry):
        raise error
    settings = get_settings().job
    leased, job = run.leased, run.job
    database = get_database()
    stop_if_unwanted(database, job.id, error)
    error, task_error = understood(job.stage, error)
    attempt = task.request.retries + 1
    if isinstance(error, DependencyUnavailable):
        outages += 1
        attempts, limit = outages, settings.max_outage_attempts
    else:
        attempts, limit = attempt - outages, settings.max_attempts
    asked = getattr(error, "retry_after", None)
    # Nobody waits for an answer for longer than a message may: who is to come back later than that
    # is told so at once.
    patient = asked is None or not asked > LONGEST_DELAY
    delay = min(backoff(settings, attempts, asked), LONGEST_DELAY)
    key = Key(job.id, job.stage)
    again = task_error.retryable and attempts < limit and patient
    with database.writing() as connection:
        if not job_leases.renew(connection, job.id, leased.fence):
            raise Ignore from error
        if attempts <= settings.max_attempts or not again:
            steps.record_failure(connection, key, attempt, worker_of(task), task_error)
        if again:
            job_leases.give_back(connection, job.id, leased.fence, delay)
    if again:
        logger.info("stage.retrying", code=task_error.code, attempt=attempt, delay=delay)
        told: dict[str, Any] = {"outages": outages, "spent": round(spent, 3)}
        if run.calls:
            told["calls"] = run.calls[-MOST_CALLS:]
        raise task.retry(kwargs=told, exc=error, countdown=delay)
    logger.info("stage.failed", code=task_error.code, attempt=attempt)
    fail(database, job.id, task_error, leased.fence, _reply_to(task))
    return error


def _reply_to(task: CeleryTask) -> str | None:
    """The channel on which a gateway awaits the result, as the message has it."""
    given = task.request.args or ()
    found = given[1] if len(given) > 1 else (task.request.kwargs or {}).get("reply_to")
    return None if found is None else str(found)
