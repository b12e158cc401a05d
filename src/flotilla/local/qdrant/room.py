"""Room on the disk: writes are refused while there is still some, since the engine cannot do it.

The engine writes to files that it has mapped into memory and that have holes. A page of them for
which the disk has no room left does not give an error but a signal that ends the process. What
was acknowledged survives that, but nobody could search until somebody made room.
"""

import os
import shutil
import tempfile
from pathlib import Path

from flotilla.local.qdrant.errors import StorageFull

MIB = 1024 * 1024

GROWTH_RESERVE = 64 * MIB
"""Left free by updates that store something. Two of the engine's files, at 32 MB each, may be
filled while one batch is written and flushed."""

REMOVAL_RESERVE = 8 * MIB
"""Left free by updates that remove, which make room in the end: a line of the log and some bits."""

WRITTEN_PER_BYTE = 4
"""Bytes on the disk for each of a request: the log, the vectors, the payload and its indexes."""

ENGINE_FILE = 32 * MIB
"""The size at which the engine lays out its files."""

COPIES = 2
"""Of a shard on top of itself while it is optimised: the copy, and what it is turned into."""


def require_room(folder: Path, size: int, *, removal: bool = False) -> None:
    """See that an update may be written.

    Args:
        folder: where it is written.
        size: of the request in bytes.
        removal: whether it only removes.

    Raises:
        StorageFull: the disk has too little room.
    """
    needed = REMOVAL_RESERVE if removal else GROWTH_RESERVE + WRITTEN_PER_BYTE * size
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StorageFull(
            f"Service runtime error: no space left on device: {free // MIB} MB are free and "
            f"{needed // MIB} MB are needed"
        )


def has_room_for_copy(folder: Path) -> bool:
    """Whether a shard may be copied and optimised without filling the disk."""
    return shutil.disk_usage(folder).free >= GROWTH_RESERVE + COPIES * allocated(folder)


def takes_files(folder: Path) -> bool:
    """Whether the disk lets a file be laid out and written as the engine does it."""
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            file.truncate(ENGINE_FILE)
            file.write(b"\0" * MIB)
            os.fsync(file.fileno())
    except OSError:
        return False
    return True


def allocated(folder: Path) -> int:
    """Bytes of the disk that a folder's files take, holes excluded."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(path) / name).lstat().st_blocks * 512
            except FileNotFoundError:  # the engine has just replaced it
                continue
    return total
