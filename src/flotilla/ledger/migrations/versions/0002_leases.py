"""Leases, fences and their recovery; batches; cleaning.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

HELD = sa.text("finished_at IS NULL AND sent_at IS NULL")
SENT = sa.text("finished_at IS NULL AND sent_at IS NOT NULL")
UNCLEANED = sa.text("finished_at IS NOT NULL AND cleaned_at IS NULL")
CHILDREN = sa.text("parent_id IS NOT NULL")
UNDONE = sa.text("state <> 'done'")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("progress_since", sa.DateTime()))
    op.add_column("jobs", sa.Column("losses", sa.Integer(), server_default="0", nullable=False))
    op.add_column("jobs", sa.Column("cleaned_at", sa.DateTime()))
    op.execute("UPDATE jobs SET cleaned_at = finished_at")
    for count in ("kills", "losses", "outages"):
        op.add_column("steps", sa.Column(count, sa.Integer(), server_default="0", nullable=False))
    op.add_column("steps", sa.Column("args", sa.JSON()))
    op.add_column("steps", sa.Column("sent_at", sa.DateTime()))
    op.add_column("steps", sa.Column("due_at", sa.DateTime()))
    _index("ix_jobs_held", "jobs", ["tenant_id", "id"], HELD)
    _index("ix_jobs_sent", "jobs", ["kind", "status", "tenant_id"], SENT)
    _index("ix_jobs_uncleaned", "jobs", ["id"], UNCLEANED)
    _index("ix_jobs_parent", "jobs", ["parent_id", "status"], CHILDREN)
    _index("ix_steps_open", "steps", ["state", "job_id"], UNDONE)


def _index(name: str, table: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    for name, table in (
        ("ix_steps_open", "steps"),
        ("ix_jobs_parent", "jobs"),
        ("ix_jobs_uncleaned", "jobs"),
        ("ix_jobs_sent", "jobs"),
        ("ix_jobs_held", "jobs"),
    ):
        op.drop_index(name, table_name=table)
    for column in ("due_at", "sent_at", "args", "outages", "losses", "kills"):
        op.drop_column("steps", column)
    for column in ("cleaned_at", "losses", "progress_since"):
        op.drop_column("jobs", column)
