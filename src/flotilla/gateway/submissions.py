"""Writing jobs and sending their messages, many at a time.

A request hands its job over and awaits; while one batch is written and sent, the next gathers.
Under load a transaction is thus shared by all that arrived meanwhile, and alone it is not delayed.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from flotilla import pipelines
from flotilla.errors import DependencyUnavailable, FlotillaError
from flotilla.gateway.channels import end
from flotilla.ledger import collections, conversations, jobs
from flotilla.ledger.attempts import as_task_error
from flotilla.ledger.database import Database
from flotilla.ledger.endings import fail
from flotilla.ledger.jobs import NewJob
from flotilla.logging import get_logger

logger = get_logger(__name__)

LARGEST_BATCH = 256


class Batch:
    """The transaction that many jobs are written in; what they look up alike is read once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._collections: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}

    def collection_ids(self, tenant_id: str, names: Sequence[str], field: str) -> tuple[str, ...]:
        """Raises CollectionNotFound, naming the first that does not exist, and its field."""
        key = (tenant_id, tuple(names))
        if key not in self._collections:
            found = collections.resolve(self._connection, tenant_id, names, field=field)
            self._collections[key] = tuple(found.values())
        return self._collections[key]

    def begin_conversation(
        self, tenant_id: str, user_id: str, question: str, conversation_id: str
    ) -> None:
        """Make a conversation of this id, for its first question."""
        conversations.create(self._connection, tenant_id, user_id, question, conversation_id)

    def hold_conversation(self, tenant_id: str, user_id: str, conversation_id: str) -> None:
        """Raises ConversationNotFound; whoever deletes it has to wait for this transaction."""
        conversations.hold(self._connection, tenant_id, user_id, conversation_id)


Prepare = Callable[[Batch], NewJob]
"""Makes a job inside the transaction that writes it; may raise a FlotillaError."""


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
            await end(self._writer)

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
                shared = Batch(connection)
                prepared = [_prepare(submission, shared) for submission in batch]
                jobs.add(connection, [job for job in prepared if isinstance(job, NewJob)])
        except Exception as error:  # noqa: BLE001 - each of the batch gets to know it
            logger.warning("submissions.ledger_failed", error=str(error))
            return [_as_unavailable(error, "The ledger")] * len(batch)
        return self._send_all(prepared, batch)

    def _send_all(
        self, prepared: Sequence[NewJob | FlotillaError], batch: Sequence[_Submission]
    ) -> list[FlotillaError | None]:
        outcomes = [job if isinstance(job, FlotillaError) else None for job in prepared]
        pending = [at for at, job in enumerate(prepared) if isinstance(job, NewJob)]
        sent = 0
        try:
            with pipelines.one_producer():
                for at in pending:
                    job = prepared[at]
                    assert isinstance(job, NewJob)  # noqa: S101 - chosen above
                    batch[at].send(job.id)
                    sent += 1
        except Exception as error:  # noqa: BLE001 - each of the batch gets to know it
            logger.warning("submissions.send_failed", error=str(error))
            unavailable = _as_unavailable(error, "The broker")
            # Whoever waits behind the one that failed would only wait for the same time-out.
            for at in pending[sent:]:
                outcomes[at] = unavailable
                self._give_up(prepared[at], unavailable)
        return outcomes

    def _give_up(self, job: NewJob | FlotillaError, error: FlotillaError) -> None:
        if not isinstance(job, NewJob):
            return
        try:
            fail(self._database, job.id, as_task_error(job.stage, error))
        except Exception:  # the writer lives on, and the reaper finds the job
            logger.exception("submissions.not_failed", task_id=job.id)


def _prepare(submission: _Submission, batch: Batch) -> NewJob | FlotillaError:
    try:
        return submission.prepare(batch)
    except FlotillaError as error:
        return error


def _as_unavailable(error: Exception, part: str) -> FlotillaError:
    if isinstance(error, FlotillaError):
        return error
    return DependencyUnavailable(f"{part} does not answer: try again.", retry_after=1)
