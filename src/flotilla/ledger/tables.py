"""The ledger's tables.

Times are UTC. Ids are UUID7, so that their order is the order of creation and a cursor is an id.
"""

from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    String,
    Text,
    text,
)
from sqlalchemy import Table as SQLTable
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class UTCDateTime(TypeDecorator[datetime]):
    """A point in time: aware in Python, naive UTC in the database, alike on every database."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC).replace(tzinfo=None) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None else None


class Table(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own way to declare it
        datetime: UTCDateTime,
        dict[str, Any]: JSON,
    }


Id = String(36)
Name = String(255)

HELD = "finished_at IS NULL AND sent_at IS NULL"
SENT = "finished_at IS NULL AND sent_at IS NOT NULL"
UNCLEANED = "finished_at IS NOT NULL AND cleaned_at IS NULL"


class TenantRow(Table):
    """Who owns documents."""

    __tablename__ = "tenants"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(Name, unique=True)
    created_at: Mapped[datetime]


class CollectionRow(Table):
    """A named set of a tenant's documents."""

    __tablename__ = "collections"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str] = mapped_column(Name)
    description: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]

    __table_args__ = (
        # A name is free again as soon as its collection is deleted.
        Index(
            "uq_collections_name",
            "tenant_id",
            "name",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )


class DocumentRow(Table):
    """A source under a stable id. `source` tells whether two submissions are the same one."""

    __tablename__ = "documents"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    collection_id: Mapped[str] = mapped_column(ForeignKey("collections.id"))
    source: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Name)
    source_url: Mapped[str | None] = mapped_column(Text)
    attributes: Mapped[dict[str, Any]] = mapped_column("metadata", JSON)
    status: Mapped[str] = mapped_column(String(16))
    live_version_id: Mapped[str | None] = mapped_column(Id)
    job_id: Mapped[str | None] = mapped_column(Id)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "uq_documents_source",
            "collection_id",
            "source",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("ix_documents_tenant", "tenant_id", "id"),
        Index("ix_documents_collection", "collection_id", "id"),
    )


class VersionRow(Table):
    """One ingested state of a document; exactly one version of it is live."""

    __tablename__ = "versions"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    document_id: Mapped[str] = mapped_column(ForeignKey("documents.id"))
    number: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    blob: Mapped[str | None] = mapped_column(Text)
    sha256: Mapped[str | None] = mapped_column(String(64))
    size: Mapped[int | None] = mapped_column(BigInteger)
    content_type: Mapped[str | None] = mapped_column(Name)
    pages: Mapped[int | None]
    chunks: Mapped[int | None]
    embedding_model: Mapped[str | None] = mapped_column(Name)
    created_at: Mapped[datetime]
    published_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_versions_number", "document_id", "number", unique=True),
        Index("ix_versions_sha256", "sha256"),
    )


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
    document_id: Mapped[str | None] = mapped_column(Id)
    version_id: Mapped[str | None] = mapped_column(Id)
    collection_id: Mapped[str | None] = mapped_column(Id)
    collection: Mapped[str | None] = mapped_column(Name)
    progress_done: Mapped[int | None]
    progress_total: Mapped[int | None]
    progress_unit: Mapped[str | None] = mapped_column(String(16))
    progress_since: Mapped[datetime | None]
    error_stage: Mapped[str | None] = mapped_column(String(64))
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_message: Mapped[str | None] = mapped_column(Text)
    error_retryable: Mapped[bool | None]
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
    failed_at: Mapped[datetime]

    __table_args__ = (Index("ix_failures_job", "job_id"),)


# The same tables for statements, which are all written without the ORM's sessions.
TENANTS = cast("SQLTable", TenantRow.__table__)
COLLECTIONS = cast("SQLTable", CollectionRow.__table__)
DOCUMENTS = cast("SQLTable", DocumentRow.__table__)
VERSIONS = cast("SQLTable", VersionRow.__table__)
JOBS = cast("SQLTable", JobRow.__table__)
STEPS = cast("SQLTable", StepRow.__table__)
FAILURES = cast("SQLTable", FailureRow.__table__)


# --- webhooks ------------------------------------------------------------------------------

UNDELIVERED = "finished_at IS NULL"


class WebhookRow(Table):
    """An address that a tenant's ended jobs are told to. `events` is null for all of them."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    url: Mapped[str] = mapped_column(Text)
    events: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    secret: Mapped[str] = mapped_column(Name)
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (Index("ix_webhooks_tenant", "tenant_id", "id"),)


class WebhookDeliveryRow(Table):
    """One event on its way to one address, written with the end of the job that it tells.

    `webhook_id` is null for a submission's own `callback_url`, and `job_id` for a ping. `task` is
    the job as it was then. `attempts` is what came of each attempt; the lease and the fence are
    those of the present one, which began at `started_at`.
    """

    __tablename__ = "webhook_deliveries"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    webhook_id: Mapped[str | None] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    url: Mapped[str] = mapped_column(Text)
    event: Mapped[str] = mapped_column(String(32))
    task: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    state: Mapped[str] = mapped_column(String(16))
    attempt: Mapped[int]
    attempts: Mapped[list[Any]] = mapped_column(JSON)
    fence: Mapped[int]
    lease_owner: Mapped[str | None] = mapped_column(Name)
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    give_up_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_webhook_deliveries_webhook", "webhook_id", "id"),
        Index("ix_webhook_deliveries_job", "job_id", "id"),
        Index(
            "ix_webhook_deliveries_open",
            "url",
            "due_at",
            sqlite_where=text(UNDELIVERED),
            postgresql_where=text(UNDELIVERED),
        ),
    )


class SigningSecretRow(Table):
    """What a tenant's callbacks are signed with; the one before counts until `previous_until`."""

    __tablename__ = "signing_secrets"

    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    secret: Mapped[str] = mapped_column(Name)
    created_at: Mapped[datetime]
    previous: Mapped[str | None] = mapped_column(Name)
    previous_until: Mapped[datetime | None]


WEBHOOKS = cast("SQLTable", WebhookRow.__table__)
WEBHOOK_DELIVERIES = cast("SQLTable", WebhookDeliveryRow.__table__)
SIGNING_SECRETS = cast("SQLTable", SigningSecretRow.__table__)


# --- vector spaces -------------------------------------------------------------------------


class SpaceRow(Table):
    """An embedding model and the Qdrant collection of its vectors; exactly one space answers.

    `dimensions` is null until a worker has looked at the model. `switched_at` is when the space
    last began or ceased to be the one that answers.
    """

    __tablename__ = "spaces"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    model: Mapped[str] = mapped_column(Name)
    collection: Mapped[str] = mapped_column(Name, unique=True)
    dimensions: Mapped[int | None]
    state: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    switched_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "uq_spaces_active",
            "state",
            unique=True,
            sqlite_where=text("state = 'active'"),
            postgresql_where=text("state = 'active'"),
        ),
        # A model has one space at a time.
        Index(
            "uq_spaces_model",
            "model",
            unique=True,
            sqlite_where=text("state <> 'dropped'"),
            postgresql_where=text("state <> 'dropped'"),
        ),
    )


SPACES = cast("SQLTable", SpaceRow.__table__)
