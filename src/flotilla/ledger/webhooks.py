"""Webhooks: who is told of a tenant's ended jobs, and noting what is to be told.

What is to be told is written with the job's end, in one transaction: neither is there without the
other, and no crash between the two loses or invents a call.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from flotilla.errors import Conflict, WebhookNotFound
from flotilla.ledger.database import new_id, now
from flotilla.ledger.job_views import task_of
from flotilla.ledger.signing_secrets import new_secret
from flotilla.ledger.tables import JOBS, WEBHOOK_DELIVERIES, WEBHOOKS
from flotilla.schemas import DeliveryState, Webhook, WebhookCreated
from flotilla.settings import get_settings

webhooks = WEBHOOKS.c
deliveries = WEBHOOK_DELIVERIES.c

MOST_WEBHOOKS = 20  # of one tenant
LONGEST_RESULT = 64 * 1024  # characters of a result's JSON that is sent along

# Two processes' views of the shared time differ by up to half of what asking for it took: what is
# due at once has to be so for whoever is woken now.
CLOCK_ERROR = timedelta(seconds=1)

# Somebody waits for these, or looks for their answer, or nobody has asked for them at all: they are
# told to their own callback URL alone.
UNTOLD_KINDS = ("query", "search", "questions", "demo", "sweep")
# What these find is text of documents, which leaves Flotilla only by its API.
KINDS_OF_TEXT = ("query", "search", "questions")


def create(
    connection: Connection,
    tenant_id: str,
    url: str,
    events: Sequence[str] | None,
    secret: str | None,
) -> WebhookCreated:
    """Raises Conflict when the tenant has as many as it may have."""
    present = select(func.count()).select_from(WEBHOOKS).where(webhooks.tenant_id == tenant_id)
    if (connection.scalar(present) or 0) >= MOST_WEBHOOKS:
        raise Conflict(f"There are {MOST_WEBHOOKS} webhooks, which is the most: delete one first.")
    values = {
        "id": new_id(),
        "tenant_id": tenant_id,
        "url": url,
        "events": None if events is None else list(dict.fromkeys(map(str, events))),
        "secret": secret or new_secret(),
        "created_at": now(),
    }
    row = connection.execute(insert(WEBHOOKS).values(values).returning(*WEBHOOKS.c)).one()
    return WebhookCreated(**_webhook(row).model_dump(), secret=row.secret)


def listing(
    connection: Connection, tenant_id: str, *, before: str | None, limit: int
) -> list[Webhook]:
    """The tenant's webhooks, newest first; `before` is the last id of the part before."""
    query = select(*WEBHOOKS.c).where(webhooks.tenant_id == tenant_id)
    if before is not None:
        query = query.where(webhooks.id < before)
    return [
        _webhook(row) for row in connection.execute(query.order_by(webhooks.id.desc()).limit(limit))
    ]


def view(connection: Connection, tenant_id: str, webhook_id: str) -> Webhook:
    """Raises WebhookNotFound."""
    row = connection.execute(
        select(*WEBHOOKS.c).where(webhooks.id == webhook_id, webhooks.tenant_id == tenant_id)
    ).one_or_none()
    if row is None:
        raise _missing(webhook_id)
    return _webhook(row)


def remove(connection: Connection, tenant_id: str, webhook_id: str) -> Webhook:
    """Delete a webhook, and its deliveries with it; returns what it was.

    Raises:
        WebhookNotFound: the tenant has none of this id.
    """
    row = connection.execute(
        delete(WEBHOOKS)
        .where(webhooks.id == webhook_id, webhooks.tenant_id == tenant_id)
        .returning(*WEBHOOKS.c)
    ).one_or_none()
    if row is None:
        raise _missing(webhook_id)
    return _webhook(row)


def disable(connection: Connection, webhook_id: str, reason: str) -> None:
    """Send nothing to a webhook any more, and give up what waits for it."""
    moment = now()
    connection.execute(
        update(WEBHOOKS)
        .where(webhooks.id == webhook_id, webhooks.disabled_at.is_(None))
        .values(disabled_at=moment, disabled_reason=reason)
    )
    connection.execute(
        update(WEBHOOK_DELIVERIES)
        .where(
            deliveries.webhook_id == webhook_id,
            deliveries.state == DeliveryState.PENDING.value,
        )
        .values(state=DeliveryState.FAILED.value, finished_at=moment)
    )


def note_end(
    connection: Connection,
    *,
    tenant_id: str,
    job_id: str,
    kind: str,
    status: str,
    payload: dict[str, Any],
) -> list[str]:
    """Note who has to be told that a job has ended, in the transaction that ends it.

    Costs one look at an index where nobody has to.

    Args:
        tenant_id: whose job it is.
        job_id: the job, whose row says already how it ended.
        kind: the job's; questions and smoke tests are told to their own `callback_url` alone.
        status: the final one.
        payload: the job's; it may hold a `callback_url`.

    Returns:
        Ids of the deliveries, which are due at once. Whoever commits may hand them to
        `pipelines.call_back`; otherwise the reaper finds them.
    """
    event = f"task.{status}"
    receivers: list[tuple[str | None, str]] = []
    if (callback_url := payload.get("callback_url")) is not None:
        receivers.append((None, callback_url))
    if kind not in UNTOLD_KINDS:
        receivers.extend(_told(connection, tenant_id, event))
    if not receivers:
        return []
    task = _snapshot(connection, job_id)
    return [
        note(connection, tenant_id, webhook_id, job_id, url, event, task)
        for webhook_id, url in receivers
    ]


def _told(connection: Connection, tenant_id: str, event: str) -> list[tuple[str | None, str]]:
    # Locked, on PostgreSQL, so that a webhook that is deleted at this moment does not make the
    # job's end fail by its foreign key, and one that is disabled gets nothing more to be sent.
    rows = connection.execute(
        select(webhooks.id, webhooks.url, webhooks.events)
        .where(webhooks.tenant_id == tenant_id, webhooks.disabled_at.is_(None))
        .with_for_update(read=True)
    )
    return [(row.id, row.url) for row in rows if row.events is None or event in row.events]


def _snapshot(connection: Connection, job_id: str) -> dict[str, Any]:
    """The task as the API shows it now, without text of documents."""
    row = connection.execute(select(*JOBS.c).where(JOBS.c.id == job_id)).one()
    task = task_of(row)
    if task.kind in KINDS_OF_TEXT or len(task.model_dump_json(include={"result"})) > LONGEST_RESULT:
        task = task.model_copy(update={"result": None})
    return task.model_dump(mode="json")


def note(
    connection: Connection,
    tenant_id: str,
    webhook_id: str | None,
    job_id: str | None,
    url: str,
    event: str,
    task: dict[str, Any] | None,
    patience: float | None = None,
) -> str:
    """Write a delivery that is due at once; returns its id.

    Args:
        patience: seconds for which it is tried, those of the settings when None.
    """
    moment = now()
    if patience is None:
        patience = get_settings().webhook.give_up_after
    delivery_id = new_id()
    connection.execute(
        insert(WEBHOOK_DELIVERIES).values(
            id=delivery_id,
            tenant_id=tenant_id,
            webhook_id=webhook_id,
            job_id=job_id,
            url=url,
            receiver=receiver_of(url),
            event=event,
            task=task,
            state=DeliveryState.PENDING.value,
            attempt=0,
            attempts=[],
            fence=0,
            created_at=moment,
            due_at=moment - CLOCK_ERROR,
            give_up_at=moment + timedelta(seconds=patience),
        )
    )
    return delivery_id


def receiver_of(url: str) -> str:
    """By what deliveries to one server are found: SHA-256, in hexadecimal digits, of what is before
    the path. A server that hangs does so at all of its addresses, of which each task may have one
    of its own."""
    scheme, _, rest = url.partition("://")
    host = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    return hashlib.sha256(f"{scheme}://{host}".lower().encode()).hexdigest()


def _webhook(row: Row[Any]) -> Webhook:
    return Webhook(
        webhook_id=row.id,
        url=row.url,
        events=row.events,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
        disabled_reason=row.disabled_reason,
    )


def _missing(webhook_id: str) -> WebhookNotFound:
    return WebhookNotFound(
        f"There is no webhook {webhook_id[:80]!r}: GET /webhooks lists what there is."
    )
