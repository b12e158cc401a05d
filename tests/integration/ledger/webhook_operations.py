"""What tests of webhooks do with them and with their deliveries."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update

from flotilla.ledger import deliveries, webhooks
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, now
from flotilla.ledger.deliveries import Claimed
from flotilla.ledger.tables import JOBS, WEBHOOK_DELIVERIES
from flotilla.schemas import Delivery, WebhookCreated
from tests.integration.ledger.operations import add, new_job

URL = "https://receiver.example/hook"
LEASE = timedelta(seconds=40)
MINUTE = timedelta(minutes=1)


def register(ledger: Database, url: str = URL, events: list[str] | None = None) -> WebhookCreated:
    with ledger.writing() as connection:
        return webhooks.create(connection, DEFAULT_TENANT, url, events, None)


def end(ledger: Database, kind: str = "ingest", status: str = "completed", **values: Any) -> str:
    """Write a job that has ended, as the statement that ends it leaves it, and note it."""
    payload: dict[str, Any] = values.pop("payload", {})
    [job_id] = add(ledger, new_job(kind=kind, payload=payload))
    with ledger.writing() as connection:
        connection.execute(
            update(JOBS)
            .where(JOBS.c.id == job_id)
            .values(status=status, finished_at=now(), **values)
        )
        webhooks.note_end(
            connection,
            tenant_id=DEFAULT_TENANT,
            job_id=job_id,
            kind=kind,
            status=status,
            payload=payload,
        )
    return job_id


def of_job(ledger: Database, job_id: str) -> list[Delivery]:
    with ledger.reading() as connection:
        return deliveries.listing(connection, DEFAULT_TENANT, job_id=job_id, before=None, limit=99)


def shown(ledger: Database, delivery_id: str) -> Delivery:
    with ledger.reading() as connection:
        return deliveries.view(connection, DEFAULT_TENANT, delivery_id)


def claim(ledger: Database, url: str = URL) -> Claimed | None:
    with ledger.writing() as connection:
        return deliveries.claim(connection, webhooks.receiver_of(url), "sender", LEASE)


def claimed(ledger: Database, url: str = URL) -> Claimed:
    got = claim(ledger, url)
    assert got is not None
    return got


def fail(ledger: Database, sent: Claimed, delay: timedelta | None) -> bool:
    with ledger.writing() as connection:
        return deliveries.record_failure(
            connection, sent, status=500, message="500.", seconds=0.1, delay=delay
        )


def succeed(ledger: Database, sent: Claimed) -> bool:
    with ledger.writing() as connection:
        return deliveries.record_success(connection, sent, status=204, message="204.", seconds=0.25)


def set_back(ledger: Database, delivery_id: str, **columns: datetime) -> None:
    with ledger.writing() as connection:
        connection.execute(
            update(WEBHOOK_DELIVERIES).where(WEBHOOK_DELIVERIES.c.id == delivery_id).values(columns)
        )


def let_lease_run_out(ledger: Database, delivery_id: str) -> None:
    past = now() - timedelta(seconds=1)
    set_back(ledger, delivery_id, lease_until=past, due_at=past)
