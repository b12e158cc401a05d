"""The node's upkeep in the background: flushing what was written, optimising what has grown."""

import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

from flotilla.local.qdrant.optimize_copy import NOTHING_TO_DO
from flotilla.local.qdrant.room import has_room_for_copy
from flotilla.local.qdrant.shard import Shard
from flotilla.local.qdrant.store import Store
from flotilla.logging import get_logger

logger = get_logger(__name__)

FLUSH_EVERY = 1.0  # seconds that a machine's crash may cost
DUE_POINTS = 5_000  # below this an optimisation is dearer than what it saves
DUE_SHARE = 0.1  # of a collection's points: what a reader would notice
QUIET_SECONDS = 3.0  # without a write, after which things have calmed down
RESTLESS_POINTS = 50_000  # written without a pause, after which calm is not waited for
ROOM_SECONDS = 60.0  # until the next look at a disk that was too full for a copy


class Optimizer:
    """The thread that flushes and optimises a store's shards.

    Args:
        store: whose shards.
        due_points: points written to a shard that make an optimisation worth while.
    """

    def __init__(self, store: Store, due_points: int = DUE_POINTS) -> None:
        self._store = store
        self._due_points = due_points
        self._stopping = Event()
        self._look_again = 0.0
        self._thread = Thread(target=self._run, name="qdrant-optimizer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; an optimisation under way is given up."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(FLUSH_EVERY):
            for shard in self._store.shards():
                try:
                    shard.flush()
                    if self._due(shard) and self._has_room(shard):
                        self._optimize(shard)
                except Exception:
                    # Upkeep of one shard must not end all upkeep.
                    logger.exception("qdrant_upkeep_failed", folder=shard.folder.name)
                if self._stopping.is_set():
                    return

    def _due(self, shard: Shard) -> bool:
        if shard.closed or shard.written < max(self._due_points, DUE_SHARE * shard.optimized):
            return False
        quiet = time.monotonic() - shard.updated_at >= QUIET_SECONDS
        return quiet or shard.written >= RESTLESS_POINTS

    def _has_room(self, shard: Shard) -> bool:
        if time.monotonic() < self._look_again:
            return False
        if has_room_for_copy(shard.folder):
            return True
        self._look_again = time.monotonic() + ROOM_SECONDS
        logger.warning("qdrant_no_room_to_optimize", folder=shard.folder.name)
        return False

    def _optimize(self, shard: Shard) -> None:
        copy = self._store.new_folder()
        started = time.monotonic()
        try:
            shard.copy_to(copy)
            code = self._run_child(copy)
            if code == 0:
                shard.replace(copy, self._store.save)
                seconds = round(time.monotonic() - started, 2)
                logger.info("qdrant_optimized", points=shard.optimized, seconds=seconds)
            elif code != NOTHING_TO_DO and not self._stopping.is_set():
                logger.warning("qdrant_optimization_failed", exit_code=code)
        finally:
            shard.forget()
            if shard.folder != copy:
                shutil.rmtree(copy, ignore_errors=True)

    def _run_child(self, folder: Path) -> int:
        module = "flotilla.local.qdrant.optimize_copy"
        command = [sys.executable, "-m", module, str(folder), str(os.getpid())]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL) as child:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    return child.wait(timeout=0.1)
                if self._stopping.is_set():
                    child.kill()
