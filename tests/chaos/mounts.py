"""File systems that a row lays over a folder: a small disk, a read-only one.

They need root on Linux. The harness runs in a mount namespace of its own where it can, so that
nothing of this is seen outside or outlives it.
"""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNS = 0x00020000  # linux/sched.h

_private = False


def isolate() -> None:
    """Give this process and its children a mount namespace of their own, where that is allowed."""
    global _private
    if sys.platform != "linux" or os.geteuid() != 0:
        return
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) == 0:
        _private = _mount("--make-rprivate", "/")


def obstacle() -> str | None:
    """Why nothing can be mounted here; None when it can."""
    if not _private:
        return "file systems are to be mounted: run it as root, on Linux"
    return None


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A disk of so many megabytes in place of the folder's own."""
    _must(_mount("-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)))
    try:
        yield
    finally:
        _unmount(folder)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """The folder as it is, to be read only."""
    _must(_mount("--bind", "-o", "ro", str(folder), str(folder)))
    try:
        yield
    finally:
        _unmount(folder)


def _mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True, timeout=30).returncode == 0


def _unmount(folder: Path) -> None:
    # Lazily: a process that still has a file open in it must not keep it.
    subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, timeout=30)


def _must(mounted: bool) -> None:
    if not mounted:
        raise OSError("mount refused, though a namespace for it was given")
