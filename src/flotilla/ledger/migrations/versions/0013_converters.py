"""Versions keep which converter read them, and jobs what a user should know of it.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("versions", sa.Column("converter", sa.String(255), nullable=True))
    op.add_column("jobs", sa.Column("notes", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "notes")
    op.drop_column("versions", "converter")
