"""Jobs, their steps, and the attempts that failed."""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    JSON,
    ForeignKey,
    Index,
    String,
    Text,
    text,
)
from sqlalchemy import Table as SQLTable
from sqlalchemy.orm import Mapped, mapped_column

from flotilla.ledger.tables.base import Id, Name, Table

HELD = "finished_at IS NULL AND sent_at IS NULL"
SENT = "finished_at IS NULL AND sent_at IS NOT NULL"
UNCLEANED = "finished_at IS NOT NULL AND cleaned_at IS NULL"


class JobRow(Table):
    """One submitted unit of work. A job's id is the task id of the API."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    parent_id: Mapped[str | None] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(16))
    queue: Mapped[str] = mapped_column(String(32))
    stage: Mapped[str] = mapped_column(String(64))
    attempt: Mapped[int]
    fence: Mapped[int]
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    result: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    notes: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))
    document_id: Mapped[str | None] = mapped_column(Id)
    version_id: Mapped[str | None] = mapped_column(Id)
    collection_id: Mapped[str | None] = mapped_column(Id)
    collection: Mapped[str | None] = mapped_column(Name)
    conversation_id: Mapped[str | None] = mapped_column(Id)
    progress_done: Mapped[int | None]
    progress_total: Mapped[int | None]
    progress_unit: Mapped[str | None] = mapped_column(String(16))
    progress_since: Mapped[datetime | None]
    error_stage: Mapped[str | None] = mapped_column(String(64))
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_message: Mapped[str | None] = mapped_column(Text)
    error_retryable: Mapped[bool | None]
    error_retry_after: Mapped[float | None]
    lease_owner: Mapped[str | None] = mapped_column(Name)
    lease_until: Mapped[datetime | None]
    losses: Mapped[int] = mapped_column(server_default="0")
    sent_at: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    cleaned_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_jobs_tenant", "tenant_id", "id"),
        Index("ix_jobs_document", "document_id"),
        # Only work that is not over is ever looked for by its state: the index stays small.
        Index(
            "ix_jobs_open",
            "status",
            "queue",
            "id",
            sqlite_where=text("finished_at IS NULL"),
            postgresql_where=text("finished_at IS NULL"),
        ),
        # What waits for its turn, tenant by tenant.
        Index(
            "ix_jobs_held",
            "tenant_id",
            "id",
            sqlite_where=text(HELD),
            postgresql_where=text(HELD),
        ),
        # What the fleets have on their hands: few, however many wait for their turn.
        Index(
            "ix_jobs_sent",
            "kind",
            "status",
            "tenant_id",
            sqlite_where=text(SENT),
            postgresql_where=text(SENT),
        ),
        Index(
            "ix_jobs_uncleaned",
            "id",
            sqlite_where=text(UNCLEANED),
            postgresql_where=text(UNCLEANED),
        ),
        # A batch's members in their order; the one below has them by their state.
        Index(
            "ix_jobs_members",
            "parent_id",
            "id",
            sqlite_where=text("parent_id IS NOT NULL"),
            postgresql_where=text("parent_id IS NOT NULL"),
        ),
        # Each stage asks for the job of its version.
        Index(
            "ix_jobs_version",
            "version_id",
            sqlite_where=text("version_id IS NOT NULL"),
            postgresql_where=text("version_id IS NOT NULL"),
        ),
        # Those of a conversation that is deleted go with it.
        Index(
            "ix_jobs_conversation",
            "conversation_id",
            sqlite_where=text("conversation_id IS NOT NULL"),
            postgresql_where=text("conversation_id IS NOT NULL"),
        ),
        Index(
            "ix_jobs_migrations",
            "id",
            sqlite_where=text("kind = 'migration'"),
            postgresql_where=text("kind = 'migration'"),
        ),
        # The dead letters.
        Index(
            "ix_jobs_failed",
            "tenant_id",
            "id",
            sqlite_where=text("status = 'failed'"),
            postgresql_where=text("status = 'failed'"),
        ),
        Index(
            "ix_jobs_parent",
            "parent_id",
            "status",
            sqlite_where=text("parent_id IS NOT NULL"),
            postgresql_where=text("parent_id IS NOT NULL"),
        ),
    )


class StepRow(Table):
    """One message's share of a job's stage: a page range, a batch of chunks, or all of it.

    A stage of several parts is worked on by several workers at once, so the lease and the counts
    of attempts stand here; the job shows the newest. `kills` counts the deaths of a process that
    were the step's own doing, `losses` those that tell nothing of it, `outages` the attempts that
    found a part of the system out of reach. `sent_at` is null while a
    planned part waits for its wave; `due_at` is when a step that failed may be tried again; `args`
    are the message's further arguments.
    """

    __tablename__ = "steps"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    stage: Mapped[str] = mapped_column(String(64), primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int]
    fence: Mapped[int]
    lease_owner: Mapped[str | None] = mapped_column(Name)
    lease_until: Mapped[datetime | None]
    units: Mapped[int]
    kills: Mapped[int] = mapped_column(server_default="0")
    losses: Mapped[int] = mapped_column(server_default="0")
    outages: Mapped[int] = mapped_column(server_default="0")
    args: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    sent_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "ix_steps_open",
            "state",
            "job_id",
            sqlite_where=text("state <> 'done'"),
            postgresql_where=text("state <> 'done'"),
        ),
    )


class FailureRow(Table):
    """One attempt that failed, kept also when a later one succeeded."""

    __tablename__ = "failures"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    stage: Mapped[str] = mapped_column(String(64))
    part: Mapped[int]
    attempt: Mapped[int]
    worker: Mapped[str] = mapped_column(Name)
    code: Mapped[str] = mapped_column(String(64))
    message: Mapped[str] = mapped_column(Text)
    retryable: Mapped[bool]
    retry_after: Mapped[float | None]
    failed_at: Mapped[datetime]

    __table_args__ = (Index("ix_failures_job", "job_id"),)


JOBS = cast("SQLTable", JobRow.__table__)
STEPS = cast("SQLTable", StepRow.__table__)
FAILURES = cast("SQLTable", FailureRow.__table__)
