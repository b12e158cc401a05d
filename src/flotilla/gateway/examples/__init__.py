"""The examples of the API's document: one visitor's dealings with the sample documents.

They stand here and not in the schemas, which the client loads as well and which have no use for
them. Each is checked against its schema by a test.
"""

from typing import Any

from flotilla.gateway.examples import conversations, documents, operation, questions, tasks
from flotilla.gateway.examples.errors import (
    BAD_EVENT_ID,
    BAD_FIELD,
    BAD_MODE,
    BAD_MODEL,
    BAD_PARAMETER,
    BAD_TASK_EVENT_ID,
    BATCH_CLOSED,
    BEING_SENT,
    BODY_TOO_LARGE,
    BUSY,
    CACHES_AWAY,
    CACHES_OFF,
    COLLECTION_THERE,
    DELETION_UNSENT,
    EMPTY_QUESTION,
    ENOUGH_WEBHOOKS,
    FULL,
    FULL_OF_TESTS,
    LATE,
    MIGRATION_RUNNING,
    NO_ANSWER,
    NO_BATCH,
    NO_COLLECTION,
    NO_COLLECTION_HERE,
    NO_CONVERSATION,
    NO_CONVERTER,
    NO_DELIVERY,
    NO_DOCUMENT,
    NO_FILE,
    NO_MODEL,
    NO_PAGE,
    NO_TASK,
    NO_WEBHOOK,
    NOT_LIVE,
    OFF_THE_PAGE,
    OUT_OF_REACH,
    OUTSIDE,
    PRIVATE_CALLBACK,
    TASK_OVER,
    UPLOAD_TOO_LARGE,
)
from flotilla.gateway.examples.operation import NOT_READY
from flotilla.gateway.examples.parameters import PARAMETERS, STREAM_PARAMETERS
from flotilla.gateway.examples.questions import ANSWER_EVENTS
from flotilla.gateway.examples.subjects import CONVERSATION, QUESTION_TASK, REQUEST
from flotilla.gateway.examples.tasks import EVENTS

__all__ = [
    "ANSWER_EVENTS",
    "BAD_EVENT_ID",
    "BAD_FIELD",
    "BAD_MODE",
    "BAD_MODEL",
    "BAD_PARAMETER",
    "BAD_TASK_EVENT_ID",
    "BATCH_CLOSED",
    "BEING_SENT",
    "BODY_TOO_LARGE",
    "BUSY",
    "CACHES_AWAY",
    "CACHES_OFF",
    "COLLECTION_THERE",
    "CONVERSATION",
    "DELETION_UNSENT",
    "EMPTY_QUESTION",
    "ENOUGH_WEBHOOKS",
    "EVENTS",
    "FULL",
    "FULL_OF_TESTS",
    "LATE",
    "MIGRATION_RUNNING",
    "NOT_LIVE",
    "NOT_READY",
    "NO_ANSWER",
    "NO_BATCH",
    "NO_COLLECTION",
    "NO_COLLECTION_HERE",
    "NO_CONVERSATION",
    "NO_CONVERTER",
    "NO_DELIVERY",
    "NO_DOCUMENT",
    "NO_FILE",
    "NO_MODEL",
    "NO_PAGE",
    "NO_TASK",
    "NO_WEBHOOK",
    "OFF_THE_PAGE",
    "OUTSIDE",
    "OUT_OF_REACH",
    "PARAMETERS",
    "PRIVATE_CALLBACK",
    "QUESTION_TASK",
    "REQUEST",
    "SCHEMAS",
    "STREAM_PARAMETERS",
    "TASK_OVER",
    "UPLOAD_TOO_LARGE",
]

SCHEMAS: dict[str, Any] = {
    **questions.SCHEMAS,
    **conversations.SCHEMAS,
    **documents.SCHEMAS,
    **tasks.SCHEMAS,
    **operation.SCHEMAS,
}
"""Of the bodies, by the names of their schemas."""
