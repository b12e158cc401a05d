"""Keeping worker processes small, and ending one whose task takes too much memory, before the
machine suffers for it.

Celery replaces a process that has grown, but only after its task. A document that unpacks into
gigabytes never gets there: the kernel would kill something, and not always the one at fault.
"""

import ctypes
import os
import resource
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from flotilla.ledger.deaths import OUT_OF_MEMORY_EXIT
from flotilla.logging import get_logger

logger = get_logger(__name__)

STATM = Path("/proc/self/statm")
LOOK_SECONDS = 0.25
# What grows too quickly to be seen is refused by the kernel at this multiple of the limit.
HARD_LIMIT_FACTOR = 2
SURPLUS = 16 * 2**20  # bytes by which a process grows before it is worth a look


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


class Surplus:
    """What a task has freed and the C library keeps, given back to the system.

    Documents of many sizes leave holes between what stays: over 700 damaged files a process grew
    to 216 MiB, and to 178 with this, which took 1.4 ms now and then.
    """

    def __init__(self) -> None:
        self._kept = 0
        self._trim: Callable[[int], int] | None = None
        # Only the GNU C library has it.
        with suppress(AttributeError, OSError, TypeError):
            self._trim = ctypes.CDLL(None).malloc_trim

    def give_back(self) -> None:
        """Give back what is unused, if the process has grown since this was done."""
        if self._trim is not None and STATM.exists() and _resident() > self._kept + SURPLUS:
            self._trim(0)
            self._kept = _resident()


def _resident() -> int:
    return int(STATM.read_text().split()[1]) * resource.getpagesize()


def _watch(limit: int) -> None:
    while True:
        resident = _resident()
        if resident > limit:
            logger.error("memory.limit_exceeded", resident=resident, limit=limit)
            os._exit(OUT_OF_MEMORY_EXIT)
        time.sleep(LOOK_SECONDS)
