"""Bytes by reference: uploaded sources, converted pages and batches of chunks.

A reference is a path below the store's address (`<tenant>/<version>/source`). Messages carry
references, never content. A reader sees a whole blob or none: what is being written bears another
name until it is complete.
"""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

import fsspec
from pydantic import BaseModel

from flotilla.errors import DependencyUnavailable, NotFound

Value = TypeVar("Value", bound=BaseModel)


class Sink(Protocol):
    """Takes a blob's bytes, piece by piece."""

    def write(self, data: bytes, /) -> int: ...


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
                with suppress(OSError):  # a full disk refuses what is left in the buffer
                    file.close()
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

    def delete(self, prefix: str) -> None:
        """Remove a blob, or everything below a prefix; what is not there is no error."""
        with _translated(prefix):
            path = self._path(prefix)
            if self.fs.exists(path):
                self.fs.rm(path, recursive=True)

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


def chunks_ref(tenant_id: str, version_id: str, part: int) -> str:
    """One batch of chunks."""
    return f"{tenant_id}/{version_id}/chunks/{part:05d}.jsonl"


def version_prefix(tenant_id: str, version_id: str) -> str:
    """Everything of a version."""
    return f"{tenant_id}/{version_id}"


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
