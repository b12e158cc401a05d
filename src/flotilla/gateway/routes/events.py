"""A task's events, as they happen."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Response

from flotilla.errors import InvalidRequest
from flotilla.gateway import examples, problems
from flotilla.gateway.dependencies import ServicesDep, TenantDep
from flotilla.gateway.event_order import end_id, is_event_id
from flotilla.gateway.event_stream import HEADERS, EventStream, stream
from flotilla.ledger import job_views
from flotilla.schemas import TaskEventName

router = APIRouter(prefix="/tasks", tags=["tasks"])

# As the API description's version 3.2 says it: there `schema` is of all the items together, an
# array; readers of older versions see a text.
CONTENT = {
    "schema": {"type": ["string", "array"]},
    "itemSchema": {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "event": {"enum": [name.value for name in TaskEventName]},
            "retry": {"type": "integer"},
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": {"$ref": "#/components/schemas/TaskEvent"},
            },
        },
    },
    "example": examples.EVENTS,
}

LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        description="`id` of the last event that was seen, to be told what came after it; 0 for "
        "all that is kept. A browser's EventSource sends it by itself.",
    ),
]


@router.get(
    "/{task_id}/events",
    summary="Follow a task",
    response_class=EventStream,
    responses={
        200: {
            "description": "Server-sent events, each with a TaskEvent as its data. The event "
            "`end` is the last.",
            "content": {EventStream.media_type: CONTENT},
        },
        204: {
            "description": "The event that was seen last is the task's end: nothing follows.",
            "content": {},
        },
        **problems.responses(examples.NO_TASK, examples.BAD_TASK_EVENT_ID, examples.OUT_OF_REACH),
    },
)
async def follow_task(
    task_id: str, services: ServicesDep, tenant: TenantDep, last_event_id: LastEventId = None
) -> Response:
    """The task's state at once, and then each change of status, stage, attempt and progress, up to
    its end."""
    if last_event_id and not is_event_id(last_event_id):
        raise InvalidRequest(
            f"No event of a task has the id {last_event_id[:80]!r}: send the id of the last event "
            "as it was told, or leave Last-Event-ID out to be told the present state.",
            field="Last-Event-ID",
        )
    look = partial(services.read, job_views.view, tenant, task_id)
    task = await look()
    if task is None:
        raise job_views.missing(task_id)
    if task.status.final and last_event_id == end_id(task):
        return Response(status_code=204)  # tells a browser to connect no more
    return EventStream(stream(services.feeds, task, last_event_id, look), headers=HEADERS)
