"""Vector spaces: which embedding model answers, and which others are written.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ACTIVE = sa.text("state = 'active'")
OPEN = sa.text("state <> 'dropped'")


def upgrade() -> None:
    op.create_table(
        "spaces",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("model", sa.String(255), nullable=False),
        sa.Column("collection", sa.String(255), nullable=False, unique=True),
        sa.Column("dimensions", sa.Integer()),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("switched_at", sa.DateTime()),
    )
    op.create_index(
        "uq_spaces_active",
        "spaces",
        ["state"],
        unique=True,
        sqlite_where=ACTIVE,
        postgresql_where=ACTIVE,
    )
    op.create_index(
        "uq_spaces_model",
        "spaces",
        ["model"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )


def downgrade() -> None:
    op.drop_table("spaces")
