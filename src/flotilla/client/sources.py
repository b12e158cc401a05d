"""The files of an upload, read piece by piece: a whole file is never in memory."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from flotilla.client.errors import SourceChanged

Content = str | os.PathLike[str] | BinaryIO
Source = Content | tuple[str, Content]
"""A path or an open binary file, or a pair of the name that it is to have and one of these."""

UploadProgress = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes of it that have left, and its size where it is known."""


class FileSource:
    """One file of a multipart body, with the file methods that httpx asks for.

    A path is opened when its first byte is wanted and closed after its last, so that an upload
    of a thousand files holds one of them open.

    Raises:
        OSError: there is no such file, or it may not be read.
    """

    def __init__(self, source: Source, progress: UploadProgress | None = None) -> None:
        name, content = source if isinstance(source, tuple) else (None, source)
        self._path: Path | None = None
        self._file: BinaryIO | None = None
        self._progress = progress
        self._sent = 0
        self._start = 0
        self.size: int | None = None
        if isinstance(content, (str, os.PathLike)):
            self._path = Path(content)
            self.name = name or self._path.name
            with self._path.open("rb") as file:  # what cannot be read is refused before sending
                self.size = os.fstat(file.fileno()).st_size
            return
        self._file = content
        self.name = name or Path(str(getattr(content, "name", "upload"))).name
        if content.seekable():
            self._start = content.tell()
            self.size = content.seek(0, os.SEEK_END) - self._start
            content.seek(self._start)

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most `size` and never beyond the size that was announced."""
        if self._file is None:
            if self.size is not None and self._sent >= self.size:
                return b""
            assert self._path is not None  # noqa: S101 - one of the two is set
            self._file = self._path.open("rb")
        left = size if self.size is None else min(size, self.size - self._sent)
        data = self._file.read(left) if left else b""
        if not data and self.size is not None and self._sent < self.size:
            self.close()
            raise SourceChanged(f"{self.name} became shorter while it was sent: send it again.")
        self._sent += len(data)
        if data and self._progress:
            self._progress(self.name, self._sent, self.size)
        if self._sent == self.size:
            self.close()
        return data

    def tell(self) -> int:
        """The offset in the announced bytes."""
        return self._sent

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Tell the end, or go back to the start; httpx asks for nothing else.

        Raises:
            OSError: the source is a stream whose size nobody knows.
        """
        if whence == os.SEEK_END:
            if self.size is None:
                raise OSError(f"{self.name} is a stream without a size")
            return self.size
        if offset == 0 and self._sent:
            if self.size is None:
                raise OSError(f"{self.name} is a stream that cannot be read twice")
            self.close()
            self._sent = 0
            if self._file is not None:
                self._file.seek(self._start)
        return offset

    def close(self) -> None:
        """Close what this source opened itself; a file of the caller's stays open."""
        if self._path is not None and self._file is not None:
            self._file.close()
            self._file = None
