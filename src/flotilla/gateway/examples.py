"""The examples of the API's document: one visitor's dealings with the sample documents.

They stand here and not in the schemas, which the client loads as well and which have no use for
them. Each is checked against its schema by a test.
"""

import json
from typing import Any

from flotilla import __version__
from flotilla.errors import (
    AnswerTimeout,
    BatchClosed,
    CachesOff,
    CallbackRefused,
    CollectionExists,
    CollectionNotFound,
    Conflict,
    ConversationNotFound,
    DeliveryNotFound,
    DependencyUnavailable,
    DocumentNotFound,
    FileTooLarge,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    PageNotFound,
    PathNotAllowed,
    QuestionEmpty,
    TaskNotFound,
    WebhookNotFound,
)

TASK = "019ab3c4-7d10-7c2e-9a55-3f60c1d28e41"
BATCH = "019ab3c4-66b1-7c90-b2e8-1f7d3a5c9e24"
QUESTION_TASK = "019ab3c5-02f8-7b1d-8c3a-54e7a90b6d12"
DOCUMENT = "019ab3c4-7d0e-7f93-b1c8-6a2d4e8f7053"
VERSION = "019ab3c4-7d0f-7a64-8e21-0c9b5d3f1a76"
CHUNK = "8d0f6c1e-2b7a-5e43-9c58-71a4d2e6f390"
REQUEST = "4b1d7c0e9a2f4f6d8c3b5a7e1f9d0c62"
CURSOR = "MDE5YWIzYzQtN2QwZS03ZjkzLWIxYzgtNmEyZDRlOGY3MDUz"
WEBHOOK = "019ab3c4-51aa-7e02-a4d7-9b3c6e1f2058"
DELIVERY = "019ab3c4-84f3-7b6d-9c10-2e5a7f4d8b31"
SPACE = "019ab3c0-1f4e-7d63-a2b5-8c7f0e9d4a21"
CONVERSATION = "019ab3c6-10aa-7d35-8e1b-7f2c4a6d9b03"
MESSAGE = "019ab3c6-4b7e-7c19-a2d0-5e8f1b3c7a46"
RECEIVER = "https://example.com/flotilla"
EVENT = "1795166131842-0/vectorstore.index/chunks/12"
BEGAN, ENDED = "2026-11-20T09:30:00Z", "2026-11-20T09:30:02Z"
FILE = "terms-of-use.pdf"
METADATA = {"year": 2026, "kind": "terms"}
QUESTION = "How old do I have to be for a test drive?"
QUOTE = (
    "Test drives are open to drivers who are at least 23 years old and have held a full licence "
    "for two\nyears or longer."
)
TEXT = f"3.1 Who may drive\n{QUOTE}"
START = 2716  # of the passage in the document's text, in characters
HEADINGS = ["3. Test drives", "3.1 Who may drive"]
STANDS = {"page_start": 3, "page_end": 3, "heading_path": HEADINGS}

_citation = {
    "number": 1,
    "document_id": DOCUMENT,
    "document_name": FILE,
    "chunk_id": CHUNK,
    **STANDS,
    "quote": QUOTE,
    "start": START + TEXT.index(QUOTE),
    "end": START + len(TEXT),
}
_passage = {
    "chunk_id": CHUNK,
    "document_id": DOCUMENT,
    "document_name": FILE,
    "version_id": VERSION,
    "collection": "default",
    "position": 6,
    "text": TEXT,
    "start": START,
    "end": START + len(TEXT),
    **STANDS,
    "metadata": METADATA,
    "score": 0.92,
}
_part = {
    "chunk_id": CHUNK,
    "start": START,
    "end": START + len(TEXT),
    **STANDS,
}
_chunk = {
    "chunk_id": CHUNK,
    "position": 6,
    "text": TEXT,
    **STANDS,
    "start": START,
    "end": START + len(TEXT),
    "tokens": 31,
    "data_type": "text",
    "html": None,
    "box": None,
    "context": "Warranty terms",
}
_page = {
    "page": 3,
    "number": 3,
    "characters": 1204,
    "start": START - 20,
    "end": START + 1184,
}
_page_heading = {"start": START, "level": 2, "title": HEADINGS[1]}
_task = {
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
_document = {
    "document_id": DOCUMENT,
    "name": FILE,
    "collection": "default",
    "status": "ready",
    "content_type": "application/pdf",
    "size": 24040,
    "title": "Terms of use",
    "sha256": "9f64335fe26f6f15ddb800d613b0a8f54b907664839baeed587088960f586235",
    "pages": 7,
    "chunks": 18,
    "version": 1,
    "metadata": METADATA,
    "task_id": TASK,
    "created_at": BEGAN,
    "updated_at": ENDED,
}
_accepted = {"document_id": DOCUMENT, "task_id": TASK, "name": FILE, "status": "pending"}
_collection = {
    "name": "contracts",
    "description": "Terms of use and delivery of Saltmarsh Lane Motors",
    "documents": 2,
    "chunks": 25,
    "created_at": BEGAN,
}
_error = {
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
_healthy = {"ok": True, "latency_ms": 0.84}
_webhook = {"webhook_id": WEBHOOK, "url": RECEIVER, "events": ["task.failed"], "created_at": BEGAN}
_attempt = {
    "attempt": 1,
    "started_at": ENDED,
    "status": 204,
    "message": "The receiver answered 204.",
    "duration_ms": 61.3,
}
_delivery = {
    "delivery_id": DELIVERY,
    "webhook_id": WEBHOOK,
    "task_id": TASK,
    "url": RECEIVER,
    "event": "task.completed",
    "state": "succeeded",
    "attempts": [_attempt],
    "created_at": ENDED,
    "finished_at": ENDED,
}
_failed_member = {
    "name": "price-list.pdf",
    "task_id": "019ab3c4-7d15-7e3a-8d46-b0a5c2f7e913",
    "document_id": "019ab3c4-7d14-7a08-9b7f-5c1e6d2a3f84",
    "code": _error["code"],
    "message": _error["message"],
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
_retrieval = {"fusion": "linear", "dense_weight": 0.6, "bm25_weight": 0.4, "prefetch": 100}
_steps = {
    "search": "hybrid",
    "fusion": "linear",
    "dense_weight": 0.6,
    "bm25_weight": 0.4,
    "rrf_k": 60,
    "prefetch": 100,
    "expand_tokens": 0,
    "documents": 0,
    "mmr": 0.0,
    "queries": 0,
    "rerank": "none",
    "rerank_depth": 20,
}
_question = {
    "question": QUESTION,
    "collection": "default",
    "top_k": 5,
    "retrieval": {"fusion": "linear"},
}

_call = {
    "role": "answer",
    "model": "openai:gpt-4o-mini",
    "prompt": "answer.v2",
    "attempts": 1,
    "took": 812.4,
    "prompt_tokens": 914,
    "completion_tokens": 41,
    "cost": 0.00016,
}
_step = {
    "name": "generate",
    "started": 12.1,
    "took": 820.7,
    "saw": {"passages": 5, "answerable": True, "citations": 1, "model": "openai:gpt-4o-mini"},
    "calls": [_call],
}
_usage = {"calls": 1, "prompt_tokens": 914, "completion_tokens": 41, "cost": 0.00016}
_extractive_trace = [
    {"name": "retrieve", "started": 0.4, "took": 11.4, "saw": {"found": 5, "new": 5}},
    {"name": "generate", "started": 12.1, "took": 6.2, "saw": {"passages": 5, "citations": 1}},
]

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

_model = {
    "space_id": SPACE,
    "model": "sentence-transformers/all-MiniLM-L6-v2",
    "state": "active",
    "collection": "flotilla-sentence-transformers-all-minilm-l6-v2",
    "dimensions": 384,
    "points": 61,
    "documents": 6,
    "created_at": BEGAN,
    "switched_at": BEGAN,
}

_token = {"text": "Test drives are open ", "start": 0}
ANSWER_EVENT = f"{QUESTION_TASK}:3"
ANSWER_EVENTS = f"id: {ANSWER_EVENT}\nevent: token\ndata: {json.dumps(_token)}\n\n"

_follow_up = "And who may ride along?"
_alone = "And who may ride along? (test drive)"
_context_used = {
    "budget_tokens": 3000,
    "document_share": 0.7,
    "passages": 1,
    "passage_tokens": 38,
    "turns": 0,
    "turn_tokens": 0,
    "recalled": 0,
    "messages": [],
    "rewritten": "It begins as a continuation: 'test drive' is from the question before.",
}
_conversation = {
    "conversation_id": CONVERSATION,
    "user": "default",
    "title": QUESTION,
    "message_count": 2,
    "created_at": BEGAN,
    "updated_at": ENDED,
}
_message = {
    "message_id": MESSAGE,
    "number": 2,
    "role": "assistant",
    "text": f"{' '.join(QUOTE.split())} [1]",
    "citations": [_citation],
    "answerable": True,
    "model": "extractive",
    "tokens": 31,
    "task_id": QUESTION_TASK,
    "created_at": ENDED,
}

_cached = {"answer": "miss", "semantic": "miss", "retrieval": "miss", "embedding": "miss"}
_cache_counts = {"ttl": 1800, "hits": 31, "misses": 9, "hit_rate": 0.775}

SCHEMAS: dict[str, Any] = {
    "AnswerToken": _token,
    "ModelCall": _call,
    "Step": _step,
    "Usage": _usage,
    "Unsupported": {"start": 112, "end": 163, "reason": "No passage is cited for it."},
    "Cached": {
        "answer": "miss",
        "semantic": "hit",
        "embedding": "hit",
        "age": 42.0,
        "question": QUESTION,
        "cosine": 0.9712,
    },
    "CacheCounts": _cache_counts,
    "CachesState": {
        "available": True,
        "caches": {"answer": _cache_counts},
        "used_bytes": 2_411_724,
        "max_bytes": 268_435_456,
        "entries": 112,
        "evictions": 0,
    },
    "CachesCleared": {"removed": 40},
    "WarmRequest": {"questions": [QUESTION, "How long is the warranty on a used car?"]},
    "SweepRequest": {"dry_run": True},
    "Citation": _citation,
    "Part": _part,
    "Passage": _passage,
    "AnswerResponse": {
        "task_id": QUESTION_TASK,
        "question": QUESTION,
        "text": "Test drives are open to drivers who are at least 23 years old and have held a "
        "full licence for two years or longer. [1]",
        "answerable": True,
        "citations": [_citation],
        "passages": [_passage],
        "model": "extractive",
        "mode": "simple",
        "trace": _extractive_trace,
        "timings": {"retrieve": 11.4, "generate": 6.2},
        "cached": _cached,
    },
    "ChatRequest": {"question": _follow_up, "conversation_id": CONVERSATION, "user": "default"},
    "ChatContextUsed": _context_used,
    "ChatResponse": {
        "task_id": QUESTION_TASK,
        "question": _follow_up,
        "text": "Up to three people may ride along. [1]",
        "answerable": True,
        "citations": [_citation],
        "passages": [_passage],
        "model": "extractive",
        "mode": "simple",
        "trace": _extractive_trace,
        "timings": {"retrieve": 11.4, "generate": 6.2},
        "conversation_id": CONVERSATION,
        "standalone_question": _alone,
        "chat_context_used": _context_used,
    },
    "Conversation": _conversation,
    "Listing_Conversation_": {"items": [_conversation], "next_cursor": None},
    "Message": _message,
    "ConversationMessages": {**_conversation, "messages": [_message], "next_cursor": None},
    "ConversationPatch": {"title": "Test drives"},
    "SearchResponse": {
        "task_id": QUESTION_TASK,
        "question": QUESTION,
        "passages": [_passage],
        "retrieval": _steps,
        "timings": {"retrieve": 11.4, "embed": 4.2, "search": 5.9},
        "cached": {"retrieval": "miss", "embedding": "hit"},
    },
    "QuestionRequest": _question,
    "RetrievalRequest": _retrieval,
    "RetrievalSteps": _steps,
    "Task": _task,
    "TaskAccepted": {"task_id": TASK, "status": "pending"},
    "TaskError": _error,
    "TaskEvent": _event,
    "Progress": _progress,
    "Listing_Task_": {"items": [_task], "next_cursor": CURSOR},
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
    "Document": _document,
    "DocumentState": {"document_id": DOCUMENT, "status": "ready", "task": _task},
    "DocumentAccepted": _accepted,
    "DocumentsAccepted": {"documents": [_accepted], "batch_id": BATCH},
    "RetryRequest": {"kind": "ingest", "code": "dependency_unavailable", "limit": 100},
    "RetryRefused": _retry_refused,
    "Retried": {"task_ids": [TASK], "refused": [_retry_refused], "next_cursor": None},
    "TaskFailure": {
        **_error,
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
    "DocumentChunk": _chunk,
    "PageEntry": _page,
    "PageHeading": _page_heading,
    "DocumentPage": {
        **_page,
        "document_id": DOCUMENT,
        "version_id": VERSION,
        "pages": 7,
        "text": TEXT,
        "start": START,
        "end": START + len(TEXT),
        "next_start": START + len(TEXT),
        "headings": [_page_heading],
    },
    "Listing_PageEntry_": {"items": [_page], "next_cursor": "Mw"},
    "Listing_Document_": {"items": [_document], "next_cursor": CURSOR},
    "Listing_DocumentChunk_": {"items": [_chunk], "next_cursor": "Nw"},
    "GenerateQuestionsRequest": {"topic": "test drives", "count": 1, "mode": "practice"},
    "GenerateQuestionsResponse": {
        "response": "Practice questions on test drives: 1 question\n"
        "No language model was used: these are sentences of the documents, each with a gap.\n\n"
        "1. Test drives are open to drivers who are at least _____ years old and have held a full "
        "licence for two years or longer.\n   Answer: 23\n"
        f"   Source: {FILE}, page 3, {HEADINGS[1]}",
        "timestamp": "2026-11-20T09:30:02+00:00",
    },
    "PipelineRequest": {
        "text": "On the Saturday of the regatta the showroom closes at 13:00.",
        "name": "regatta.txt",
        "collection": "default",
        "metadata": {"year": 2026, "kind": "notice"},
    },
    "CollectionRequest": {
        "name": "contracts",
        "description": "Terms of use and delivery of Saltmarsh Lane Motors",
    },
    "Collection": _collection,
    "Listing_Collection_": {"items": [_collection], "next_cursor": None},
    "MigrationRequest": {"model": "BAAI/bge-small-en-v1.5"},
    "ModelSpace": _model,
    "ModelSpaces": {"items": [_model]},
    "WebhookRequest": {"url": RECEIVER, "events": ["task.failed"]},
    "Webhook": _webhook,
    "WebhookCreated": {**_webhook, "secret": "whsec_choose-your-own-or-have-one-made"},
    "Listing_Webhook_": {"items": [_webhook], "next_cursor": None},
    "SigningSecret": {
        "source": "ledger",
        "secret": "whsec_choose-your-own-or-have-one-made",
        "created_at": BEGAN,
    },
    "DeliveryAttempt": _attempt,
    "Delivery": _delivery,
    "Listing_Delivery_": {"items": [_delivery], "next_cursor": None},
    "Callback": {
        "event": "task.completed",
        "delivery_id": DELIVERY,
        "attempt": 1,
        "created_at": ENDED,
        "task": _task,
    },
    "DependencyHealth": _healthy,
    "Health": {"status": "ok", "version": __version__},
    "Readiness": {
        "status": "ready",
        "dependencies": {
            "ledger": _healthy,
            "redis": {"ok": True, "latency_ms": 0.31},
            "fleet:rag": {"ok": True, "latency_ms": 1.2, "detail": "1 workers"},
        },
    },
    "FieldError": {"field": "question", "message": "The question is empty: send the text."},
}

NOT_READY: dict[str, Any] = {
    "status": "not ready",
    "dependencies": {
        "redis": {"ok": True, "latency_ms": 0.31},
        "fleet:rag": {"ok": False, "latency_ms": 1.2, "detail": "no live worker"},
    },
}

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

CACHES_OFF = CachesOff("There are no caches here: set FLOTILLA_CACHE_URL to a Redis for them.")
CACHES_AWAY = DependencyUnavailable(
    "The Redis of the caches does not answer: questions are answered without them meanwhile; "
    "check FLOTILLA_CACHE_URL and the server.",
    retry_after=5,
)
NO_DOCUMENT = DocumentNotFound(
    f"There is no document {DOCUMENT!r}: GET /documents lists what there is."
)
NO_PAGE = PageNotFound("The document has 7 pages, and no page 8: ask for one of 1 to 7.")
OFF_THE_PAGE = InvalidRequest(
    f"The page is the characters {START - 20:,} to {START + 1184:,} of the document's text: choose "
    "a start between them, or leave it out.",
    field="start",
)
NO_BATCH = TaskNotFound(f"There is no batch {BATCH!r}: open one with POST /batches.", field="batch")
BATCH_CLOSED = BatchClosed(
    "This batch is closed and takes no more documents: open another with POST /batches.",
    field="batch",
)
NOT_LIVE = Conflict(
    "No version of this document is live yet: wait until it is ingested, or retry its task."
)
FULL = Overloaded(
    "100,000 ingestions are waiting, which is the most: try again in 12 s.", retry_after=12
)
BUSY = Overloaded(
    "1,000 questions are waiting, which is the most: try again in 2 s.", retry_after=2
)
FULL_OF_TESTS = Overloaded(
    "1,000 smoke tests are waiting, and 1,000 are the most: try again in 2 s.", retry_after=2
)
NO_TASK = TaskNotFound(f"There is no task {TASK!r}: GET /tasks lists what there is.")
NO_WEBHOOK = WebhookNotFound(f"There is no webhook {WEBHOOK!r}: GET /webhooks lists what there is.")
NO_DELIVERY = DeliveryNotFound(
    f"There is no delivery {DELIVERY!r}: GET /webhooks/{{webhook_id}}/deliveries and "
    "GET /tasks/{task_id}/deliveries list what there is."
)
NO_MODEL = ModelNotFound(f"There is no model space {SPACE!r}: GET /models lists what there is.")
MIGRATION_RUNNING = Conflict(
    f"A change of the embedding model is under way: follow or cancel task {TASK}.", task_id=TASK
)
BAD_MODEL = InvalidRequest("String should match the name of a model", field="model")
TASK_OVER = Conflict("This task is completed already: there is nothing to cancel.")
NO_ANSWER = Conflict(f"A task of the kind ingest has no answer: follow it at /tasks/{TASK}/events.")
BEING_SENT = Conflict(f"The delivery {DELIVERY} is being sent just now: look again soon.")
ENOUGH_WEBHOOKS = Conflict("There are 20 webhooks, which is the most: delete one first.")
PRIVATE_CALLBACK = CallbackRefused(
    "localhost may not be called: it leads to a private or reserved address. Give a public one, or "
    "set FLOTILLA_WEBHOOK_ALLOW_PRIVATE.",
    field="callback_url",
)
NO_CONVERSATION = ConversationNotFound(
    f"There is no conversation {CONVERSATION!r}: leave conversation_id out to begin one; "
    "GET /conversations lists what there is."
)
NO_COLLECTION = CollectionNotFound(
    "There is no collection named 'contracts': create it with POST /collections, or leave the "
    "field out to use 'default'.",
    field="collection",
)
NO_COLLECTION_HERE = CollectionNotFound(
    "There is no collection named 'contracts': create it with POST /collections, or see with GET "
    "/collections what there is."
)
COLLECTION_THERE = CollectionExists(
    "A collection named 'contracts' exists already: choose another name.", field="name"
)
BAD_FIELD = InvalidRequest("Extra inputs are not permitted", field="topk")
BAD_PARAMETER = InvalidRequest("Input should be less than or equal to 500", field="limit")
BAD_EVENT_ID = InvalidRequest(
    "No event of an answer has the id 'nonsense': send the id of the last event as it was told, or "
    "leave Last-Event-ID out to begin anew.",
    field="Last-Event-ID",
)
BAD_TASK_EVENT_ID = InvalidRequest(
    "No event of a task has the id 'nonsense': send the id of the last event as it was told, or "
    "leave Last-Event-ID out to be told the present state.",
    field="Last-Event-ID",
)
BAD_MODE = InvalidRequest("Input should be 'practice' or 'quiz'", field="mode")
NO_FILE = InvalidRequest(
    "There is no file in the request: send one or more parts named `files`.", field="files"
)
EMPTY_QUESTION = QuestionEmpty(
    "The question is empty: send the text to be answered.", field="question"
)
BODY_TOO_LARGE = FileTooLarge(
    "The body is larger than 16,777,216 bytes: send long texts as a file to POST /documents."
)
UPLOAD_TOO_LARGE = FileTooLarge(
    "price-list.pdf is larger than the 209,715,200 bytes that are allowed: split it, or raise "
    "FLOTILLA_GATEWAY_MAX_UPLOAD_BYTES.",
    field="files",
)
OUTSIDE = PathNotAllowed(
    "The path leads outside the folder that is open to ingestion: send one below it.", field="path"
)
LATE = AnswerTimeout(
    f"The answer was not ready in time: its task goes on, poll it at /tasks/{QUESTION_TASK}.",
    task_id=QUESTION_TASK,
)
OUT_OF_REACH = DependencyUnavailable("Redis does not answer: try again.", retry_after=1)
DELETION_UNSENT = DependencyUnavailable(
    "The deletion is written and will be carried out; the broker does not answer now.",
    task_id=TASK,
)
