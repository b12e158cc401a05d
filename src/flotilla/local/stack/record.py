"""A stack as `stack.json` in its data folder remembers it, so that every command finds it."""

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from flotilla.errors import StackFailed
from flotilla.local.stack.options import Ports, StackOptions
from flotilla.local.stack.programs import (
    Program,
    ProgramTable,
    cache_url,
    http_address,
    qdrant_url,
    redis_url,
)
from flotilla.models import Value
from flotilla.settings import Settings

LONGEST_SOCKET_PATH = 90
"""The systems allow 104 bytes at least; supervisord appends its process id while it binds."""


TAIL_BYTES = 16 * 1024
"""How much of a log's end is read to show its last lines."""


@dataclass(frozen=True)
class StackAddresses:
    """Where the parts of a stack are reached from this machine."""

    data: Path
    gateway: str
    redis: str
    cache: str | None
    qdrant: str
    flower: str | None
    logs: Path


class StackRecord(Value):
    """One stack as it was last started; `ports` are those asked for, `taken` those given."""

    data: Path
    host: str
    ports: Ports
    taken: Ports
    redis_url: str
    cache_url: str | None = None
    qdrant_url: str
    programs: tuple[Program, ...]
    socket: Path

    @property
    def logs(self) -> Path:
        """The folder with one log a program."""
        return self.data / "logs"

    def log(self, name: str) -> Path:
        """The log of one program."""
        return self.logs / f"{name}.log"

    def tail(self, name: str, lines: int = 20) -> str:
        """The last lines of a program's log; empty when it has none."""
        log = self.log(name)
        try:
            with log.open("rb") as file:
                file.seek(max(0, log.stat().st_size - TAIL_BYTES))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.rstrip().splitlines()[-lines:])

    @property
    def addresses(self) -> StackAddresses:
        """Where the stack is reached."""
        flower = next((p.address for p in self.programs if p.name == "flower"), None)
        return StackAddresses(
            data=self.data,
            gateway=http_address(self.host, self.taken.gateway),
            redis=self.redis_url,
            cache=self.cache_url,
            qdrant=self.qdrant_url,
            flower=flower,
            logs=self.logs,
        )

    def settings(self, settings: Settings) -> Settings:
        """The caller's settings, turned to this stack."""
        qdrant = settings.qdrant.model_copy(update={"url": self.qdrant_url})
        changes = {
            "data": self.data,
            "redis_url": self.redis_url,
            "qdrant": qdrant,
            "cache": settings.cache.model_copy(update={"url": self.cache_url}),
        }
        return settings.model_copy(update=changes)

    def remove_socket(self) -> None:
        """Remove the socket and, where it has one of its own, its folder."""
        self.socket.unlink(missing_ok=True)
        if self.socket.parent != self.data:
            with suppress(OSError):
                self.socket.parent.rmdir()

    def save(self) -> None:
        """Write `stack.json` in one step."""
        target = self.data / "stack.json"
        partial = target.with_suffix(".json.partial")
        partial.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        partial.replace(target)


def new_record(
    settings: Settings, options: StackOptions, taken: Ports, table: ProgramTable
) -> StackRecord:
    """The record of a stack that is about to start."""
    return StackRecord(
        data=options.data,
        host=options.host,
        ports=options.ports,
        taken=taken,
        redis_url=redis_url(settings, taken),
        cache_url=cache_url(settings, taken),
        qdrant_url=qdrant_url(settings, taken),
        programs=tuple(table(settings, options, taken)),
        socket=_socket_path(options.data),
    )


def read_record(data: Path) -> StackRecord | None:
    """What `stack.json` in the data folder says; None when there is none that can be read."""
    try:
        text = (data.expanduser().resolve() / "stack.json").read_text(encoding="utf-8")
        return StackRecord.model_validate_json(text)
    except (OSError, ValidationError):
        return None


def read_addresses(data: Path) -> StackAddresses | None:
    """Where the stack of this data folder was last reached; it need not be running."""
    record = read_record(data)
    return record.addresses if record else None


@contextmanager
def exclusive(data: Path) -> Iterator[None]:
    """Keep other commands from starting or stopping this stack meanwhile.

    Raises:
        StackFailed: another command is at it.
    """
    with (data / "stack.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackFailed(
                f"Another `flotilla up` or `flotilla down` is at work on {data}: "
                "wait until it has ended, then try again."
            ) from None
        yield


def _socket_path(data: Path) -> Path:
    path = data / "supervisor.sock"
    if len(bytes(path)) <= LONGEST_SOCKET_PATH:
        return path
    folder = Path(tempfile.mkdtemp(prefix="flotilla-"))
    if len(bytes(folder)) > LONGEST_SOCKET_PATH - len("/s"):
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="flotilla-", dir="/tmp"))
    return folder / "s"
