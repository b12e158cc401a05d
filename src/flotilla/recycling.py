"""Replacing a worker process that has grown or has served long enough.

Celery replaces the children of the prefork pool by itself. The fleets whose tasks run in threads
have one process for all of them: it ends as on SIGTERM, after the tasks that it has, and whoever
runs it (supervisord, a container's restart policy) starts the next.
"""

import os
import random
import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celery.signals import heartbeat_sent, task_postrun

from flotilla.logging import get_logger

logger = get_logger(__name__)

STATM = Path("/proc/self/statm")
# Workers that were started together shall not go together.
SPREAD = 0.1


def resident_bytes() -> int:
    """Resident memory of this process; 0 where it cannot be told."""
    try:
        return int(STATM.read_text().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return 0


@dataclass
class Recycler:
    """Ends its process once it is larger than `max_memory` bytes or has run `max_tasks` tasks."""

    max_memory: int
    max_tasks: int
    end: Callable[[], None]
    tasks: int = 0
    ending: bool = False

    def count(self, **_: Any) -> None:
        self.tasks += 1

    def look(self, **_: Any) -> None:
        if self.ending:
            return
        resident = resident_bytes()
        if resident > self.max_memory or self.tasks >= self.max_tasks:
            self.ending = True
            logger.info("worker.recycling", resident=resident, tasks=self.tasks)
            self.end()


def recycle(max_memory: int, max_tasks: int) -> Recycler:
    """Have this worker end when it has grown to `max_memory` bytes or run `max_tasks` tasks."""
    spread = 1 + random.uniform(-SPREAD, SPREAD)
    recycler = Recycler(
        int(max_memory * spread),
        max(1, int(max_tasks * spread)),
        lambda: os.kill(os.getpid(), signal.SIGTERM),
    )
    task_postrun.connect(recycler.count, weak=False)
    heartbeat_sent.connect(recycler.look, weak=False)
    return recycler
