"""Answers while they are being written."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Response

from flotilla import pipelines
from flotilla.errors import InvalidRequest
from flotilla.gateway import examples, problems
from flotilla.gateway.answer_relay import (
    TASK_HEADER,
    Bookmark,
    relay,
    relay_again,
    submit_and_relay,
)
from flotilla.gateway.cache_control import CachePolicyDep
from flotilla.gateway.chat import chat_turn
from flotilla.gateway.dependencies import ServicesDep, TenantDep
from flotilla.gateway.event_stream import EventStream
from flotilla.gateway.routes.questions import REFUSALS, preparation
from flotilla.ledger.database import new_id
from flotilla.models import Answer
from flotilla.schemas import (
    AnswerEventName,
    AnswerResponse,
    ChatRequest,
    ChatResponse,
    QuestionRequest,
)

router = APIRouter()

CONVERSATION_HEADER = "X-Conversation-ID"


def _content(answer: type[Answer]) -> dict[str, Any]:
    """Events whose last one is an answer of this kind, as the API description's version 3.2 says
    it: there `schema` is of all the items together, an array; readers of older versions see a
    text."""
    events = ("Step", "AnswerToken", "Citation", answer.__name__, "Problem")
    return {
        "schema": {"type": ["string", "array"]},
        "itemSchema": {
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "event": {"enum": [name.value for name in AnswerEventName]},
                "retry": {"type": "integer"},
                "data": {
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": {
                        "oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in events]
                    },
                },
            },
        },
        "example": examples.ANSWER_EVENTS,
    }


def _header(description: str, example: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}, "example": example}


def _streamed(answer: type[Answer], **headers: dict[str, Any]) -> problems.Responses:
    return {
        200: {
            "description": "Server-sent events: `trace`, `token`, `citation`, and at the end "
            "`done` or `error`.",
            "headers": {
                TASK_HEADER: _header("The task that answers.", examples.QUESTION_TASK),
                **headers,
            },
            "content": {EventStream.media_type: _content(answer)},
        },
        204: {
            "description": "The event that was seen last is the answer's end: nothing follows.",
            "content": {},
        },
    }


STREAM = _streamed(AnswerResponse)
CHAT_STREAM = _streamed(
    ChatResponse,
    **{
        CONVERSATION_HEADER: _header(
            "The conversation, where no stream goes on.", examples.CONVERSATION
        )
    },
)

LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        description="`id` of the last event that was seen, to go on after it without a gap.",
    ),
]


@router.post(
    "/rag/query/stream",
    tags=["questions"],
    summary="Ask, and read the answer while it is written",
    response_class=EventStream,
    responses={**STREAM, **problems.responses(*REFUSALS, examples.NO_TASK)},
)
async def ask_and_read(
    body: QuestionRequest,
    services: ServicesDep,
    tenant: TenantDep,
    cache: CachePolicyDep,
    last_event_id: LastEventId = None,
) -> Response:
    """Each step as it is finished, the text piece by piece, each citation beside the number that
    stands for it, and at the end the whole answer. With `Last-Event-ID` no question is asked: the
    stream of that event goes on."""
    bookmark = _bookmark(last_event_id)
    if bookmark is not None:
        return await relay_again(services, tenant, bookmark, body)
    job_id = new_id()
    prepare = await preparation(
        body, services, tenant, job_id, "query", pipelines.ANSWER, cache, stream=True
    )
    return await submit_and_relay(services, tenant, job_id, prepare, pipelines.answer)


@router.post(
    "/chat/stream",
    tags=["conversations"],
    summary="Ask in a conversation, and read the answer while it is written",
    response_class=EventStream,
    responses={
        **CHAT_STREAM,
        **problems.responses(*REFUSALS, examples.NO_TASK, examples.NO_CONVERSATION),
    },
)
async def chat_and_read(
    body: ChatRequest,
    services: ServicesDep,
    tenant: TenantDep,
    cache: CachePolicyDep,
    last_event_id: LastEventId = None,
) -> Response:
    """The events of `/rag/query/stream`, of one turn of a conversation; the last one is the whole
    answer as `/chat` gives it. The turn is in its conversation once `done` is told, and not at all
    where its run is cancelled. With `Last-Event-ID` no question is asked: the stream of that event
    goes on."""
    bookmark = _bookmark(last_event_id)
    if bookmark is not None:
        return await relay_again(services, tenant, bookmark, body)
    turn = await chat_turn(body, services, tenant, cache, stream=True)
    response = await submit_and_relay(services, tenant, turn.job_id, turn.prepare, pipelines.answer)
    response.headers[CONVERSATION_HEADER] = turn.conversation_id
    return response


def _bookmark(last_event_id: str | None) -> Bookmark | None:
    """The event after which a stream goes on; None where none is named."""
    if not last_event_id:
        return None
    bookmark = Bookmark.parse(last_event_id)
    if bookmark is None:
        raise InvalidRequest(
            f"No event of an answer has the id {last_event_id[:80]!r}: send the id of the last "
            "event as it was told, or leave Last-Event-ID out to begin anew.",
            field="Last-Event-ID",
        )
    return bookmark


@router.get(
    "/tasks/{task_id}/stream",
    tags=["tasks"],
    summary="Read a task's answer while it is written",
    response_class=EventStream,
    responses={
        **STREAM,
        **problems.responses(
            examples.NO_TASK, examples.NO_ANSWER, examples.BAD_EVENT_ID, examples.OUT_OF_REACH
        ),
    },
)
async def read_answer(
    task_id: str, services: ServicesDep, tenant: TenantDep, last_event_id: LastEventId = None
) -> Response:
    """The same events, from the beginning or from after `Last-Event-ID`; an answer that is written
    already comes as a whole."""
    return await relay(services, tenant, task_id, _bookmark(last_event_id))
