"""Tenants, collections, documents and their versions."""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    String,
    Text,
    text,
)
from sqlalchemy import Table as SQLTable
from sqlalchemy.orm import Mapped, mapped_column

from flotilla.ledger.tables.base import Id, Name, Table


class TenantRow(Table):
    """Who owns documents."""

    __tablename__ = "tenants"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(Name, unique=True)
    created_at: Mapped[datetime]


class CollectionRow(Table):
    """A named set of a tenant's documents.

    `generation` counts the changes of what it answers with (`ledger.generations`). `terms` are
    those of the `measured_chunks` that were published in it, as BM25 counts them.
    """

    __tablename__ = "collections"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str] = mapped_column(Name)
    description: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    generation: Mapped[int] = mapped_column(BigInteger, server_default="0")
    terms: Mapped[int] = mapped_column(BigInteger, server_default="0")
    measured_chunks: Mapped[int] = mapped_column(BigInteger, server_default="0")

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
        # Before a job is forgotten it is asked whether a document shows it.
        Index("ix_documents_job", "job_id"),
    )


class VersionRow(Table):
    """One ingested state of a document; exactly one version of it is live.

    `terms` are those of the `measured_chunks` that were indexed, some of them twice maybe.
    """

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
    title: Mapped[str | None] = mapped_column(Text)
    pages: Mapped[int | None]
    converter: Mapped[str | None] = mapped_column(Name)
    chunks: Mapped[int | None]
    terms: Mapped[int] = mapped_column(BigInteger, server_default="0")
    measured_chunks: Mapped[int] = mapped_column(BigInteger, server_default="0")
    embedding_model: Mapped[str | None] = mapped_column(Name)
    created_at: Mapped[datetime]
    published_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_versions_number", "document_id", "number", unique=True),
        Index("ix_versions_sha256", "sha256"),
    )


# The same tables for statements, which are all written without the ORM's sessions.
TENANTS = cast("SQLTable", TenantRow.__table__)
COLLECTIONS = cast("SQLTable", CollectionRow.__table__)
DOCUMENTS = cast("SQLTable", DocumentRow.__table__)
VERSIONS = cast("SQLTable", VersionRow.__table__)
