"""Examples of what runs the system: webhooks, models, caches, sweeps, health."""

from typing import Any

from flotilla import __version__
from flotilla.gateway.examples.subjects import (
    BEGAN,
    DELIVERY,
    ENDED,
    QUESTION,
    RECEIVER,
    SPACE,
    TASK,
    WEBHOOK,
)
from flotilla.gateway.examples.tasks import ENDED_TASK

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
_cache_counts = {"ttl": 1800, "hits": 31, "misses": 9, "hit_rate": 0.775}
NOT_READY: dict[str, Any] = {
    "status": "not ready",
    "dependencies": {
        "redis": {"ok": True, "latency_ms": 0.31},
        "fleet:rag": {"ok": False, "latency_ms": 1.2, "detail": "no live worker"},
    },
}

SCHEMAS: dict[str, Any] = {
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
        "task": ENDED_TASK,
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
