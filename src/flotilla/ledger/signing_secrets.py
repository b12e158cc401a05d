"""What the deliveries to a tenant's callback URLs are signed with."""

import secrets
from datetime import timedelta

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from flotilla.ledger.database import now
from flotilla.ledger.tables import SIGNING_SECRETS
from flotilla.schemas import SigningSecret

rows = SIGNING_SECRETS.c

# A receiver has this long to take the new secret up: meanwhile both sign.
OVERLAP = timedelta(hours=24)


def new_secret() -> str:
    """A secret of 256 bits."""
    return f"whsec_{secrets.token_urlsafe(32)}"


def view(connection: Connection, tenant_id: str) -> SigningSecret:
    """The tenant's secret; it is made when it is first asked for."""
    query = select(*SIGNING_SECRETS.c).where(rows.tenant_id == tenant_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        try:
            with connection.begin_nested():
                connection.execute(
                    insert(SIGNING_SECRETS).values(
                        tenant_id=tenant_id, secret=new_secret(), created_at=now()
                    )
                )
        except IntegrityError:  # somebody else was quicker, and theirs counts
            pass
        row = connection.execute(query).one()
    overlapping = row.previous_until is not None and row.previous_until > now()
    return SigningSecret(
        source="ledger",
        secret=row.secret,
        created_at=row.created_at,
        previous_until=row.previous_until if overlapping else None,
    )


def rotate(connection: Connection, tenant_id: str) -> SigningSecret:
    """Make a new secret; for OVERLAP the one before signs as well."""
    view(connection, tenant_id)
    moment = now()
    connection.execute(
        update(SIGNING_SECRETS)
        .where(rows.tenant_id == tenant_id)
        .values(
            previous=rows.secret,
            previous_until=moment + OVERLAP,
            secret=new_secret(),
            created_at=moment,
        )
    )
    return view(connection, tenant_id)


def signing(connection: Connection, tenant_id: str) -> tuple[str, ...]:
    """The secrets that sign now, the newest first."""
    newest = view(connection, tenant_id).secret
    assert newest is not None  # noqa: S101 - the ledger's always has its text
    before = connection.scalar(
        select(rows.previous).where(rows.tenant_id == tenant_id, rows.previous_until > now())
    )
    return (newest,) if before is None else (newest, before)
