"""How workers tell Flower what they do: in batches.

Celery by default publishes a worker's task events at every turn of its loop, which for short tasks
is a fifth of all that a worker does. Nobody watches a dashboard by the millisecond.
"""

import time
from typing import Any

from celery.app.events import Events
from celery.events.dispatcher import EventDispatcher

FLUSH_SECONDS = 0.5


class BatchingDispatcher(EventDispatcher):
    """Publishes task events at most every FLUSH_SECONDS, and with each of the worker's heartbeats.

    The heartbeats come every two seconds, so that the last events of a burst wait no longer.
    """

    _flushed_at = 0.0

    def flush(self, errors: bool = True, groups: bool = True) -> None:
        moment = time.monotonic()
        if moment - self._flushed_at >= FLUSH_SECONDS:
            self._flushed_at = moment
            super().flush(errors, groups)

    def send(self, type: str, *args: Any, **fields: Any) -> Any:  # noqa: A002 - Celery's name
        sent = super().send(type, *args, **fields)
        if type.startswith("worker-"):
            self._flushed_at = time.monotonic()
            super().flush()
        return sent


class FleetEvents(Events):
    """Celery's events with the dispatcher above."""

    dispatcher_cls = f"{__name__}:{BatchingDispatcher.__name__}"
