"""Lists that do not read all that ever ended: of failed jobs, and of a batch's members.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

FAILED = sa.text("status = 'failed'")
MEMBERS = sa.text("parent_id IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_jobs_failed",
        "jobs",
        ["tenant_id", "id"],
        sqlite_where=FAILED,
        postgresql_where=FAILED,
    )
    op.create_index(
        "ix_jobs_members",
        "jobs",
        ["parent_id", "id"],
        sqlite_where=MEMBERS,
        postgresql_where=MEMBERS,
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_members", "jobs")
    op.drop_index("ix_jobs_failed", "jobs")
