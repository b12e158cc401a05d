"""One collection's shard of Qdrant's engine: parallel reads, one write at a time, and a swap.

The engine's own locks order reads and writes, and its write-ahead log is memory-mapped, so that
an update is in the kernel's hands when it returns: it survives the death of the process. A
flush, which is what survives the death of the machine, follows within a second (`flush`).

`optimize()` of the engine keeps Python's global lock until it is done, many seconds later, so
it runs in a child process on a copy. Writes that come in the meantime go to the shard as ever and
into a journal, which the copy gets before it takes the shard's place.

After an error of the disk the engine refuses every further update. It is opened anew then, and
replays its log: what was acknowledged is in it.
"""

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Condition, RLock
from typing import Any

import qdrant_edge as edge

from flotilla.local.qdrant.errors import EngineFailure, Missing, StorageFull
from flotilla.local.qdrant.errors import engine as engine_errors
from flotilla.local.qdrant.room import takes_files

COPY_BYTES = 8 * 1024 * 1024


def copy_sparse(source: str, target: str) -> None:
    """Copy a file without its holes: the engine allots 32 MB at once to hold a few kilobytes."""
    with Path(source).open("rb", buffering=0) as read, Path(target).open("wb") as write:
        size = os.fstat(read.fileno()).st_size
        write.truncate(size)
        end = 0
        while end < size:
            try:
                start = os.lseek(read.fileno(), end, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:  # a hole up to the end of the file
                    return
                raise
            end = os.lseek(read.fileno(), start, os.SEEK_HOLE)
            read.seek(start)
            write.seek(start)
            while (left := end - read.tell()) > 0:
                write.write(read.read(min(left, COPY_BYTES)))


class Shard:
    """A shard that any thread may read and write.

    Args:
        folder: the engine's folder.
        created: the body that the collection was created with.
        optimized: points that it held when it was last optimised.
        config: makes a new shard in the folder; None opens the one that is there.
    """

    def __init__(
        self,
        folder: Path,
        created: Any,
        *,
        optimized: int = 0,
        config: edge.EdgeConfig | None = None,
    ) -> None:
        self.folder = folder
        self.created = created
        self.optimized = optimized
        self.updated_at = time.monotonic()
        self.closed = False
        self._dirty = False
        self._failed = False
        self._operations = 0
        self._journal: list[edge.UpdateOperation] | None = None
        self._writing = RLock()
        self._gate = Condition()
        self._readers = 0
        self._swapping = False
        with engine_errors():
            self._engine = (
                edge.EdgeShard.create(str(folder), config)
                if config
                else edge.EdgeShard.load(str(folder))
            )
        self.written = abs(self._engine.info().points_count - optimized)

    @contextmanager
    def reading(self) -> Iterator[edge.EdgeShard]:
        """The engine, which stays open until the block ends; its errors get their class.

        Not to be nested: a swap between the two would wait for ever.

        Raises:
            Missing: the collection has just been deleted.
        """
        with self._gate:
            self._gate.wait_for(lambda: not self._swapping)
            self._require_open()
            self._readers += 1
        try:
            with engine_errors():
                yield self._engine
        finally:
            with self._gate:
                self._readers -= 1
                self._gate.notify_all()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """A block during which nobody reads."""
        with self._gate:
            self._swapping = True
            self._gate.wait_for(lambda: self._readers == 0)
            try:
                yield
            finally:
                self._swapping = False
                self._gate.notify_all()

    def _require_open(self) -> None:
        if self.closed:
            raise Missing("Not found: the collection has been deleted!")

    def update(self, operations: Sequence[edge.UpdateOperation], points: int) -> list[int]:
        """Apply updates in their order; they survive a kill of the process when this returns.

        Args:
            operations: what to apply; those before one that fails stay applied.
            points: about how many points they touch.

        Returns:
            the number of each operation, counted since the shard was opened.
        """
        numbers = []
        with self._writing:
            self._require_open()
            self._recover()
            self._dirty = True
            self.updated_at = time.monotonic()
            for operation in operations:
                with self._noting_failure():
                    self._engine.update(operation)
                if self._journal is not None:
                    self._journal.append(operation)
                self._operations += 1
                numbers.append(self._operations)
            self.written += points
        return numbers

    @contextmanager
    def _noting_failure(self) -> Iterator[None]:
        try:
            with engine_errors():
                yield
        except (EngineFailure, StorageFull):
            self._failed = True
            raise

    def _recover(self) -> None:
        """Open the engine anew after it has failed, as soon as the disk works.

        It cannot be opened twice at once, and the one that has failed can still be read.

        Raises:
            EngineFailure, StorageFull: it cannot be opened.
        """
        if not self._failed or not takes_files(self.folder):
            return
        with self._alone(), engine_errors():
            with suppress(Exception):
                self._engine.close()
            self._engine = edge.EdgeShard.load(str(self.folder))
        self._failed = False

    def vector_of(self, point: int | str, using: str | None) -> Any:
        """The stored vector of a point.

        Raises:
            Missing: there is no such point.
            BadRequest: it has no vector of that name.
        """
        with self.reading() as engine:
            found = engine.retrieve([point], False, [using or ""])
            if not found:
                raise LookupError(f"No point with id {point} found")
            vector: Any = found[0].vector
            if isinstance(vector, dict):
                vector = vector.get(using)
            if vector is None:
                raise LookupError(f"the point {point} has no vector {using!r}")
            return vector

    def flush(self) -> None:
        """Bring what was written to the disk itself.

        Raises:
            EngineFailure, StorageFull: the disk does not take it; the next call tries again.
        """
        with self._writing:
            if self.closed:
                return
            self._recover()
            if self._dirty:
                with self._noting_failure():
                    self._engine.flush()
                self._dirty = False

    def copy_to(self, folder: Path) -> None:
        """Copy the shard, and keep a journal from now on until `replace` or `forget`.

        Raises:
            Missing: the collection has just been deleted.
        """
        with self._writing:
            self._require_open()
            self._engine.flush()
            # The log goes along, though a flush has made it superfluous: the engine numbers its
            # updates by it, and skips one with a lower number than the point's last.
            shutil.copytree(self.folder, folder, copy_function=copy_sparse)
            self._journal = []
            self.optimized = self._engine.info().points_count
            # Whatever comes of the copy, these writes are no reason to make another.
            self.written = 0

    def replace(self, folder: Path, commit: Callable[[], None]) -> None:
        """Let the copy take the shard's place, with the writes since the copy was made.

        Args:
            folder: the optimised copy.
            commit: makes the change of folder known to the next start; called when the copy
                holds every acknowledged write.

        Raises:
            Missing: the collection has just been deleted.
        """
        with engine_errors():
            fresh = edge.EdgeShard.load(str(folder))
        with self._writing:
            self._require_open()
            for operation in self._journal or ():
                with engine_errors():
                    fresh.update(operation)
            fresh.flush()
            old, old_folder = self._engine, self.folder
            # Up to here a kill starts from the old folder, from here on from the new: either
            # has every write.
            self.folder = folder
            try:
                commit()
            except BaseException:
                self.folder = old_folder
                raise
            with self._alone():
                self._engine = fresh
            self._journal = None
        old.close()
        shutil.rmtree(old_folder, ignore_errors=True)

    def forget(self) -> None:
        """End the journal: the copy will not be used."""
        with self._writing:
            self._journal = None

    def close(self) -> None:
        """Flush and release the shard; readers are waited for."""
        with self._writing, self._alone():
            if not self.closed:
                self.closed = True
                self._engine.flush()
                self._engine.close()
