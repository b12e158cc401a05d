"""Memory: what each process of a fresh stack holds before, during and after one PDF of 2,000 pages
and a thousand documents at once."""

import threading
from collections import Counter
from contextlib import suppress

import psutil

from flotilla.settings import FLEETS
from tests.benchmarks.corpus import write_pdf
from tests.benchmarks.report import Outcome, Row, Table
from tests.benchmarks.stack import Stack, progress

PAGES, DOCUMENTS = 2000, 1000  # of the long PDF, and how many of one page are queued at once
QUICK = 10  # parts of both in a quick run
LINES, FEW_LINES = 32, 12  # a page; about 400 words, and 150
GOAL = 700  # MiB of each worker
SAMPLE_SECONDS = 0.5
ALL = "all at once, what is shared counted once"
MEBIBYTE = 1024 * 1024


class Watch:
    """Samples the resident memory of a stack's processes in a thread while it is entered."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._names: dict[int, str] = {}
        self.peaks: dict[str, int] = {}

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def look(self) -> dict[str, int]:
        """Resident bytes by process now, and under ALL what the machine gives for all of them.

        A program's children are numbered in the order of their making. Where the system does not
        tell proportional sizes, ALL is the plain sum.
        """
        resident: dict[str, int] = {}
        total = 0
        for pid, (program, process) in sorted(self._stack.processes().items()):
            with suppress(psutil.Error):
                sizes = process.memory_full_info()
                resident[self._name(pid, program)] = sizes.rss
                total += getattr(sizes, "pss", sizes.rss)
        return resident | {ALL: total}

    def _name(self, pid: int, program: str) -> str:
        if pid not in self._names:
            earlier = Counter(name.partition(" ")[0] for name in self._names.values())[program]
            self._names[pid] = f"{program} child {earlier}" if earlier else program
        return self._names[pid]

    def _run(self) -> None:
        while not self._stopping.wait(SAMPLE_SECONDS):
            for name, size in self.look().items():
                self.peaks[name] = max(self.peaks.get(name, 0), size)


def run(stack: Stack, quick: bool) -> Outcome:
    """Ingest one long PDF, then many short ones, while the processes are watched."""
    part = QUICK if quick else 1
    folder = stack.data / "memory"
    folder.mkdir()
    pages, documents = PAGES // part, DOCUMENTS // part
    long = write_pdf(folder / "annals.pdf", pages, 2000, LINES)
    short = [
        write_pdf(folder / f"leaf-{number:04}.pdf", 1, 3000 + number, FEW_LINES)
        for number in range(documents)
    ]
    stack.settle()
    rows, tables = [], []
    values: dict[str, object] = {}
    for what, files, collection in (
        (f"one PDF of {pages:,} pages", [long], "annals"),
        (f"{documents:,} documents at once", short, "leaves"),
    ):
        watch = Watch(stack)
        before = watch.look()
        progress(f"memory: ingesting {what}")
        with watch:
            seconds, ids = stack.ingest(files, collection)
            stack.settle()
        after = watch.look()
        chunks = sum(stack.client.document(id_).chunks or 0 for id_ in ids)
        rows += _rows(f"{what}, {chunks:,} chunks, {seconds:.0f} s", before, watch.peaks)
        tables.append(_table(what, before, watch.peaks, after))
        values[collection] = {
            "before": before,
            "peak": watch.peaks,
            "after": after,
            "seconds": seconds,
            "chunks": chunks,
        }
    return Outcome(rows, tables=tables, values=values)


def _rows(what: str, before: dict[str, int], peaks: dict[str, int]) -> list[Row]:
    largest = max((name for name in peaks if _is_worker(name)), key=lambda name: peaks[name])
    least, most = before[ALL], peaks[ALL]
    return [
        Row(
            f"largest worker, {what}",
            f"{largest}: {_mib(peaks[largest])} MiB at most",
            goal=f"< {GOAL} MiB",
            met=peaks[largest] < GOAL * MEBIBYTE,
        ),
        Row(
            f"memory of all processes, {what}",
            f"{_mib(most)} MiB at most",
            f"{_mib(least)} MiB before",
            f"{(most - least) / MEBIBYTE:+,.0f} MiB",
        ),
    ]


def _is_worker(name: str) -> bool:
    return name.startswith(FLEETS)


def _table(
    what: str, before: dict[str, int], peaks: dict[str, int], after: dict[str, int]
) -> Table:
    names = [*sorted({*before, *peaks, *after} - {ALL}), ALL]
    lines = [(name, *(_mib(where.get(name)) for where in (before, peaks, after))) for name in names]
    return Table(
        f"Resident memory in MiB, {what}", ("process", "before", "at most", "after"), lines
    )


def _mib(size: int | None) -> str:
    return "–" if size is None else f"{size / MEBIBYTE:,.0f}"
