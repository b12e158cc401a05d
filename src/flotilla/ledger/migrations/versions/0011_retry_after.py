"""Jobs keep when another try makes sense, where what they failed with said so.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("error_retry_after", sa.Float(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "error_retry_after")
