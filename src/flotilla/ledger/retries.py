"""Sending failed jobs again: each goes on at the stage where it failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from flotilla.errors import Conflict, FlotillaError, TaskNotFound
from flotilla.ledger import steps
from flotilla.ledger.database import now
from flotilla.ledger.jobs import JOB_COLUMNS, Job, job_of
from flotilla.ledger.tables import DOCUMENTS, JOBS, VERSIONS
from flotilla.ledger.versions import FAILED, LIVE, PENDING
from flotilla.schemas import DocumentStatus, TaskStatus

jobs = JOBS.c
documents = DOCUMENTS.c
versions = VERSIONS.c

# A smoke test shows what a failure looks like, and a batch has no work but its members'.
RETRIED_KINDS = ("ingest", "reindex", "delete", "query", "search")
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


def failed(connection: Connection, tenant_id: str, wanted: Filter, limit: int) -> list[str]:
    """Ids of the tenant's failed jobs that the filter names and that can be retried, oldest
    first."""
    given = {
        jobs.kind: wanted.kind,
        jobs.error_stage: wanted.stage,
        jobs.error_code: wanted.code,
        jobs.collection: wanted.collection,
        jobs.parent_id: wanted.parent_id,
    }
    conditions = [column == value for column, value in given.items() if value is not None]
    if wanted.created_after is not None:
        conditions.append(jobs.created_at > wanted.created_after)
    query = select(jobs.id).where(
        jobs.tenant_id == tenant_id,
        jobs.status == TaskStatus.FAILED.value,
        jobs.kind.in_(RETRIED_KINDS),
        *conditions,
    )
    return list(connection.scalars(query.order_by(jobs.id).limit(limit)))


def retry(connection: Connection, tenant_id: str, job_id: str) -> list[Job]:
    """Make a failed job, or a batch's failed members, pending again.

    Returns the jobs whose message has to be sent now; the others wait for admission.

    Raises:
        TaskNotFound: the tenant has no such job.
        Conflict: it did not fail, or its place has been taken meanwhile.
    """
    row = connection.execute(
        select(*JOB_COLUMNS).where(jobs.id == job_id, jobs.tenant_id == tenant_id)
    ).one_or_none()
    if row is None:
        raise TaskNotFound(f"There is no task {job_id[:80]!r}: GET /tasks lists what there is.")
    job = job_of(row)
    if job.kind == "batch":
        return _retry_members(connection, tenant_id, job)
    if job.kind not in RETRIED_KINDS or job.status is not TaskStatus.FAILED:
        raise Conflict(
            f"This task is {job.status.value}: only failed ingestions, deletions and questions "
            "can be retried."
        )
    if job.kind == "ingest":
        _revive_version(connection, job)
    moment = now()
    admitted = job.kind in AWAITING_ADMISSION
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
            finished_at=None,
            cleaned_at=None,
            sent_at=None if admitted else moment,
        )
    )
    if changed.rowcount == 0:
        raise Conflict("This task is being retried already: look at it again.")
    steps.start_over(connection, job_id)
    if job.parent_id is not None:
        _reopen(connection, job.parent_id)
    return [] if admitted else [job]


def _retry_members(connection: Connection, tenant_id: str, batch: Job) -> list[Job]:
    members = failed(connection, tenant_id, Filter(parent_id=batch.id), limit=100_000)
    if not members:
        raise Conflict("No document of this batch has failed: there is nothing to retry.")
    to_send: list[Job] = []
    refused: FlotillaError | None = None
    for member in members:
        try:
            with connection.begin_nested():
                to_send += retry(connection, tenant_id, member)
        except FlotillaError as error:
            refused = error
            members = [each for each in members if each != member]
    if refused is not None and not members:
        raise refused
    return to_send


def _revive_version(connection: Connection, job: Job) -> None:
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
            versions.state == FAILED,
            ~replaced.exists(),
            alive.exists(),
        )
        .values(state=PENDING)
    )
    if revived.rowcount == 0:
        raise Conflict(
            "The document was deleted, or newer bytes were submitted for it since: send the "
            "document again if this is the version that you want."
        )
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


def _reopen(connection: Connection, batch_id: str) -> None:
    """A batch of which a member is tried again is not over."""
    connection.execute(
        update(JOBS)
        .where(jobs.id == batch_id, jobs.finished_at.is_not(None))
        .values(
            status=TaskStatus.PROCESSING.value,
            result=None,
            error_stage=None,
            error_code=None,
            error_message=None,
            error_retryable=None,
            finished_at=None,
            cleaned_at=None,
        )
    )


def retry_many(
    connection: Connection, tenant_id: str, job_ids: Sequence[str]
) -> tuple[list[str], list[Job], dict[str, FlotillaError]]:
    """Retry each of these jobs.

    Returns the ids of those that were taken, the jobs whose message has to be sent now, and why
    the others were not taken.
    """
    taken: list[str] = []
    to_send: list[Job] = []
    refused: dict[str, FlotillaError] = {}
    for job_id in job_ids:
        try:
            with connection.begin_nested():
                to_send += retry(connection, tenant_id, job_id)
        except FlotillaError as error:
            refused[job_id] = error
        else:
            taken.append(job_id)
    return taken, to_send, refused
