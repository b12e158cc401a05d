"""Conversations as the API shows them: made, listed, read, renamed, deleted.

A conversation is of one tenant and one user; anybody else is told that there is none of this id.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, or_, select, update

from flotilla.errors import ConversationNotFound, InvalidRequest
from flotilla.ledger.database import new_id, now
from flotilla.ledger.jobs import OPEN
from flotilla.ledger.tables import CONVERSATIONS, JOBS, MESSAGES
from flotilla.schemas.conversations import Conversation, Message

conversations = CONVERSATIONS.c
messages = MESSAGES.c

LONGEST_TITLE = 80
"""Characters of the title that a conversation is given by its first question."""


def create(
    connection: Connection,
    tenant_id: str,
    user_id: str,
    question: str,
    conversation_id: str | None = None,
) -> str:
    """A new conversation, with its first question as its title; returns its id."""
    conversation_id = conversation_id or new_id()
    moment = now()
    connection.execute(
        insert(CONVERSATIONS).values(
            id=conversation_id,
            tenant_id=tenant_id,
            user_id=user_id,
            title=title_of(question),
            messages=0,
            created_at=moment,
            updated_at=moment,
        )
    )
    return conversation_id


def title_of(question: str) -> str:
    """A question as a title: one line, cut at a word."""
    line = " ".join(question.split())
    if len(line) <= LONGEST_TITLE:
        return line
    cut = line[: LONGEST_TITLE - 1]
    return (cut.rsplit(" ", 1)[0] or cut) + "…"


def hold(connection: Connection, tenant_id: str, user_id: str, conversation_id: str) -> None:
    """Make who deletes the conversation wait for this transaction, which adds a job to it.

    Raises:
        ConversationNotFound: the user has none of this id.
    """
    found = select(conversations.id).where(*_of(tenant_id, user_id, conversation_id))
    if connection.scalar(found.with_for_update(read=True)) is None:
        raise missing(conversation_id)


def view(
    connection: Connection, tenant_id: str, user_id: str, conversation_id: str
) -> Conversation:
    """Raises ConversationNotFound."""
    row = connection.execute(
        select(*CONVERSATIONS.c).where(*_of(tenant_id, user_id, conversation_id))
    ).one_or_none()
    if row is None:
        raise missing(conversation_id)
    return _conversation(row)


def listing(
    connection: Connection, tenant_id: str, user_id: str, *, before: str | None, limit: int
) -> list[Conversation]:
    """The user's conversations, the one that was talked in last first.

    Left out is one in which nothing was answered and nothing is being answered: its first question
    failed or was cancelled. Who has its id finds it still, and may ask there again. `before` is the
    `place` of the last one of the part before.
    """
    being_answered = select(JOBS.c.id).where(
        JOBS.c.conversation_id == conversations.id, JOBS.c.status.in_(OPEN)
    )
    query: Select[Any] = select(*CONVERSATIONS.c).where(
        conversations.tenant_id == tenant_id,
        conversations.user_id == user_id,
        conversations.deleted_at.is_(None),
        or_(conversations.messages > 0, being_answered.exists()),
    )
    if before is not None:
        moment, last = _read_place(before)
        query = query.where(
            (conversations.updated_at < moment)
            | ((conversations.updated_at == moment) & (conversations.id < last))
        )
    order = (conversations.updated_at.desc(), conversations.id.desc())
    return [_conversation(row) for row in connection.execute(query.order_by(*order).limit(limit))]


def place(conversation: Conversation) -> str:
    """Where a conversation stands in the list, as its cursor says it."""
    return f"{conversation.updated_at.isoformat()} {conversation.conversation_id}"


def _read_place(text: str) -> tuple[datetime, str]:
    moment, _, conversation_id = text.partition(" ")
    try:
        return datetime.fromisoformat(moment).astimezone(UTC), conversation_id
    except (ValueError, OverflowError):
        raise InvalidRequest(
            "The cursor is not one that this list has given.", field="cursor"
        ) from None


def read(connection: Connection, conversation_id: str, *, after: int, limit: int) -> list[Message]:
    """The messages of a conversation in their order, from behind the number `after` on."""
    rows = connection.execute(
        select(*MESSAGES.c)
        .where(messages.conversation_id == conversation_id, messages.number > after)
        .order_by(messages.number)
        .limit(limit)
    )
    return [_message(row) for row in rows]


def rename(
    connection: Connection, tenant_id: str, user_id: str, conversation_id: str, title: str
) -> Conversation:
    """Give a conversation another title; its place in the list stays. Raises
    ConversationNotFound."""
    row = connection.execute(
        update(CONVERSATIONS)
        .where(*_of(tenant_id, user_id, conversation_id))
        .values(title=title)
        .returning(*CONVERSATIONS.c)
    ).one_or_none()
    if row is None:
        raise missing(conversation_id)
    return _conversation(row)


def mark_deleted(
    connection: Connection, tenant_id: str, user_id: str, conversation_id: str
) -> None:
    """From this moment the conversation is not there; see `forgetting` for what is left of it.

    Raises:
        ConversationNotFound: the user has none of this id.
    """
    marked = connection.execute(
        update(CONVERSATIONS)
        .where(*_of(tenant_id, user_id, conversation_id))
        .values(deleted_at=now())
    )
    if marked.rowcount == 0:
        raise missing(conversation_id)


def _of(tenant_id: str, user_id: str, conversation_id: str) -> tuple[Any, ...]:
    return (
        conversations.id == conversation_id,
        conversations.tenant_id == tenant_id,
        conversations.user_id == user_id,
        conversations.deleted_at.is_(None),
    )


def _conversation(row: Row[Any]) -> Conversation:
    return Conversation(
        conversation_id=row.id,
        user=row.user_id,
        title=row.title,
        message_count=row.messages,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _message(row: Row[Any]) -> Message:
    return Message(
        message_id=row.id,
        number=row.number,
        role=row.role,
        text=row.text,
        standalone_question=row.standalone,
        citations=row.citations,
        answerable=row.answerable,
        model=row.model,
        tokens=row.tokens,
        task_id=row.task_id,
        created_at=row.created_at,
    )


def missing(conversation_id: str) -> ConversationNotFound:
    """What is said of a conversation that is not there, or is not this user's."""
    return ConversationNotFound(
        f"There is no conversation {conversation_id[:80]!r}: leave conversation_id out to begin "
        "one; GET /conversations lists what there is."
    )
