"""One attempt at one part of a job's stage, as the fleet's function sees it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from flotilla.errors import Cancelled, LeaseLost
from flotilla.ledger import fan_outs, job_views, jobs, notes, steps, task_events, versions
from flotilla.ledger.admission import wave_size
from flotilla.ledger.database import Database, now
from flotilla.ledger.fan_outs import Part
from flotilla.ledger.fleet_sizes import get_fleet_sizes
from flotilla.ledger.leases import Lease
from flotilla.ledger.locks import lock_collections, lock_documents
from flotilla.ledger.steps import Held
from flotilla.models import Note
from flotilla.step_times import step


class Postponed(Exception):
    """The step waits for something else, and is begun again after a while; no attempt was made."""

    def __init__(self, delay: float) -> None:
        super().__init__(f"again in {delay:g} seconds")
        self.delay = delay  # seconds


SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds between two looks at a job that another one waits for."""


@dataclass(frozen=True, slots=True)
class StageRun:
    """One attempt at one part of a job's stage.

    Whatever it writes goes through `writing`, which refuses a worker that has lost its lease.
    """

    job: jobs.Job
    held: Held
    database: Database
    lease: Lease

    @property
    def stage(self) -> str:
        return self.held.key.stage

    @property
    def part(self) -> int:
        return self.held.key.part

    @property
    def attempt(self) -> int:
        return self.held.attempts

    @contextmanager
    def writing(
        self, collection_id: str | None = None, *, document: bool = False
    ) -> Iterator[Connection]:
        """A transaction of the ledger that nobody can overtake.

        With a collection's id, nobody adds documents to it meanwhile; with `document`, nobody
        publishes, gives up or deletes a version of the job's document. What writes documents has
        to say so here, for the order of locks that `ledger.database` gives.

        Raises:
            LeaseLost: another worker has taken this step over, or the job has ended without it.
            Cancelled: the job was cancelled.
        """
        with step("ledger"), self.database.writing() as connection:
            if collection_id is not None:
                lock_collections(connection, [collection_id])
            if document and self.job.document_id is not None:
                lock_documents(connection, [self.job.document_id])
            jobs.lock(connection, self.job.id)
            self._check(connection)
            yield connection

    def checkpoint(self) -> None:
        """Stop here if the work is not wanted any more. Raises LeaseLost or Cancelled."""
        with step("ledger"), self.database.writing() as connection:
            self._check(connection)

    def _check(self, connection: Connection) -> None:
        self.lease.alive()
        held = not self.lease.lost and steps.still_held(connection, self.held)
        if not jobs.is_open(connection, self.job.id):
            if jobs.was_ended_otherwise(connection, self.job.id):
                raise LeaseLost("The task has ended without this worker.")
            raise Cancelled("The task was cancelled while it was being worked on.")
        if not held:
            raise LeaseLost("Another worker has taken this step over.")

    def version(self) -> versions.Version:
        """The version that the job ingests.

        Raises:
            Cancelled: the job was cancelled, or its document was deleted meanwhile.
            LeaseLost: another worker has taken this step over, or the job has ended without it.
            DocumentNotFound: nothing is left of the document.
        """
        assert self.job.version_id is not None  # noqa: S101 - ingestions have one
        self.checkpoint()
        with step("ledger"), self.database.reading() as connection:
            version = versions.get(connection, self.job.version_id)
        if version.deleted:
            raise Cancelled("The document was deleted while it was being ingested.")
        return version

    def wait_for(self, connection: Connection, job_id: str) -> Postponed:
        """Let this job wait for another one; the error is to be raised after the transaction."""
        jobs.wait_for(connection, self.job, job_id)
        return Postponed(self._pause())

    def wait_for_other(self) -> None:
        """Stop here while the job that this one waits for is under way.

        Raises:
            Postponed: it is. The pause is a fifth of the time that this job is old, so that what
                takes long is not looked at often.
        """
        other = self.job.payload.get(jobs.WAITS_FOR)
        if other is None:
            return
        with self.database.reading() as connection:
            is_under_way = bool(jobs.open_among(connection, [other]))
        if is_under_way:
            raise Postponed(self._pause())

    def _pause(self) -> float:
        age = (now() - (self.job.started_at or now())).total_seconds()
        return min(max(SHORTEST_PAUSE, age / 5), LONGEST_PAUSE)

    def is_given_up(self) -> bool:
        """Whether nothing of the version will ever be needed again, so that what this worker has
        written of it goes, and all the rest that may still be there.

        A worker that was frozen learns here what became of its work meanwhile. That it is not
        wanted itself says nothing: the version may have been published by another worker, or may
        have failed and wait for its retry.
        """
        assert self.job.version_id is not None  # noqa: S101 - ingestions and re-indexings have one
        with self.database.reading() as connection:
            return versions.is_given_up(connection, self.job.version_id)

    def describe(self, **values: Any) -> None:
        """Note what became known of the version (pages, chunks, content_type, …)."""
        assert self.job.version_id is not None  # noqa: S101
        with self.writing() as connection:
            versions.describe(connection, self.job.version_id, **values)

    def note(self, found: Sequence[Note]) -> None:
        """Keep what a user should know of this part, in place of what it said before."""
        with self.writing() as connection:
            notes.write(connection, self.job.id, self.stage, self.part, found)

    def remember(self, name: str, value: Any) -> None:
        """Keep something in the job's payload for this step's next message, or another worker."""
        with self.writing() as connection:
            jobs.remember(connection, self.job.id, name, value)
        self.job.payload[name] = value

    def progress(self, done: int, total: int | None, unit: str) -> None:
        """Set how much of the work is done."""
        with self.writing() as connection:
            jobs.progress(connection, self.job.id, done, total, unit)
        self.tell()

    def finish_part(self, units: int, total: int | None, unit: str) -> None:
        """Mark this part done and move the job's progress by what it carried."""
        with self.writing() as connection:
            steps.finish(connection, self.held, units)
            done = fan_outs.units_done(connection, self.job.id, self.stage)
            jobs.progress(connection, self.job.id, done, total, unit)
        self.tell()

    def plan(self, stage: str, args: Sequence[Sequence[Any]]) -> list[Part]:
        """Write the parts that this stage fans out into, and mark it done with the same stroke.

        Returns the parts that are to be sent now; the stage after them sends the others.
        """
        fleets = get_fleet_sizes().get()
        with self.writing() as connection:
            fan_outs.plan(connection, self.job.id, stage, args)
            steps.finish(connection, self.held)
            size = wave_size(connection, stage, fleets)
            return fan_outs.next_wave(connection, self.job.id, stage, size)

    def tell(self) -> None:
        """Tell whoever follows the job where it stands."""
        with step("ledger"):
            with self.database.reading() as connection:
                task = job_views.find(connection, self.job.id)
            if task is not None:
                task_events.tell(task)
