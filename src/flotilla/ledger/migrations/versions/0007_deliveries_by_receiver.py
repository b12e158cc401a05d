"""Deliveries found by their receiver, a hash of what is before the path of their address, which
fits into an index however long that is, and by one moment, whether they wait or are being sent.

Revision ID: 0007
Revises: 0006
"""

import hashlib
import re

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLE = "webhook_deliveries"
UNDELIVERED = sa.text("finished_at IS NULL")
PART = 1000  # rows that are read and written at once


def upgrade() -> None:
    _drop_index()
    # SQLite adds no column that may not be null without one.
    op.add_column(TABLE, sa.Column("receiver", sa.String(64), server_default="", nullable=False))
    _fill()
    if op.get_bind().dialect.name != "sqlite":
        # Who does not know of the column is to fail, and be tried again, and not to write what
        # nobody finds.
        op.alter_column(TABLE, "receiver", server_default=None)
    # Whoever sends one has it until its lease runs out, which is from now on told by `due_at`.
    op.execute(
        f"UPDATE {TABLE} SET due_at = lease_until "  # noqa: S608 - a name of ours
        "WHERE finished_at IS NULL AND lease_until IS NOT NULL"
    )
    _create_index("receiver")


def _fill() -> None:
    rows = sa.table(TABLE, *map(sa.column, ("id", "url", "receiver")))
    change = (
        sa.update(rows)
        .where(rows.c.id == sa.bindparam("row_id"))
        .values(receiver=sa.bindparam("digest"))
    )
    connection = op.get_bind()
    last = ""
    while part := connection.execute(
        sa.select(rows.c.id, rows.c.url).where(rows.c.id > last).order_by(rows.c.id).limit(PART)
    ).all():
        connection.execute(
            change,
            [{"row_id": row.id, "digest": _receiver_of(row.url)} for row in part],
        )
        last = part[-1].id


def _receiver_of(url: str) -> str:
    scheme, _, rest = url.partition("://")
    host = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    return hashlib.sha256(f"{scheme}://{host}".lower().encode()).hexdigest()


def _drop_index() -> None:
    op.drop_index("ix_webhook_deliveries_open", table_name=TABLE)


def _create_index(column: str) -> None:
    op.create_index(
        "ix_webhook_deliveries_open",
        TABLE,
        [column, "due_at"],
        sqlite_where=UNDELIVERED,
        postgresql_where=UNDELIVERED,
    )


def downgrade() -> None:
    _drop_index()
    op.drop_column(TABLE, "receiver")
    _create_index("url")
