"""One attempt at a job of one short task, such as a question, as the fleet's function sees it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from flotilla.errors import Cancelled, LeaseLost
from flotilla.ledger import job_leases, jobs
from flotilla.ledger.database import Database
from flotilla.ledger.leases import Lease


@dataclass(frozen=True, slots=True)
class ReplyRun:
    """One attempt at a job of one short task."""

    leased: job_leases.Leased
    database: Database
    lease: Lease
    spent: float = 0.0
    """Seconds that attempts before this one have worked, pauses between them not counted."""
    calls: list[dict[str, Any]] = field(default_factory=list)
    """Calls of models that attempts before this one made and nothing else keeps, as JSON. An
    attempt that fails puts its own in their place, for the next one to count."""
    with_end: list[Callable[[Connection], object]] = field(default_factory=list)
    """What is written in the transaction that ends the job well, and taken back with it; what it
    raises as Cancelled cancels the job."""
    after_end: list[Callable[[], object]] = field(default_factory=list)
    """What is done once the job has ended well and whoever waits has been told; nobody hears of
    what goes wrong there, so that something else has to make up for it."""

    @property
    def job(self) -> jobs.Job:
        return self.leased.job

    @property
    def lost(self) -> bool:
        """Whether the job is known to be over or another's, as far as the lease's renewals tell:
        `checkpoint` says which. Costs nothing."""
        return self.lease.lost

    def checkpoint(self) -> None:
        """To be called before what costs time or money.

        Raises:
            Cancelled: nobody wants the result any more.
            LeaseLost: another worker has taken the job over.
        """
        with self.database.reading() as connection:
            if job_leases.is_held(connection, self.job.id, self.leased.fence):
                return
            wanted = jobs.is_open(connection, self.job.id)
        if not wanted:
            raise Cancelled("The task was cancelled while it was being worked on.")
        raise LeaseLost("Another worker has taken this over.")
