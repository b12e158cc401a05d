"""Examples of the parameters in paths, queries and headers, by their names."""

from typing import Any

from flotilla.gateway.examples.subjects import (
    ANSWER_EVENT,
    BATCH,
    CONVERSATION,
    CURSOR,
    DELIVERY,
    DOCUMENT,
    EVENT,
    QUESTION_TASK,
    RECEIVER,
    SPACE,
    START,
    TASK,
    WEBHOOK,
)

# Of the parameters in paths and queries, by their names.
PARAMETERS: dict[str, Any] = {
    "document_id": DOCUMENT,
    "task_id": TASK,
    "batch_id": BATCH,
    "parent": BATCH,
    "webhook_id": WEBHOOK,
    "delivery_id": DELIVERY,
    "space_id": SPACE,
    "conversation_id": CONVERSATION,
    "user": "default",
    "callback_url": RECEIVER,
    "name": "contracts",
    "collection": "contracts",
    "status": "processing",
    "kind": "ingest",
    "stage": "vectorstore.index",
    "code": "quarantined",
    "page": 3,
    "start": START,
    "limit": 20,
    "cursor": CURSOR,
    "wait": 30,
    "Last-Event-ID": EVENT,
    "timeout": 10,
    "cache-control": "no-cache",
}
# Of those of a streamed answer, where they differ.
STREAM_PARAMETERS: dict[str, Any] = {"task_id": QUESTION_TASK, "Last-Event-ID": ANSWER_EVENT}
