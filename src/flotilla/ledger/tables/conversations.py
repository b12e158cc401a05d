"""Conversations and their messages."""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    JSON,
    ForeignKey,
    Index,
    String,
    Text,
    text,
)
from sqlalchemy import Table as SQLTable
from sqlalchemy.orm import Mapped, mapped_column

from flotilla.ledger.tables.base import Id, Name, Table

DELETED = "deleted_at IS NOT NULL"
ANSWERS = "role = 'assistant'"


class ConversationRow(Table):
    """A thread of messages between one user of a tenant and Flotilla.

    `messages` is how many there are, and so the number of the last one.
    """

    __tablename__ = "conversations"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    user_id: Mapped[str] = mapped_column(Name)
    title: Mapped[str] = mapped_column(Name)
    messages: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_conversations_user", "tenant_id", "user_id", "updated_at", "id"),
        Index(
            "ix_conversations_deleted",
            "deleted_at",
            sqlite_where=text(DELETED),
            postgresql_where=text(DELETED),
        ),
    )


class MessageRow(Table):
    """One message of a conversation, in the order of `number`, from 1.

    A turn is two of them, written together: the user's, with the question that stands alone, and
    the assistant's, with the answer's citations. `task_id` is the job that made the turn.
    `remembered_in` is the space in whose collection of turns the turn's point is, on the
    assistant's message; null while it is in none.
    """

    __tablename__ = "messages"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    number: Mapped[int]
    role: Mapped[str] = mapped_column(String(16))
    content: Mapped[str] = mapped_column("text", Text)
    standalone: Mapped[str | None] = mapped_column(Text)
    citations: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    answerable: Mapped[bool | None]
    model: Mapped[str | None] = mapped_column(Name)
    tokens: Mapped[int]
    task_id: Mapped[str] = mapped_column(Id)
    remembered_in: Mapped[str | None] = mapped_column(Id)
    created_at: Mapped[datetime]

    __table_args__ = (
        Index("uq_messages_number", "conversation_id", "number", unique=True),
        # A run that is done twice writes its turn once.
        Index("uq_messages_task", "task_id", "role", unique=True),
        # The turns that another space remembers, or none.
        Index(
            "ix_messages_remembered",
            "remembered_in",
            "id",
            sqlite_where=text(ANSWERS),
            postgresql_where=text(ANSWERS),
        ),
    )


CONVERSATIONS = cast("SQLTable", ConversationRow.__table__)
MESSAGES = cast("SQLTable", MessageRow.__table__)
