"""Reaping where beat does not ask for it: it is dead, or its messages wait behind a long queue.

Each worker of the fleet looks now and then, and the first that finds the reaper overdue does a
round of it, in a thread beside its tasks.
"""

import threading
from typing import Any

from celery.signals import worker_ready, worker_shutting_down

from flotilla.logging import get_logger
from flotilla.upkeep import reaper

logger = get_logger(__name__)

LOOK_SECONDS = 1.0

_over = threading.Event()


@worker_ready.connect
def _start(**_: Any) -> None:
    threading.Thread(target=_watch, name="reaper's stand-in", daemon=True).start()


@worker_shutting_down.connect
def _stop(**_: Any) -> None:
    _over.set()


def _watch() -> None:
    while not _over.wait(LOOK_SECONDS):
        try:
            if reaper.is_overdue():
                logger.info("reap.stand_in")
                reaper.reap()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next look may be luckier
            logger.warning("reap.stand_in_failed", error=str(error))
