"""Bytes by reference: uploaded sources, converted pages and batches of chunks.

A reference is a path below the store's address (`<tenant>/<version>/source`). Messages carry
references, never content. A reader sees a whole blob or none: what is being written bears another
name until it is complete.
"""

import errno
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol, TypeVar

import fsspec
from pydantic import BaseModel

from flotilla.errors import DependencyUnavailable, NotFound

Value = TypeVar("Value", bound=BaseModel)


class Sink(Protocol):
    """Takes a blob's bytes, piece by piece."""

    def write(self, data: bytes, /) -> int: ...


class Removed(NamedTuple):
    """What a deletion took away: how many blobs, and their size in bytes."""

    blobs: int
    size: int


class Usage(NamedTuple):
    """What there is below a prefix.

    `size` is in bytes; `written_at` is when the newest blob was written, in seconds since 1970 by
    the store's clock, and 0 where there is none.
    """

    blobs: int
    size: int
    written_at: float


class _Written:
    """A file whose write errors (a full disk, a lost connection) are the store's."""

    def __init__(self, file: IO[bytes], ref: str) -> None:
        self._file = file
        self._ref = ref

    def write(self, data: bytes, /) -> int:
        with _translated(self._ref):
            return self._file.write(data)


class BlobStore:
    """Blobs in a folder (`file:///srv/blobs`) or a bucket (`s3://bucket/prefix`).

    Raises:
        DependencyUnavailable: from every method, when the store cannot be read or written.
    """

    def __init__(self, url: str) -> None:
        self.fs, self.root = fsspec.core.url_to_fs(url)
        self.local = "file" in (
            self.fs.protocol if isinstance(self.fs.protocol, tuple) else (self.fs.protocol,)
        )

    def _path(self, ref: str) -> str:
        return f"{self.root}/{ref}"

    @contextmanager
    def writer(self, ref: str) -> Iterator[Sink]:
        """Write a blob piece by piece; an exception inside leaves no trace of it."""
        path = self._path(ref)
        # An object store makes an object visible only when it is complete; a folder does not.
        target = f"{path}.{uuid.uuid4().hex}.part" if self.local else path
        with _translated(ref):
            if self.local:
                self.fs.makedirs(self.fs._parent(path), exist_ok=True)
            file: IO[bytes] = self.fs.open(target, "wb")
        try:
            yield _Written(file, ref)
            with _translated(ref):
                file.close()
                if self.local:
                    os.replace(target, path)  # noqa: PTH105 - the store's paths are strings
        except BaseException:
            if self.local:
                # A full disk refuses what is left in the buffer, a read-only one the removal; what
                # went wrong is on its way already, and the sweep finds what stays.
                with suppress(OSError):
                    file.close()
                with suppress(OSError):
                    Path(target).unlink(missing_ok=True)
            elif hasattr(file, "discard"):
                file.discard()
            raise

    def put(self, ref: str, data: bytes) -> None:
        with self.writer(ref) as file:
            file.write(data)

    def put_file(self, ref: str, source: Path) -> None:
        """Copy a local file into the store."""
        with source.open("rb") as file, self.writer(ref) as sink:
            shutil.copyfileobj(file, sink, 1024 * 1024)

    def get(self, ref: str) -> bytes:
        with _translated(ref):
            return bytes(self.fs.cat_file(self._path(ref)))

    def exists(self, ref: str) -> bool:
        with _translated(ref):
            return bool(self.fs.exists(self._path(ref)))

    def delete(self, prefix: str) -> Removed:
        """Remove a blob, or everything below a prefix; what is not there is no error.

        Returns what there was. What another process removes at the same moment is counted by
        either or by both; what it writes meanwhile may stay.
        """
        with _translated(prefix):
            found = self.usage(prefix)
            path = self._path(prefix)
            if self.local:
                _remove_tree(Path(path))
            elif self.fs.exists(path):
                with suppress(FileNotFoundError):
                    self.fs.rm(path, recursive=True)
        return Removed(found.blobs, found.size)

    def usage(self, prefix: str) -> Usage:
        """How many blobs there are below a prefix, of what size, and when the last was written."""
        with _translated(prefix):
            details = self.fs.find(self._path(prefix), detail=True).values()
        return Usage(
            blobs=len(details),
            size=sum(int(detail.get("size") or 0) for detail in details),
            written_at=max((_written_at(detail) for detail in details), default=0.0),
        )

    def versions(self) -> Iterator[tuple[str, str]]:
        """Tenant and version of everything that is stored, in no particular order.

        A folder is read as it is gone through; a bucket's listing holds one tenant's versions at
        a time.
        """
        with _translated(""):
            for tenant in self._folders(self.root):
                for version in self._folders(tenant):
                    yield tenant.rpartition("/")[2], version.rpartition("/")[2]

    def _folders(self, path: str) -> Iterator[str]:
        if self.local:
            with suppress(FileNotFoundError), os.scandir(path) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        yield f"{path}/{entry.name}"
            return
        with suppress(FileNotFoundError):
            for detail in self.fs.ls(path, detail=True):
                if detail["type"] == "directory":
                    yield str(detail["name"]).rstrip("/")

    def clock(self) -> float:
        """The store's own time in seconds since 1970: that of a blob that is written now.

        By this and by nothing else is told how old a blob is, since a machine's clock may be an
        hour off.
        """
        ref = f"ping-{uuid.uuid4().hex}"
        self.put(ref, b"1")
        try:
            return self.usage(ref).written_at
        finally:
            self.delete(ref)

    @contextmanager
    def local_path(self, ref: str) -> Iterator[Path]:
        """A path of the local disk with the blob's bytes, for libraries that need a file."""
        if self.local:
            path = Path(self._path(ref))
            if not path.exists():
                raise _missing(ref)
            yield path
            return
        with tempfile.TemporaryDirectory(prefix="flotilla-") as folder:
            path = Path(folder) / "blob"
            with _translated(ref):
                self.fs.get_file(self._path(ref), str(path))
            yield path

    def put_values(self, ref: str, values: Iterable[BaseModel]) -> int:
        """Write values as JSON lines; returns how many there were."""
        count = 0
        with self.writer(ref) as file:
            for value in values:
                file.write(value.model_dump_json().encode() + b"\n")
                count += 1
        return count

    def values(self, ref: str, kind: type[Value]) -> Iterator[Value]:
        """Read values back, one at a time."""
        with _translated(ref), self.fs.open(self._path(ref), "rb") as file:
            for line in file:
                yield kind.model_validate_json(line)

    def ping(self) -> None:
        """Write, read and remove a byte."""
        ref = f"ping-{uuid.uuid4().hex}"
        self.put(ref, b"1")
        self.get(ref)
        self.delete(ref)


# Where the parts of a version lie.


def source_ref(tenant_id: str, version_id: str) -> str:
    """The bytes as they were submitted."""
    return f"{tenant_id}/{version_id}/source"


def pages_ref(tenant_id: str, version_id: str, part: int) -> str:
    """The pages of one page range."""
    return f"{tenant_id}/{version_id}/pages/{part:05d}.jsonl"


def page_index_ref(tenant_id: str, version_id: str) -> str:
    """Where each page stands in the document's text, and in which page range."""
    return f"{tenant_id}/{version_id}/pages/index.jsonl"


def chunks_ref(tenant_id: str, version_id: str, part: int) -> str:
    """One batch of chunks."""
    return f"{tenant_id}/{version_id}/chunks/{part:05d}.jsonl"


def pictures_ref(tenant_id: str, version_id: str) -> str:
    """Which pictures of a document in page ranges are looked at."""
    return f"{tenant_id}/{version_id}/pictures/chosen.jsonl"


def picture_summary_ref(tenant_id: str, version_id: str, digest: str) -> str:
    """What a model said of a picture, by the SHA-256 of its bytes."""
    return f"{tenant_id}/{version_id}/pictures/{digest}.txt"


def pictures_prefix(tenant_id: str, version_id: str) -> str:
    """What is kept of a version's pictures while it is converted."""
    return f"{tenant_id}/{version_id}/pictures"


def version_prefix(tenant_id: str, version_id: str) -> str:
    """Everything of a version."""
    return f"{tenant_id}/{version_id}"


REMOVAL_ATTEMPTS = 5
"""A writer that is late may put a file into a folder that is just being removed."""


def _remove_tree(path: Path) -> None:
    for attempt in range(1, REMOVAL_ATTEMPTS + 1):
        try:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        except FileNotFoundError:
            if not path.exists():  # else another deletion was a step ahead of this one
                return
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or attempt == REMOVAL_ATTEMPTS:
                raise


def _written_at(detail: dict[str, Any]) -> float:
    # A folder gives seconds, S3 a date.
    stamp = detail.get("mtime") or detail.get("LastModified") or 0.0
    return stamp.timestamp() if isinstance(stamp, datetime) else float(stamp)


def _missing(ref: str) -> NotFound:
    return NotFound(f"The stored part {ref!r} is gone: submit the document again.")


@contextmanager
def _translated(ref: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise _missing(ref) from error
    except OSError as error:
        raise DependencyUnavailable(
            f"The blob store cannot be used ({_reason(error)}): check FLOTILLA_BLOB_URL, its "
            "permissions and its free space."
        ) from error


def _reason(error: OSError) -> Any:
    return error.strerror or type(error).__name__
