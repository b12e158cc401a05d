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
    error_stage: Mapped[str | None] = mapped_column(String(64))
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_message: Mapped[str | None] = mapped_column(Text)
    error_retryable: Mapped[bool | None]
    lease_owner: Mapped[str | None] = mapped_column(Name)
    lease_until: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

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
    )


class StepRow(Table):
    """One message's share of a job's stage: a page range, a batch of chunks, or all of it.

    A stage of several parts is worked on by several workers at once, so the lease and the count
    of attempts stand here; the job shows the newest.
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
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


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
