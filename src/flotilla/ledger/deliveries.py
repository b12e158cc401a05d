"""Deliveries: which are due, who sends one, and what came of each attempt.

A delivery is claimed by one guarded statement, with a lease and a fence: should its sender die,
another takes it over when the lease has run out, and what the first may still have to say is
refused. A receiver may thus get a delivery twice, never none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, or_, select, update

from flotilla.errors import Conflict, DeliveryNotFound
from flotilla.ledger.database import now
from flotilla.ledger.tables import WEBHOOK_DELIVERIES, WEBHOOKS
from flotilla.ledger.webhooks import CLOCK_ERROR
from flotilla.schemas import Delivery, DeliveryAttempt, DeliveryState

rows = WEBHOOK_DELIVERIES.c

KEPT_ATTEMPTS = 100
SENDER_LOST = "The sender was lost before there was an answer: this is sent again."


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this sender may send now. `attempt` counts this one."""

    id: str
    tenant_id: str
    webhook_id: str | None
    secret: str | None
    url: str
    event: str
    task: dict[str, Any] | None
    attempt: int
    fence: int
    created_at: datetime
    give_up_at: datetime
    earlier: Sequence[dict[str, Any]]


def _due(moment: datetime) -> ColumnElement[bool]:
    return and_(rows.finished_at.is_(None), rows.due_at <= moment)


def due_receivers(connection: Connection, limit: int) -> dict[str, int]:
    """Receivers (`webhooks.receiver_of`) that something is due to, the longest waiting first, and
    how much."""
    found = connection.execute(
        select(rows.receiver, func.count())
        .where(_due(now()))
        .group_by(rows.receiver)
        .order_by(func.min(rows.due_at))
        .limit(limit)
    )
    return {row[0]: row[1] for row in found}


def receiver_of(connection: Connection, delivery_id: str) -> str | None:
    """The receiver that an open delivery goes to, or None."""
    return connection.scalar(
        select(rows.receiver).where(rows.id == delivery_id, rows.finished_at.is_(None))
    )


def claim(connection: Connection, receiver: str, sender: str, lease: timedelta) -> Claimed | None:
    """Take the delivery that has been due to a receiver for longest; None when there is none.

    Args:
        receiver: one of `due_receivers`.
        sender: who takes it, for whoever looks into the ledger.
        lease: how long nobody else may take it.
    """
    moment = now()
    while True:
        row = connection.execute(
            select(*WEBHOOK_DELIVERIES.c)
            .where(rows.receiver == receiver, _due(moment))
            .order_by(rows.due_at, rows.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).one_or_none()
        if row is None:
            return None
        attempts = list(row.attempts)
        lost = row.state == DeliveryState.SENDING.value
        if lost:
            attempts.append(_attempt(row.attempt, row.started_at, SENDER_LOST))
        values: dict[str, Any] = {"attempts": attempts[-KEPT_ATTEMPTS:], "fence": row.fence + 1}
        if lost and moment >= row.give_up_at:
            _change(connection, row.id, row.fence, values | _ended(DeliveryState.FAILED, moment))
            continue
        values |= {
            "state": DeliveryState.SENDING.value,
            "attempt": row.attempt + 1,
            "started_at": moment,
            "lease_owner": sender,
            "lease_until": moment + lease,
            "due_at": moment + lease,
        }
        if _change(connection, row.id, row.fence, values):
            return _claimed(connection, row, values)


def _claimed(connection: Connection, row: Row[Any], values: dict[str, Any]) -> Claimed:
    secret = select(WEBHOOKS.c.secret).where(WEBHOOKS.c.id == row.webhook_id)
    return Claimed(
        id=row.id,
        tenant_id=row.tenant_id,
        webhook_id=row.webhook_id,
        secret=connection.scalar(secret) if row.webhook_id is not None else None,
        url=row.url,
        event=row.event,
        task=row.task,
        attempt=values["attempt"],
        fence=values["fence"],
        created_at=row.created_at,
        give_up_at=row.give_up_at,
        earlier=values["attempts"],
    )


def _change(connection: Connection, delivery_id: str, fence: int, values: dict[str, Any]) -> bool:
    """Change an open delivery unless somebody else did: False then."""
    changed = connection.execute(
        update(WEBHOOK_DELIVERIES)
        .where(rows.id == delivery_id, rows.fence == fence, rows.finished_at.is_(None))
        .values(values)
    )
    return changed.rowcount == 1


def _ended(state: DeliveryState, moment: datetime) -> dict[str, Any]:
    return {
        "state": state.value,
        "finished_at": moment,
        "lease_owner": None,
        "lease_until": None,
    }


def _attempt(
    number: int,
    started_at: datetime,
    message: str,
    status: int | None = None,
    seconds: float | None = None,
) -> dict[str, Any]:
    return DeliveryAttempt(
        attempt=number,
        started_at=started_at,
        status=status,
        message=message,
        duration_ms=None if seconds is None else round(seconds * 1000, 1),
    ).model_dump(mode="json")


def record_success(
    connection: Connection, sent: Claimed, *, status: int, message: str, seconds: float
) -> bool:
    """The receiver has it. False when somebody else has taken the delivery over."""
    moment = now()
    made = _attempt(sent.attempt, moment - timedelta(seconds=seconds), message, status, seconds)
    values = {"attempts": [*sent.earlier, made][-KEPT_ATTEMPTS:]}
    return _change(
        connection, sent.id, sent.fence, values | _ended(DeliveryState.SUCCEEDED, moment)
    )


def record_failure(
    connection: Connection,
    sent: Claimed,
    *,
    status: int | None,
    message: str,
    seconds: float,
    delay: timedelta | None,
) -> bool:
    """The attempt failed: another follows after `delay`, unless it is None or too long, or the
    webhook was disabled meanwhile.

    False when somebody else has taken the delivery over.
    """
    moment = now()
    made = _attempt(sent.attempt, moment - timedelta(seconds=seconds), message, status, seconds)
    values: dict[str, Any] = {"attempts": [*sent.earlier, made][-KEPT_ATTEMPTS:]}
    due_at = None if delay is None else moment + delay
    if due_at is None or due_at >= sent.give_up_at or _is_disabled(connection, sent.webhook_id):
        values |= _ended(DeliveryState.FAILED, moment)
    else:
        values |= {
            "state": DeliveryState.PENDING.value,
            "due_at": due_at,
            "lease_owner": None,
            "lease_until": None,
        }
    return _change(connection, sent.id, sent.fence, values)


def _is_disabled(connection: Connection, webhook_id: str | None) -> bool:
    # Locked, on PostgreSQL: whoever disables it at this moment gives up what is pending, and this
    # delivery has to be so before, or to see that the webhook is disabled.
    found = select(WEBHOOKS.c.disabled_at).where(WEBHOOKS.c.id == webhook_id)
    return connection.scalar(found.with_for_update(key_share=True)) is not None


def redeliver(
    connection: Connection, tenant_id: str, delivery_id: str, patience: float
) -> Delivery:
    """Make a delivery due now, whatever became of it, and try it for `patience` seconds.

    Raises:
        DeliveryNotFound: the tenant has no such delivery.
        Conflict: it is being sent.
    """
    shown = view(connection, tenant_id, delivery_id)
    moment = now()
    changed = connection.execute(
        update(WEBHOOK_DELIVERIES)
        .where(
            rows.id == delivery_id,
            or_(rows.state != DeliveryState.SENDING.value, rows.lease_until <= moment),
        )
        .values(
            state=DeliveryState.PENDING.value,
            due_at=moment - CLOCK_ERROR,
            give_up_at=moment + timedelta(seconds=patience),
            fence=rows.fence + 1,
            lease_owner=None,
            lease_until=None,
            finished_at=None,
        )
    )
    if changed.rowcount == 0:
        raise Conflict(f"The delivery {shown.delivery_id} is being sent just now: look again soon.")
    return view(connection, tenant_id, delivery_id)


def view(connection: Connection, tenant_id: str, delivery_id: str) -> Delivery:
    """Raises DeliveryNotFound."""
    row = connection.execute(
        select(*WEBHOOK_DELIVERIES.c).where(rows.id == delivery_id, rows.tenant_id == tenant_id)
    ).one_or_none()
    if row is None:
        raise DeliveryNotFound(
            f"There is no delivery {delivery_id[:80]!r}: GET /webhooks/{{webhook_id}}/deliveries "
            "and GET /tasks/{task_id}/deliveries list what there is."
        )
    return _delivery(row)


def listing(
    connection: Connection,
    tenant_id: str,
    *,
    webhook_id: str | None = None,
    job_id: str | None = None,
    before: str | None,
    limit: int,
) -> list[Delivery]:
    """A webhook's or a job's deliveries, newest first; `before` is the last id before."""
    query = select(*WEBHOOK_DELIVERIES.c).where(rows.tenant_id == tenant_id)
    if webhook_id is not None:
        query = query.where(rows.webhook_id == webhook_id)
    if job_id is not None:
        query = query.where(rows.job_id == job_id)
    if before is not None:
        query = query.where(rows.id < before)
    return [
        _delivery(row) for row in connection.execute(query.order_by(rows.id.desc()).limit(limit))
    ]


def purge(connection: Connection, older_than: timedelta, limit: int = 1000) -> int:
    """Forget ended pings, which belong to no job that they could go with; returns how many."""
    old = (
        select(rows.id)
        .where(rows.job_id.is_(None), rows.finished_at < now() - older_than)
        .limit(limit)
    )
    return connection.execute(delete(WEBHOOK_DELIVERIES).where(rows.id.in_(old))).rowcount


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        delivery_id=row.id,
        webhook_id=row.webhook_id,
        task_id=row.job_id,
        url=row.url,
        event=row.event,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        created_at=row.created_at,
        next_attempt_at=row.due_at if row.state == DeliveryState.PENDING.value else None,
        finished_at=row.finished_at,
    )
