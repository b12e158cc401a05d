"""Webhooks, what is on its way to them, and what it is signed with."""

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
    those of the present one, which began at `started_at`. `due_at` is when somebody may send it:
    while it is being sent, when the lease runs out.

    Indexed is a hash of the address, since PostgreSQL takes no more than 2,704 bytes into an index:
    what does not fit would take the end of the job that it tells of back.
    """

    __tablename__ = "webhook_deliveries"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    webhook_id: Mapped[str | None] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    url: Mapped[str] = mapped_column(Text)
    receiver: Mapped[str] = mapped_column(String(64))
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
            "receiver",
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
