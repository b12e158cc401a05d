"""Sending failed jobs again: each goes on at the stage where it failed.

An ingestion whose bytes have come into its collection by another way since is over at once, as a
duplicate: a second document of the same is never made.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Connection, case, select, update

from flotilla.errors import Conflict, FlotillaError
from flotilla.ledger import (
    batch_retries,
    batches,
    ended_members,
    job_ends,
    job_views,
    model_migrations,
    steps,
    submissions,
)
from flotilla.ledger import jobs as ledger_jobs
from flotilla.ledger import versions as ledger_versions
from flotilla.ledger.database import Database, now
from flotilla.ledger.endings import tell
from flotilla.ledger.failed_jobs import RETRIED_KINDS, Filter, failed, revivable
from flotilla.ledger.jobs import JOB_COLUMNS, Job, job_of
from flotilla.ledger.locks import lock_collections, lock_jobs
from flotilla.ledger.tables import DOCUMENTS, JOBS, VERSIONS
from flotilla.ledger.versions import LIVE, PENDING
from flotilla.schemas import DocumentStatus, Task, TaskStatus

jobs = JOBS.c
documents = DOCUMENTS.c
versions = VERSIONS.c

AWAITING_ADMISSION = ("ingest", "reindex")


@dataclass(slots=True)
class Outcome:
    """What came of an order to retry.

    `to_send` are the jobs whose message has to be sent now; the others that were taken wait for
    admission, or turned out to be duplicates and are over. `last` is the id up to which an order
    was carried out that had to stop before its end.
    """

    taken: list[str] = field(default_factory=list)
    to_send: list[Job] = field(default_factory=list)
    refused: dict[str, FlotillaError] = field(default_factory=dict)
    last: str | None = None


PIECE = 100
"""Jobs that one transaction makes pending again."""


def retry_many(database: Database, tenant_id: str, job_ids: Sequence[str]) -> Outcome:
    """Make failed jobs pending again, each for itself; one that is refused stops no other."""
    outcome = Outcome()
    for start in range(0, len(job_ids), PIECE):
        _retry_piece(database, tenant_id, job_ids[start : start + PIECE], outcome)
    return outcome


def retry_failed(
    database: Database,
    tenant_id: str,
    wanted: Filter,
    limit: int,
    *,
    after: str = "",
    seconds: float | None = None,
) -> Outcome:
    """Make the failed jobs pending again that a filter names, the oldest first.

    Args:
        database: the ledger.
        tenant_id: whose jobs.
        wanted: the filter.
        limit: how many at most.
        after: an order's `last`, to go on with what it left.
        seconds: for about how long; None for as long as it takes.
    """
    deadline = _deadline(seconds)
    outcome = Outcome()
    while True:
        room = min(PIECE, limit - len(outcome.taken))
        with database.reading() as connection:
            found = failed(connection, tenant_id, wanted, room + 1, after)
        _retry_piece(database, tenant_id, found[:room], outcome)
        if len(found) <= room:
            return outcome
        after = found[room - 1]
        if len(outcome.taken) >= limit or time.monotonic() >= deadline:
            outcome.last = after
            return outcome


def _deadline(seconds: float | None) -> float:
    return float("inf") if seconds is None else time.monotonic() + seconds


def _retry_piece(
    database: Database,
    tenant_id: str,
    job_ids: Sequence[str],
    outcome: Outcome,
    note: Callable[[Connection], Task | None] = lambda _connection: None,
    check: Callable[[Connection], None] = lambda _connection: None,
) -> None:
    """Make some failed jobs pending again.

    `check` is called before their batches are open again, and may raise; `note` is called then,
    and returns one that it has ended.
    """
    with database.writing() as connection:
        ended = _retry_each(connection, tenant_id, job_ids, outcome, note, check)
    for task in ended:
        tell(database, task)


def _retry_each(
    connection: Connection,
    tenant_id: str,
    job_ids: Sequence[str],
    outcome: Outcome,
    note: Callable[[Connection], Task | None],
    check: Callable[[Connection], None],
) -> list[Task]:
    """Returns those of the jobs that were over at once, and what `note` has ended."""
    _lock(connection, tenant_id, job_ids)
    parents: Counter[str] = Counter()
    ended: list[Task] = []
    for job_id in job_ids:
        try:
            with connection.begin_nested():
                job, duplicate = _retry(connection, tenant_id, job_id)
        except FlotillaError as error:
            outcome.refused[job_id] = error
            continue
        outcome.taken.append(job_id)
        if duplicate is not None:
            ended.append(duplicate)
        elif job.kind not in AWAITING_ADMISSION:
            outcome.to_send.append(job)
        if job.parent_id is not None:
            parents[job.parent_id] += 1
    check(connection)
    batches.reopen(connection, parents)
    noted = note(connection)
    over = Counter(task.parent_id for task in ended if task.parent_id is not None)
    for batch_id in sorted(over):
        job_ends.settle(connection, batch_id, over[batch_id])
    return ended if noted is None else [*ended, noted]


def _lock(connection: Connection, tenant_id: str, job_ids: Sequence[str]) -> None:
    # The collections too: a submission of the same bytes at this moment has to see the retry, or
    # the retry has to see it.
    rows = connection.execute(
        select(jobs.id, jobs.kind, jobs.collection_id).where(
            jobs.id.in_(job_ids), jobs.tenant_id == tenant_id
        )
    ).all()
    ingested_into = {row.collection_id for row in rows if row.kind == "ingest"}
    lock_collections(connection, ingested_into - {None})
    lock_jobs(connection, [row.id for row in rows])


def retry(database: Database, tenant_id: str, job_id: str, seconds: float | None = None) -> Outcome:
    """Make a failed job, or a batch's failed members, pending again.

    Of a large batch, those for which there is no time are left to `retry_rest`. None for as long as
    it takes.

    Raises:
        TaskNotFound: the tenant has no such job.
        Conflict: it did not fail, or its place has been taken meanwhile; of a batch, no member can
            be retried, or it is being cancelled.
    """
    with database.reading() as connection:
        job = _find(connection, tenant_id, job_id)
    if job.kind == batches.KIND:
        outcome = _retry_members(database, job, "", seconds)
    else:
        outcome = retry_many(database, tenant_id, [job_id])
    if outcome.taken:
        return outcome
    for error in outcome.refused.values():
        raise error
    with database.reading() as connection:
        raise batch_retries.nothing_to_retry(connection, job_id)


def retry_rest(database: Database, batch_id: str, seconds: float) -> None:
    """Go on with the retry of a batch's failed members where it was left, for about so long."""
    with database.reading() as connection:
        batch = ledger_jobs.get(connection, batch_id)
    if batch is None or "retry" not in batch.payload:
        return
    with suppress(Conflict):  # whoever cancels it sees to the rest
        _retry_members(database, batch, batch.payload["retry"], seconds)


def _retry_members(database: Database, batch: Job, after: str, seconds: float | None) -> Outcome:
    deadline = _deadline(seconds)
    outcome = Outcome()
    begun = bool(after)
    while True:
        with database.reading() as connection:
            wanted = Filter(parent_id=batch.id)
            found = failed(connection, batch.tenant_id, wanted, PIECE + 1, after)
        piece, more = found[:PIECE], len(found) > PIECE
        if more:
            after = piece[-1]
        note = partial(batch_retries.note, batch_id=batch.id, after=after if more else None)
        if begun:
            check = partial(batch_retries.check_going_on, batch_id=batch.id)
            _retry_piece(database, batch.tenant_id, piece, outcome, note, check)
        else:
            _retry_piece(database, batch.tenant_id, piece, outcome, note)
        if not more:
            return outcome
        if (begun or outcome.taken) and time.monotonic() >= deadline:
            outcome.last = after
            return outcome
        begun = True


def _find(connection: Connection, tenant_id: str, job_id: str) -> Job:
    row = connection.execute(
        select(*JOB_COLUMNS).where(jobs.id == job_id, jobs.tenant_id == tenant_id)
    ).one_or_none()
    if row is None:
        raise job_views.missing(job_id)
    return job_of(row)


def _retry(connection: Connection, tenant_id: str, job_id: str) -> tuple[Job, Task | None]:
    """The job, pending again; and the task that it is where it is over at once."""
    job = _find(connection, tenant_id, job_id)
    if job.kind not in RETRIED_KINDS or job.status is not TaskStatus.FAILED:
        raise Conflict(
            f"This task ({job.kind}) is {job.status.value}: what can be retried are failed "
            "ingestions, re-indexings, deletions, questions and changes of the model."
        )
    if job.kind == model_migrations.MIGRATION:
        model_migrations.check_alone(connection)
    same_as = _revive_version(connection, job) if job.kind == "ingest" else None
    changed = connection.execute(
        update(JOBS)
        .where(jobs.id == job_id, jobs.status == TaskStatus.FAILED.value)
        .values(
            status=TaskStatus.PENDING.value,
            attempt=1,
            losses=0,
            fence=jobs.fence + 1,
            error_stage=None,
            error_code=None,
            error_message=None,
            error_retryable=None,
            error_retry_after=None,
            cancel_requested_at=None,
            finished_at=None,
            cleaned_at=None,
            sent_at=None if job.kind in AWAITING_ADMISSION else now(),
        )
    )
    if changed.rowcount == 0:
        raise Conflict("This task is being retried already: look at it again.")
    if same_as is not None:
        return job, job_ends.complete_as_duplicate(connection, job, same_as, begun=True)
    steps.start_over(connection, job_id)
    return job, None


def _revive_version(connection: Connection, job: Job) -> str | None:
    """Let the version be worked on again, unless another document has its bytes by now: the id of
    that one.

    A version that is live already, and whose job failed only at what comes after, stays so.
    """
    if "original" in job.payload:
        raise ended_members.failed_elsewhere(job.payload["original"])
    if job.version_id is None:
        raise Conflict("This file was refused when it was submitted: send it again.")
    revived = connection.execute(
        update(VERSIONS)
        .where(versions.id == job.version_id, revivable())
        .values(state=case((versions.state == LIVE, LIVE), else_=PENDING))
        .returning(versions.state)
    ).one_or_none()
    if revived is None:
        raise Conflict(
            "The document was deleted, or newer bytes were submitted for it since: send the "
            "document again if this is the version that you want."
        )
    if revived.state == PENDING:
        version = ledger_versions.get(connection, job.version_id)
        same = submissions.same_as_retried(connection, version)
        if same is not None:
            return same.document_id
    connection.execute(
        update(DOCUMENTS)
        .where(documents.id == job.document_id)
        .values(job_id=job.id, updated_at=now())
    )
    connection.execute(
        update(DOCUMENTS)
        .where(documents.id == job.document_id, documents.live_version_id.is_(None))
        .values(status=DocumentStatus.PROCESSING.value)
    )
    return None
