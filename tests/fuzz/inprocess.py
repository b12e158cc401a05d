"""The document fleet's code over mutated files, in child processes with a time limit.

Finds what the converters and the splitter stumble over at many times the speed of a stack. A child
is watched from outside: that it dies or hangs is a finding like any other.
"""

import logging
import multiprocessing
import resource
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from tests.fuzz.endings import COMPLETED
from tests.fuzz.files import MutatedFile, mutated_file

CRASHED, HUNG = "worker_lost", "time_limit"
PAGES_PER_RANGE = 3  # small, so that seven pages are ranges
MOST_RANGES = 50  # a page tree that claims a million pages is not walked to its end here


@dataclass(frozen=True)
class Ending:
    """How one file ended: COMPLETED or an error's code; `trace` is of what nobody foresaw."""

    number: int
    code: str
    seconds: float
    chunks: int = 0
    peak: int = 0  # bytes that its process has had in memory at most so far
    detail: str = ""

    @property
    def is_fault(self) -> bool:
        """Whether this is a bug, whatever the file holds."""
        return self.code in ("internal_error", CRASHED, HUNG)


class Reader:
    """Reads documents as the tasks `document.convert` and `document.split` do, blobs included."""

    def __init__(self, folder: Path) -> None:
        from flotilla.blobs import BlobStore
        from flotilla.document.splitter import SectionSplitter
        from flotilla.settings import get_settings

        settings = get_settings()
        self._folder = folder
        self._blobs = BlobStore(f"file://{folder}/blobs")
        self._unpacked = settings.document.max_unpacked_bytes
        self._splitter = SectionSplitter(
            settings.embedding_model_folder,
            chunk_tokens=settings.document.chunk_tokens,
            overlap=settings.document.chunk_overlap,
        )

    def read(self, file: MutatedFile) -> int:
        """The number of chunks. Raises whatever the fleet's code raises."""
        from flotilla.blobs import chunks_ref, pages_ref
        from flotilla.document.converters import converter_for
        from flotilla.document.detect import detect
        from flotilla.errors import NoText
        from flotilla.models import Page

        path = self._folder / "source"
        path.write_bytes(file.data)
        media_type = detect(path, file.name, None)
        converter = converter_for(media_type, max_unpacked_bytes=self._unpacked)
        info = converter.inspect(path, password=file.password)
        refs: list[str] = []
        for first, last in _ranges(info.pages):
            refs.append(pages_ref("tenant", "version", len(refs)))
            pages = converter.pages(path, first=first, last=last, password=file.password)
            self._blobs.put_values(refs[-1], pages)
        stored = (page for ref in refs for page in self._blobs.values(ref, Page))
        chunks = self._splitter.split(stored, document_id="document", version_id="version")
        total = self._blobs.put_values(chunks_ref("tenant", "version", 0), chunks)
        if total == 0:
            raise NoText("The document holds no text.")
        return total


def _ranges(pages: int | None) -> list[tuple[int, int | None]]:
    if pages is None or pages <= PAGES_PER_RANGE:
        return [(1, None)]
    firsts = range(1, pages + 1, PAGES_PER_RANGE)[:MOST_RANGES]
    return [(first, min(first + PAGES_PER_RANGE - 1, pages)) for first in firsts]


def _serve(connection: Connection, seed: int, folder: Path) -> None:
    """A child: takes numbers, gives endings."""
    from flotilla.errors import FlotillaError

    logging.disable(logging.ERROR)  # the parsers complain of each byte
    warnings.simplefilter("ignore")
    reader = Reader(folder)
    connection.send(None)
    while (number := connection.recv()) is not None:
        began = time.perf_counter()
        chunks, code, detail = 0, COMPLETED, ""
        try:
            chunks = reader.read(mutated_file(seed, number))
        except FlotillaError as error:
            code, detail = error.code, error.message
        except Exception:  # noqa: BLE001 - this is what is looked for
            code, detail = "internal_error", traceback.format_exc()
        seconds = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        connection.send(Ending(number, code, seconds, chunks, peak, detail))


class _Child:
    """A child process that is replaced when it dies or hangs."""

    def __init__(self, seed: int, limit: float) -> None:
        self._seed, self._limit = seed, limit
        self._context = multiprocessing.get_context("spawn")
        # A child that is killed removes nothing.
        self._folder = tempfile.TemporaryDirectory(prefix="flotilla-fuzz-")
        self._start()

    def _start(self) -> None:
        self._connection, theirs = self._context.Pipe()
        arguments = (theirs, self._seed, Path(self._folder.name))
        self._process = self._context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        self._connection.recv()

    def carry_out(self, number: int) -> Ending:
        began = time.perf_counter()
        self._connection.send(number)
        try:
            if self._connection.poll(self._limit):
                ending: Ending = self._connection.recv()
                return ending
            code, detail = HUNG, f"no end after {self._limit:g} s"
        except (EOFError, ConnectionError):
            self._process.join()
            code, detail = CRASHED, f"its process ended with exit code {self._process.exitcode}"
        self._process.kill()
        self._process.join()
        self._start()
        return Ending(number, code, time.perf_counter() - began, detail=detail)

    def close(self) -> None:
        self._connection.send(None)
        self._process.join(5)
        self._process.kill()
        self._process.join()
        self._folder.cleanup()


def endings(
    seed: int, numbers: Iterable[int], *, limit: float = 20.0, children: int = 2
) -> Iterator[Ending]:
    """How the files of these numbers end, in the order of the numbers.

    Args:
        seed: of the mutations.
        numbers: of the files.
        limit: seconds that one file may take.
        children: processes at once.
    """
    local, started = threading.local(), []

    def carry_out(number: int) -> Ending:
        if not hasattr(local, "child"):
            local.child = _Child(seed, limit)
            started.append(local.child)
        ending: Ending = local.child.carry_out(number)
        return ending

    with ThreadPoolExecutor(children) as pool:
        try:
            yield from pool.map(carry_out, numbers)
        finally:
            pool.shutdown(cancel_futures=True)
            for child in started:
                child.close()
