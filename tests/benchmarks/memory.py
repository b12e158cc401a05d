"""Memory: what each process of a fresh stack holds before, during and after 2,000 pages."""

import threading
from collections import Counter
from contextlib import suppress

import psutil

from tests.benchmarks.corpus import write_pdf
from tests.benchmarks.report import Outcome, Row, Table
from tests.benchmarks.stack import Stack, progress

LONG, SHORT, SHORT_COUNT = 1000, 100, 10  # pages of the long PDF, of a short one, how many
QUICK = 5  # parts of the pages in a quick run
LINES = 32  # a page; about 400 words
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
    """Ingest one long PDF and ten shorter ones while the processes are watched."""
    part = QUICK if quick else 1
    pages = [LONG // part, *[SHORT // part] * SHORT_COUNT]
    folder = stack.data / "memory"
    folder.mkdir()
    files = [
        write_pdf(folder / f"annals-{number:02}.pdf", count, 2000 + number, LINES)
        for number, count in enumerate(pages)
    ]
    stack.settle()
    watch = Watch(stack)
    before = watch.look()
    progress(f"memory: ingesting {sum(pages):,} pages")
    with watch:
        seconds, ids = stack.ingest(files, "annals")
        stack.settle()
    after = watch.look()
    chunks = sum(stack.client.document(id_).chunks or 0 for id_ in ids)
    least, most = before[ALL], watch.peaks[ALL]
    rows = [
        Row(
            f"memory of all processes, {sum(pages):,} pages, {chunks:,} chunks, {seconds:.0f} s",
            f"{_mib(most)} MiB at most",
            f"{_mib(least)} MiB before",
            f"{(most - least) / MEBIBYTE:+,.0f} MiB",
        )
    ]
    names = [*sorted({*before, *watch.peaks, *after} - {ALL}), ALL]
    lines = [
        (name, *(_mib(where.get(name)) for where in (before, watch.peaks, after))) for name in names
    ]
    table = Table(
        f"Resident memory in MiB, {sum(pages):,} pages",
        ("process", "before", "at most", "after"),
        lines,
    )
    values = {"before": before, "peak": watch.peaks, "after": after}
    return Outcome(rows, tables=[table], values=values | {"seconds": seconds, "chunks": chunks})


def _mib(size: int | None) -> str:
    return "–" if size is None else f"{size / MEBIBYTE:,.0f}"
