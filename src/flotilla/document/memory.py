"""Ending a worker process whose task takes too much memory, before the machine suffers for it.

Celery replaces a process that has grown, but only after its task. A document that unpacks into
gigabytes never gets there: the kernel would kill something, and not always the one at fault.
"""

import os
import resource
import threading
import time
from pathlib import Path

from flotilla.ledger.deaths import OUT_OF_MEMORY_EXIT
from flotilla.logging import get_logger

logger = get_logger(__name__)

STATM = Path("/proc/self/statm")
LOOK_SECONDS = 0.25
# What grows too quickly to be seen is refused by the kernel at this multiple of the limit.
HARD_LIMIT_FACTOR = 2


def watch_memory(limit: int) -> None:
    """Watch this process from a thread, and end it when it takes more than `limit` bytes.

    Linux alone tells a process its size cheaply; elsewhere nothing is watched.
    """
    if not STATM.exists():
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = limit * HARD_LIMIT_FACTOR
    if hard == resource.RLIM_INFINITY or soft < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
    threading.Thread(target=_watch, args=(limit,), name="memory", daemon=True).start()


def _watch(limit: int) -> None:
    page = resource.getpagesize()
    while True:
        resident = int(STATM.read_text().split()[1]) * page
        if resident > limit:
            logger.error("memory.limit_exceeded", resident=resident, limit=limit)
            os._exit(OUT_OF_MEMORY_EXIT)
        time.sleep(LOOK_SECONDS)
