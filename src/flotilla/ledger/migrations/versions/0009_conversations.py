"""Conversations, their messages, and the jobs that answer in them.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

DELETED = sa.text("deleted_at IS NOT NULL")
ANSWERS = sa.text("role = 'assistant'")
OF_A_CONVERSATION = sa.text("conversation_id IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("tenant_id", sa.String(36), sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("title", sa.String(255), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime()),
    )
    op.create_index(
        "ix_conversations_user", "conversations", ["tenant_id", "user_id", "updated_at", "id"]
    )
    op.create_index(
        "ix_conversations_deleted",
        "conversations",
        ["deleted_at"],
        sqlite_where=DELETED,
        postgresql_where=DELETED,
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column(
            "conversation_id",
            sa.String(36),
            sa.ForeignKey("conversations.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("standalone", sa.Text()),
        sa.Column("citations", sa.JSON()),
        sa.Column("answerable", sa.Boolean()),
        sa.Column("model", sa.String(255)),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.String(36), nullable=False),
        sa.Column("remembered_in", sa.String(36)),
        sa.Column("created_at", sa.DateTime(), nullable=False),
    )
    op.create_index("uq_messages_number", "messages", ["conversation_id", "number"], unique=True)
    op.create_index("uq_messages_task", "messages", ["task_id", "role"], unique=True)
    op.create_index(
        "ix_messages_remembered",
        "messages",
        ["remembered_in", "id"],
        sqlite_where=ANSWERS,
        postgresql_where=ANSWERS,
    )
    op.add_column("jobs", sa.Column("conversation_id", sa.String(36)))
    op.create_index(
        "ix_jobs_conversation",
        "jobs",
        ["conversation_id"],
        sqlite_where=OF_A_CONVERSATION,
        postgresql_where=OF_A_CONVERSATION,
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_conversation", "jobs")
    op.drop_column("jobs", "conversation_id")
    op.drop_table("messages")
    op.drop_table("conversations")
