"""A version's job, and the migrations of models, found without reading all jobs.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_jobs_version": (["version_id"], "version_id IS NOT NULL"),
    "ix_jobs_migrations": (["id"], "kind = 'migration'"),
}


def upgrade() -> None:
    for name, (columns, rows) in INDEXES.items():
        op.create_index(
            name, "jobs", columns, sqlite_where=sa.text(rows), postgresql_where=sa.text(rows)
        )


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, "jobs")
