"""Failures of attempts keep when another try makes sense, as those of jobs do.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("failures", sa.Column("retry_after", sa.Float(), nullable=True))


def downgrade() -> None:
    op.drop_column("failures", "retry_after")
