"""Forgetting ended jobs that are old enough, unless something refers to them.

A document refers to its newest job, which shows its error, and a version that is live or on its way
to the job that ingested it. So most of what was ever ingested is kept, and has to be passed over
every time: it is read page by page, outside of the transactions that remove.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select

from flotilla.ledger.database import Database, now
from flotilla.ledger.tables import DOCUMENTS, JOBS, VERSIONS
from flotilla.ledger.versions import LIVE, PENDING

jobs = JOBS.c
versions = VERSIONS.c

PAGE = 1000
"""Jobs that are looked at, and of which those that nobody needs are removed, at once."""


def forget_ended(database: Database, older_than: timedelta, page: int = PAGE) -> int:
    """Forget the jobs that ended longer ago than this and that nothing refers to; how many.

    Raises:
        DependencyUnavailable: the ledger is out of reach; what is forgotten by then stays so.
    """
    until = now() - older_than
    forgotten = 0
    after = ""
    while True:
        with database.reading() as connection:
            found = _page(connection, until, after, page)
        if found.unneeded:
            with database.writing() as connection:
                forgotten += _forget(connection, found.unneeded, until)
        if found.last is None:
            return forgotten
        after = found.last


@dataclass(frozen=True, slots=True)
class _Page:
    """Jobs that are not needed, each with its version, and the last job that was looked at, or None
    where there are no more."""

    unneeded: dict[str, str | None]
    last: str | None


def _page(connection: Connection, until: datetime, after: str, size: int) -> _Page:
    # Ids are in the order of creation, and what was not there by then cannot have ended by then.
    rows = connection.execute(
        select(jobs.id, jobs.version_id, jobs.created_at, jobs.finished_at)
        .where(jobs.id > after)
        .order_by(jobs.id)
        .limit(size)
    ).all()
    ended = {
        row.id: row.version_id
        for row in rows
        if row.finished_at is not None and row.finished_at < until
    }
    more = len(rows) == size and rows[-1].created_at < until
    return _Page(_unneeded(connection, ended), rows[-1].id if more else None)


def _unneeded(connection: Connection, ended: dict[str, str | None]) -> dict[str, str | None]:
    """Of jobs and the versions that they ingested, those that nothing refers to."""
    # Asked by their ids, which no planner takes for a reason to read all that there is.
    shown = set(connection.scalars(select(DOCUMENTS.c.job_id).where(DOCUMENTS.c.job_id.in_(ended))))
    ingested = {version_id for version_id in ended.values() if version_id is not None}
    answering = set(
        connection.scalars(
            select(versions.id).where(
                versions.id.in_(ingested), versions.state.in_((PENDING, LIVE))
            )
        )
    )
    return {
        job_id: version_id
        for job_id, version_id in ended.items()
        if job_id not in shown and version_id not in answering
    }


def _forget(connection: Connection, found: dict[str, str | None], until: datetime) -> int:
    # One may have been retried since it was looked at, and refers to its version again.
    unneeded = _unneeded(connection, found)
    old = delete(JOBS).where(jobs.id.in_(unneeded), jobs.finished_at < until)
    return connection.execute(old).rowcount
