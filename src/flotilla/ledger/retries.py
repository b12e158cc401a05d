"""Sending failed jobs again: each goes on at the stage where it failed.

An ingestion whose bytes have come into its collection by another way since is over at once, as a
duplicate: a second document of the same is never made.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, case, select, update

from flotilla.errors import Conflict, FlotillaError, TaskNotFound
from flotilla.ledger import batches, job_ends, model_migrations, steps, submissions
from flotilla.ledger import versions as ledger_versions
from flotilla.ledger.database import Database, now
from flotilla.ledger.endings import tell
from flotilla.ledger.job_views import is_in
from flotilla.ledger.jobs import JOB_COLUMNS, Job, job_of
from flotilla.ledger.locks import lock_collections, lock_jobs
from flotilla.ledger.tables import DOCUMENTS, JOBS, VERSIONS
from flotilla.ledger.versions import FAILED, LIVE, PENDING
from flotilla.schemas import DocumentStatus, Task, TaskStatus

jobs = JOBS.c
documents = DOCUMENTS.c
versions = VERSIONS.c

# A smoke test shows what a failure looks like, and a batch has no work but its members'.
RETRIED_KINDS = ("ingest", "reindex", "delete", "migration", "drop", "query", "search")
AWAITING_ADMISSION = ("ingest", "reindex")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which failed jobs; what is None does not matter."""

    kind: str | None = None
    stage: str | None = None
    code: str | None = None
    collection: str | None = None
    parent_id: str | None = None
    created_after: datetime | None = None


def failed(connection: Connection, tenant_id: str, wanted: Filter, limit: int | None) -> list[str]:
    """Ids of the tenant's failed jobs that the filter names and that can be retried, oldest
    first."""
    given = {
        jobs.kind: wanted.kind,
        jobs.error_stage: wanted.stage,
        jobs.error_code: wanted.code,
        jobs.collection: wanted.collection,
        jobs.parent_id: wanted.parent_id,
    }
    conditions: list[ColumnElement[bool]] = [
        column == value for column, value in given.items() if value is not None
    ]
    if wanted.created_after is not None:
        conditions.append(jobs.created_at > wanted.created_after)
    query = select(jobs.id).where(
        jobs.tenant_id == tenant_id,
        is_in(TaskStatus.FAILED),
        jobs.kind.in_(RETRIED_KINDS),
        # What was refused when it was submitted is not here to be tried again.
        (jobs.kind != "ingest") | jobs.version_id.is_not(None),
        *conditions,
    )
    return list(connection.scalars(query.order_by(jobs.id).limit(limit)))


@dataclass(slots=True)
class Outcome:
    """What came of an order to retry.

    `to_send` are the jobs whose message has to be sent now; the others that were taken wait for
    admission, or turned out to be duplicates and are over.
    """

    taken: list[str] = field(default_factory=list)
    to_send: list[Job] = field(default_factory=list)
    refused: dict[str, FlotillaError] = field(default_factory=dict)


PIECE = 100
"""Jobs that one transaction makes pending again."""


def retry_many(database: Database, tenant_id: str, job_ids: Sequence[str]) -> Outcome:
    """Make failed jobs pending again, each for itself; one that is refused stops no other."""
    outcome = Outcome()
    for start in range(0, len(job_ids), PIECE):
        with database.writing() as connection:
            ended = _retry_piece(connection, tenant_id, job_ids[start : start + PIECE], outcome)
        for task in ended:
            tell(database, task)
    return outcome


def _retry_piece(
    connection: Connection, tenant_id: str, job_ids: Sequence[str], outcome: Outcome
) -> list[Task]:
    """Returns those of the jobs that were over at once."""
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
    batches.reopen(connection, parents)
    over = Counter(task.parent_id for task in ended if task.parent_id is not None)
    for batch_id in sorted(over):
        job_ends.settle(connection, batch_id, over[batch_id])
    return ended


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


def retry(database: Database, tenant_id: str, job_id: str) -> Outcome:
    """Make a failed job, or a batch's failed members, pending again.

    Raises:
        TaskNotFound: the tenant has no such job.
        Conflict: it did not fail, or its place has been taken meanwhile; of a batch, no member can
            be retried.
    """
    with database.reading() as connection:
        job = _find(connection, tenant_id, job_id)
        members = [job_id]
        if job.kind == batches.KIND:
            members = failed(connection, tenant_id, Filter(parent_id=job_id), limit=None)
    if not members:
        raise Conflict(
            "No document of this batch failed in a way that a retry could mend: send files that "
            "were refused again."
        )
    outcome = retry_many(database, tenant_id, members)
    if not outcome.taken:
        raise next(iter(outcome.refused.values()))
    return outcome


def _find(connection: Connection, tenant_id: str, job_id: str) -> Job:
    row = connection.execute(
        select(*JOB_COLUMNS).where(jobs.id == job_id, jobs.tenant_id == tenant_id)
    ).one_or_none()
    if row is None:
        raise TaskNotFound(f"There is no task {job_id[:80]!r}: GET /tasks lists what there is.")
    return job_of(row)


def _retry(connection: Connection, tenant_id: str, job_id: str) -> tuple[Job, Task | None]:
    """The job, pending again; and the task that it is where it is over at once."""
    job = _find(connection, tenant_id, job_id)
    if job.kind not in RETRIED_KINDS or job.status is not TaskStatus.FAILED:
        raise Conflict(
            f"This task is {job.status.value}: only failed ingestions, re-indexings, deletions and "
            "questions can be retried."
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
    if job.version_id is None:
        raise Conflict("This file was refused when it was submitted: send it again.")
    newer = VERSIONS.alias()
    replaced = select(newer.c.id).where(
        newer.c.document_id == versions.document_id,
        newer.c.number > versions.number,
        newer.c.state.in_((PENDING, LIVE)),
    )
    alive = select(documents.id).where(
        documents.id == versions.document_id, documents.deleted_at.is_(None)
    )
    revived = connection.execute(
        update(VERSIONS)
        .where(
            versions.id == job.version_id,
            versions.state.in_((FAILED, LIVE)),
            ~replaced.exists(),
            alive.exists(),
        )
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
