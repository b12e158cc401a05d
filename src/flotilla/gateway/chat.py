"""Questions in conversations: what makes the job of one turn, for whoever waits for it or follows
its stream."""

from dataclasses import dataclass, replace
from typing import Any

from flotilla import pipelines
from flotilla.gateway.dependencies import Services
from flotilla.gateway.routes.questions import preparation
from flotilla.gateway.submissions import Batch, Prepare
from flotilla.ledger.database import new_id
from flotilla.ledger.jobs import NewJob
from flotilla.schemas import ChatRequest


@dataclass(frozen=True, slots=True)
class ChatTurn:
    """A turn that is about to be submitted: `prepare` makes its job, and its conversation where
    there is none yet. `conversation_id` is known before that, so that it can be told of a turn
    that takes too long."""

    job_id: str
    conversation_id: str
    prepare: Prepare


async def chat_turn(
    body: ChatRequest,
    services: Services,
    tenant: str,
    cache: dict[str, Any],
    *,
    stream: bool = False,
) -> ChatTurn:
    """Check a question of a conversation; with `stream` its answer is told while it is written.

    `ChatTurn.prepare` raises ConversationNotFound where the user has no such conversation.

    Raises:
        QuestionEmpty, QuestionTooLong, InvalidRequest, CallbackRefused: as of any question.
    """
    job_id = new_id()
    conversation_id = body.conversation_id or new_id()
    question = await preparation(
        body, services, tenant, job_id, "query", pipelines.ANSWER, cache, stream=stream
    )

    def prepare(batch: Batch) -> NewJob:
        job = question(batch)  # first: nothing is to be written of a question that is refused
        if body.conversation_id is None:
            batch.begin_conversation(tenant, body.user, job.payload["question"], conversation_id)
        else:
            batch.hold_conversation(tenant, body.user, conversation_id)
        payload = job.payload | {"user": body.user}
        return replace(job, payload=payload, conversation_id=conversation_id)

    return ChatTurn(job_id, conversation_id, prepare)
