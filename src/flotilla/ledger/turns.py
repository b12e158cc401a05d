"""Turns of conversations: a question and its answer, written together at the end of their job."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Select, insert, or_, select, update

from flotilla.errors import Cancelled
from flotilla.ledger.database import new_id, now
from flotilla.ledger.tables import CONVERSATIONS, MESSAGES
from flotilla.models import Turn

LOST_AFTER = timedelta(seconds=30)
"""In which the worker that wrote a turn has remembered it, unless it died."""

USER, ASSISTANT = "user", "assistant"

conversations = CONVERSATIONS.c
messages = MESSAGES.c

asked = MESSAGES.alias("asked")


@dataclass(frozen=True, slots=True)
class NewTurn:
    """A turn that is about to be written; tokens are those of the messages."""

    conversation_id: str
    task_id: str
    question: str
    standalone: str
    question_tokens: int
    answer: str
    citations: list[Any]
    answerable: bool
    model: str
    answer_tokens: int


def append(connection: Connection, turn: NewTurn) -> str:
    """Write a turn behind all others of its conversation; returns the id of its answer.

    It belongs into the transaction that ends its job, so that a turn is never half there, and one
    that is answered twice is written once. Of two that end at the same moment, the one that gets
    the conversation's row first comes first.

    Raises:
        Cancelled: the conversation is deleted, and nothing may bring it back.
    """
    moment = now()
    last = connection.scalar(
        update(CONVERSATIONS)
        .where(conversations.id == turn.conversation_id, conversations.deleted_at.is_(None))
        .values(messages=conversations.messages + 2, updated_at=moment)
        .returning(conversations.messages)
    )
    if last is None:
        raise Cancelled("The conversation was deleted while its question was being answered.")
    shared = {
        "conversation_id": turn.conversation_id,
        "task_id": turn.task_id,
        "created_at": moment,
    }
    question = {
        "id": new_id(),
        "number": last - 1,
        "role": USER,
        "text": turn.question,
        "standalone": turn.standalone,
        "tokens": turn.question_tokens,
    }
    answer = {
        "id": new_id(),
        "number": last,
        "role": ASSISTANT,
        "text": turn.answer,
        "citations": turn.citations,
        "answerable": turn.answerable,
        "model": turn.model,
        "tokens": turn.answer_tokens,
    }
    connection.execute(insert(MESSAGES).values(shared | question))
    connection.execute(insert(MESSAGES).values(shared | answer))
    return str(answer["id"])


def latest(
    connection: Connection, tenant_id: str, user_id: str, conversation_id: str, limit: int
) -> list[Turn] | None:
    """The conversation's last turns, in their order; None where the user has no such conversation
    any more."""
    there = select(conversations.id).where(
        conversations.id == conversation_id,
        conversations.tenant_id == tenant_id,
        conversations.user_id == user_id,
        conversations.deleted_at.is_(None),
    )
    if connection.scalar(there) is None:
        return None
    rows = connection.execute(
        _turns()
        .where(messages.conversation_id == conversation_id)
        .order_by(messages.number.desc())
        .limit(limit)
    )
    return [_turn(row) for row in rows][::-1]


def of_ids(
    connection: Connection, tenant_id: str, user_id: str, ids: Collection[str]
) -> dict[str, Turn]:
    """Of these turns those that are this user's and still there."""
    rows = connection.execute(
        _turns().where(
            messages.id.in_(set(ids)),
            conversations.tenant_id == tenant_id,
            conversations.user_id == user_id,
        )
    )
    return {row.id: _turn(row) for row in rows}


def _turns(*further: Any) -> Select[Any]:
    return (
        select(
            messages.id,
            messages.conversation_id,
            messages.number,
            messages.text,
            messages.answerable,
            messages.tokens,
            asked.c.id.label("question_id"),
            asked.c.text.label("question"),
            asked.c.standalone,
            asked.c.tokens.label("question_tokens"),
            *further,
        )
        .join_from(MESSAGES, CONVERSATIONS, conversations.id == messages.conversation_id)
        .join(
            asked,
            (asked.c.conversation_id == messages.conversation_id)
            & (asked.c.number == messages.number - 1),
        )
        .where(messages.role == ASSISTANT, conversations.deleted_at.is_(None))
    )


def _turn(row: Any) -> Turn:
    return Turn(
        id=row.id,
        question_id=row.question_id,
        conversation_id=row.conversation_id,
        number=row.number // 2,
        question=row.question,
        standalone=row.standalone or row.question,
        answer=row.text,
        answerable=row.answerable is not False,
        tokens=row.tokens + row.question_tokens,
    )


# --- which of them are remembered ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OwnedTurn:
    """A turn with whose it is."""

    tenant_id: str
    user_id: str
    turn: Turn


def get(connection: Connection, turn_id: str) -> OwnedTurn | None:
    """One turn, unless its conversation is deleted."""
    row = connection.execute(
        _turns(conversations.tenant_id, conversations.user_id).where(messages.id == turn_id)
    ).one_or_none()
    return None if row is None else OwnedTurn(row.tenant_id, row.user_id, _turn(row))


def unremembered(
    connection: Connection, space_id: str, *, older_than: timedelta = LOST_AFTER, limit: int
) -> list[OwnedTurn]:
    """Turns whose point is not in this space: it was lost, or the embedding model has changed.

    Those that were written a moment ago are about to be remembered by whoever wrote them.
    """
    column = messages.remembered_in
    rows = connection.execute(
        _turns(conversations.tenant_id, conversations.user_id)
        .where(
            # Not `<>`, for which no index can be used.
            or_(column.is_(None), column < space_id, column > space_id),
            messages.created_at < now() - older_than,
        )
        .order_by(messages.id)
        .limit(limit)
    )
    return [OwnedTurn(row.tenant_id, row.user_id, _turn(row)) for row in rows]


def mark_remembered(connection: Connection, turn_ids: Sequence[str], space_id: str) -> set[str]:
    """Note that the points of these turns are in a space; returns those that are still there.

    The points of the others are to be removed: their conversation was deleted meanwhile.
    """
    there = select(conversations.id).where(
        conversations.id == messages.conversation_id, conversations.deleted_at.is_(None)
    )
    rows = connection.execute(
        update(MESSAGES)
        .where(messages.id.in_(turn_ids), there.exists())
        .values(remembered_in=space_id)
        .returning(messages.id)
    )
    return set(rows.scalars())
