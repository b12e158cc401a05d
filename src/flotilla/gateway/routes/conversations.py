"""Conversations: talk, list, read, rename, delete."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection

from flotilla import pipelines
from flotilla.errors import AnswerTimeout, InvalidRequest
from flotilla.gateway import examples, problems
from flotilla.gateway.cache_control import CachePolicyDep
from flotilla.gateway.chat import chat_turn
from flotilla.gateway.dependencies import PartDep, ServicesDep, TenantDep, cursor_after
from flotilla.gateway.removals import start_forgetting
from flotilla.gateway.routes.questions import REFUSALS, Timeout, answered
from flotilla.ledger import conversations, forgetting
from flotilla.schemas import (
    ChatRequest,
    ChatResponse,
    Conversation,
    ConversationMessages,
    ConversationPatch,
    Listing,
    TaskAccepted,
)
from flotilla.schemas.conversations import DEFAULT_USER, User

router = APIRouter(tags=["conversations"])

UserParameter = Annotated[User, Query(description="Whose conversations.")]


@router.post(
    "/chat",
    response_model=ChatResponse,
    summary="Ask in a conversation, and wait for the answer",
    responses=problems.responses(*REFUSALS, examples.NO_CONVERSATION, examples.LATE),
)
async def chat(
    body: ChatRequest,
    services: ServicesDep,
    tenant: TenantDep,
    cache: CachePolicyDep,
    timeout: Timeout = None,
) -> Response:
    """The answer with its citations, and the conversation that it belongs to.

    A question that follows up on earlier ones is made to stand alone first
    (`standalone_question`). Turns of one conversation that are asked at the same time are numbered
    as they end; each sees those that had ended when it began. A turn that fails leaves nothing in
    its conversation.
    """
    turn = await chat_turn(body, services, tenant, cache)
    try:
        return await answered(
            services, tenant, turn.job_id, turn.prepare, pipelines.answer, timeout
        )
    except AnswerTimeout as error:
        error.details["conversation_id"] = turn.conversation_id
        raise


@router.get(
    "/conversations",
    summary="List a user's conversations",
    responses=problems.responses(examples.BAD_PARAMETER),
)
async def list_conversations(
    services: ServicesDep, tenant: TenantDep, part: PartDep, user: UserParameter = DEFAULT_USER
) -> Listing[Conversation]:
    """The one that was talked in last comes first."""
    items = await services.read(
        conversations.listing, tenant, user, before=part.after, limit=part.wanted
    )
    return part.listing(items, conversations.place)


@router.get(
    "/conversations/{conversation_id}",
    summary="Read a conversation",
    responses=problems.responses(examples.NO_CONVERSATION, examples.BAD_PARAMETER),
)
async def get_conversation(
    conversation_id: str,
    services: ServicesDep,
    tenant: TenantDep,
    part: PartDep,
    user: UserParameter = DEFAULT_USER,
) -> ConversationMessages:
    """With its messages, the oldest first; `next_cursor` leads to further ones."""
    after = _number(part.after) if part.after is not None else 0

    def read(connection: Connection) -> ConversationMessages:
        shown = conversations.view(connection, tenant, user, conversation_id)
        found = conversations.read(connection, conversation_id, after=after, limit=part.wanted)
        messages = found[: part.limit]
        more = len(found) > len(messages)
        return ConversationMessages(
            **shown.model_dump(),
            messages=messages,
            next_cursor=cursor_after(str(messages[-1].number)) if more else None,
        )

    return await services.read(read)


def _number(cursor: str) -> int:
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 9:
        raise InvalidRequest("The cursor is not one that this list has given.", field="cursor")
    return int(cursor)


@router.patch(
    "/conversations/{conversation_id}",
    summary="Rename a conversation",
    responses=problems.responses(
        examples.NO_CONVERSATION, examples.BODY_TOO_LARGE, examples.BAD_FIELD
    ),
)
async def rename_conversation(
    conversation_id: str,
    body: ConversationPatch,
    services: ServicesDep,
    tenant: TenantDep,
    user: UserParameter = DEFAULT_USER,
) -> Conversation:
    """Its place in the list stays."""
    return await services.write(conversations.rename, tenant, user, conversation_id, body.title)


@router.delete(
    "/conversations/{conversation_id}",
    status_code=202,
    summary="Delete a conversation",
    responses=problems.responses(
        examples.NO_CONVERSATION, examples.BAD_PARAMETER, examples.DELETION_UNSENT
    ),
)
async def delete_conversation(
    conversation_id: str,
    services: ServicesDep,
    tenant: TenantDep,
    user: UserParameter = DEFAULT_USER,
) -> TaskAccepted:
    """From the reply on it is not there, and a turn that is being answered is cancelled; its
    messages, its points and its turns' tasks are removed by a task."""

    def write(connection: Connection) -> str:
        conversations.mark_deleted(connection, tenant, user, conversation_id)
        return forgetting.add(connection, tenant, conversation_id)

    return await start_forgetting(services, await services.write(write), conversation_id)
