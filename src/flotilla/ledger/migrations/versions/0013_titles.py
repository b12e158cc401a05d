"""Versions have the title that their documents give themselves.

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
    op.add_column("versions", sa.Column("title", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("versions", "title")
