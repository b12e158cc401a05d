"""Writing jobs and sending their messages, many at a time.

A request hands its job over and awaits; while one batch is written and sent, the next gathers.
Under load a transaction is thus shared by all that arrived meanwhile, and alone it is not delayed.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from flotilla.errors import DependencyUnavailable, FlotillaError
from flotilla.ledger import jobs
from flotilla.ledger.database import Database
from flotilla.ledger.jobs import NewJob
from flotilla.ledger.stages import as_task_error, fail
from flotilla.logging import get_logger

logger = get_logger(__name__)

LARGEST_BATCH = 256


Prepare = Callable[[Connection], NewJob]
"""Makes the job inside the transaction that writes it; may read, may raise a FlotillaError."""


@dataclass(slots=True)
class _Submission:
    prepare: Prepare
    send: Callable[[str], None]
    done: asyncio.Future[None]


class Submissions:
    """Takes jobs of one message each: questions and smoke tests."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: asyncio.Queue[_Submission] = asyncio.Queue()
        self._writer: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._writer = asyncio.create_task(self._write(), name="submissions")

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writer

    async def submit(self, prepare: Prepare, send: Callable[[str], None]) -> None:
        """Write the job that `prepare` makes, then call `send(job.id)`; returns after both.

        Raises:
            DependencyUnavailable: the ledger or the broker does not answer; nothing was begun.
            FlotillaError: whatever `prepare` raises.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._queue.put(_Submission(prepare, send, done))
        await done

    async def _write(self) -> None:
        while True:
            batch = [await self._queue.get()]
            while len(batch) < LARGEST_BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            outcomes = await asyncio.to_thread(self._carry_out, batch)
            for submission, error in zip(batch, outcomes, strict=True):
                if submission.done.done():
                    continue  # its client has gone
                if error is None:
                    submission.done.set_result(None)
                else:
                    submission.done.set_exception(error)

    def _carry_out(self, batch: Sequence[_Submission]) -> list[FlotillaError | None]:
        prepared: list[NewJob | FlotillaError] = []
        try:
            with self._database.writing() as connection:
                prepared = [_prepare(submission, connection) for submission in batch]
                jobs.add(connection, [job for job in prepared if isinstance(job, NewJob)])
        except Exception as error:  # noqa: BLE001 - each of the batch gets to know it
            logger.warning("submissions.ledger_failed", error=str(error))
            return [_as_unavailable(error, "The ledger")] * len(batch)
        return [
            self._send(job, submission) if isinstance(job, NewJob) else job
            for job, submission in zip(prepared, batch, strict=True)
        ]

    def _send(self, job: NewJob, submission: _Submission) -> FlotillaError | None:
        try:
            submission.send(job.id)
        except Exception as error:  # noqa: BLE001 - the request gets to know it
            logger.warning("submissions.send_failed", error=str(error))
            unavailable = _as_unavailable(error, "The broker")
            fail(self._database, job.id, as_task_error(job.stage, unavailable))
            return unavailable
        return None


def _prepare(submission: _Submission, connection: Connection) -> NewJob | FlotillaError:
    try:
        return submission.prepare(connection)
    except FlotillaError as error:
        return error


def _as_unavailable(error: Exception, part: str) -> FlotillaError:
    if isinstance(error, FlotillaError):
        return error
    return DependencyUnavailable(f"{part} does not answer: try again.", retry_after=1)
