"""Conversations: questions that follow up on one another, and what was said."""

from collections.abc import Sequence

from flotilla.client.operation import Operation, delete, get, patch, post, segment
from flotilla.client.operations import SYNC_TIMEOUT, Asked, steps_asked_for
from flotilla.models import Metadata, Mode
from flotilla.schemas import (
    ChatRequest,
    ChatResponse,
    Conversation,
    ConversationMessages,
    ConversationPatch,
    Listing,
    TaskAccepted,
)
from flotilla.schemas.conversations import DEFAULT_USER


def _turn(
    question: str,
    conversation_id: str | None,
    user: str,
    collections: Sequence[str] | None,
    top_k: int | None,
    filter: Metadata | None,  # noqa: A002 - the field's name on the wire
    mode: Mode | None,
    retrieval: Asked | None,
) -> ChatRequest:
    return ChatRequest.model_construct(
        question=question,
        conversation_id=conversation_id,
        user=user,
        collections=list(collections) if collections else None,
        top_k=top_k,
        filter=filter or {},
        mode=mode,
        retrieval=steps_asked_for(retrieval),
    )


def chat(
    question: str,
    *,
    conversation_id: str | None = None,
    user: str = DEFAULT_USER,
    collections: Sequence[str] | None = None,
    top_k: int | None = None,
    filter: Metadata | None = None,  # noqa: A002 - the field's name on the wire
    mode: Mode | None = None,
    retrieval: Asked | None = None,
    timeout: float | None = None,
) -> Operation[ChatResponse]:
    """Ask in a conversation and wait for the answer; without an id a new one is begun.

    `timeout` is how many seconds the gateway waits; past it the error has status 504 and the
    `task_id` under which the answer will be found.
    """
    body = _turn(question, conversation_id, user, collections, top_k, filter, mode, retrieval)
    return post(
        "/chat",
        body,
        ChatResponse,
        params={"timeout": timeout},
        patience=timeout if timeout is not None else SYNC_TIMEOUT,
    )


def chat_stream(
    question: str,
    *,
    conversation_id: str | None = None,
    user: str = DEFAULT_USER,
    collections: Sequence[str] | None = None,
    top_k: int | None = None,
    filter: Metadata | None = None,  # noqa: A002
    mode: Mode | None = None,
    retrieval: Asked | None = None,
) -> Operation[ChatResponse]:
    """Ask in a conversation, and read the answer while it is written; without an id a new one is
    begun. The events and the errors are those of `stream`; DoneEvent has a ChatResponse."""
    body = _turn(question, conversation_id, user, collections, top_k, filter, mode, retrieval)
    return post("/chat/stream", body, ChatResponse)


def conversations(
    *, user: str = DEFAULT_USER, limit: int | None = None
) -> Operation[Listing[Conversation]]:
    """A user's conversations, the one that was talked in last first."""
    return get("/conversations", Listing[Conversation], user=user, limit=limit)


def conversation(
    conversation_id: str,
    *,
    user: str = DEFAULT_USER,
    limit: int | None = None,
    cursor: str | None = None,
) -> Operation[ConversationMessages]:
    """A conversation with its messages, the oldest first; `cursor` is `next_cursor` of the part
    before."""
    path = f"/conversations/{segment(conversation_id)}"
    return get(path, ConversationMessages, user=user, limit=limit, cursor=cursor)


def rename_conversation(
    conversation_id: str, title: str, *, user: str = DEFAULT_USER
) -> Operation[Conversation]:
    """Give a conversation another title."""
    path = f"/conversations/{segment(conversation_id)}"
    return patch(path, ConversationPatch.model_construct(title=title), Conversation, user=user)


def delete_conversation(
    conversation_id: str, *, user: str = DEFAULT_USER
) -> Operation[TaskAccepted]:
    """Delete a conversation; the task removes its messages and what is remembered of them."""
    return delete(f"/conversations/{segment(conversation_id)}", TaskAccepted, user=user)
