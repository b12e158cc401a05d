"""Examples of tasks, batches, retries, fleets and smoke tests."""

import json
from typing import Any

from flotilla.gateway.examples.subjects import BEGAN, CURSOR, DOCUMENT, ENDED, EVENT, FILE, TASK

ENDED_TASK = {
    "task_id": TASK,
    "name": FILE,
    "kind": "ingest",
    "status": "completed",
    "stage": "upkeep.finish",
    "progress": {"done": 18, "total": 18, "unit": "chunks"},
    "attempt": 1,
    "queue": "default",
    "document_id": DOCUMENT,
    "collection": "default",
    "created_at": BEGAN,
    "started_at": BEGAN,
    "finished_at": ENDED,
    "result": {
        "document_id": DOCUMENT,
        "version": 1,
        "pages": 7,
        "chunks": 18,
        "content_type": "application/pdf",
    },
}
TASK_ERROR = {
    "stage": "document.convert",
    "code": "file_encrypted",
    "message": "price-list.pdf is encrypted: send its password with the file.",
    "retryable": False,
}
_queue = {"name": "document", "depth": 3, "unacknowledged": 1}
_worker = {
    "name": "document-1@quay",
    "fleet": "document",
    "pid": 4711,
    "concurrency": 2,
    "seen_at": ENDED,
}
_failed_member = {
    "name": "price-list.pdf",
    "task_id": "019ab3c4-7d15-7e3a-8d46-b0a5c2f7e913",
    "document_id": "019ab3c4-7d14-7a08-9b7f-5c1e6d2a3f84",
    "code": TASK_ERROR["code"],
    "message": TASK_ERROR["message"],
}
_duplicate = {
    "name": "terms-of-use (1).pdf",
    "task_id": "019ab3c4-7d18-7f52-a3c9-4e8b0d7f1a65",
    "duplicate_of": DOCUMENT,
}
_retry_refused = {
    "task_id": "019ab3c4-7d15-7e3a-8d46-b0a5c2f7e913",
    "code": "conflict",
    "message": "The document was deleted, or newer bytes were submitted for it since: send the "
    "document again if this is the version that you want.",
}
_refusal = {
    "name": "plans/harbour.pdf",
    "code": "file_too_large",
    "message": "plans/harbour.pdf is larger than the 209,715,200 bytes that are allowed.",
}
_progress = {"done": 12, "total": 18, "unit": "chunks", "eta_seconds": 0.4}
_event = {
    "event": "progress",
    "id": EVENT,
    "task_id": TASK,
    "kind": "ingest",
    "status": "processing",
    "stage": "vectorstore.index",
    "attempt": 1,
    "progress": _progress,
}
EVENTS = f"id: {EVENT}\nevent: progress\ndata: {json.dumps(_event)}\n\n"

SCHEMAS: dict[str, Any] = {
    "Task": ENDED_TASK,
    "TaskAccepted": {"task_id": TASK, "status": "pending"},
    "TaskError": TASK_ERROR,
    "TaskEvent": _event,
    "Progress": _progress,
    "Listing_Task_": {"items": [ENDED_TASK], "next_cursor": CURSOR},
    "Queue": _queue,
    "Worker": _worker,
    "FleetsInfo": {
        "queues": [_queue],
        "tasks": {"document": ["document.convert", "document.fetch", "document.split"]},
        "workers": [_worker],
    },
    "ProcessRequest": {"data": "hello fleet"},
    "AddRequest": {"x": 2, "y": 3},
    "DivideRequest": {"dividend": 10, "divisor": 4},
    "ChainRequest": {"x": 2, "y": 3, "divisor": 2},
    "ParallelRequest": {"x": 8, "y": 2, "z": 4},
    "RetryRequest": {"kind": "ingest", "code": "dependency_unavailable", "limit": 100},
    "RetryRefused": _retry_refused,
    "Retried": {"task_ids": [TASK], "refused": [_retry_refused], "next_cursor": None},
    "TaskFailure": {
        **TASK_ERROR,
        "part": 0,
        "attempt": 1,
        "worker": "document@quay",
        "failed_at": ENDED,
    },
    "BatchRequest": {"name": "contracts/2026", "total": 50},
    "Refusal": _refusal,
    "RefusalsRequest": {"refusals": [_refusal]},
    "FailedMember": _failed_member,
    "DuplicateMember": _duplicate,
    "BatchResult": {
        "documents": 50,
        "completed": 49,
        "failed": 1,
        "cancelled": 0,
        "duplicates": 1,
        "failures": [_failed_member],
        "duplicate_documents": [_duplicate],
    },
}
