"""Versions have the title that their documents give themselves, and the length of their chunks.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("versions", sa.Column("title", sa.Text(), nullable=True))
    for table in ("versions", "collections"):
        for column in ("terms", "measured_chunks"):
            op.add_column(
                table, sa.Column(column, sa.BigInteger(), nullable=False, server_default="0")
            )


def downgrade() -> None:
    for table in ("collections", "versions"):
        for column in ("measured_chunks", "terms"):
            op.drop_column(table, column)
    op.drop_column("versions", "title")
