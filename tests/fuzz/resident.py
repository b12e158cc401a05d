"""Resident memory of a stack's processes while files go through it."""

import statistics
import threading
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from tests.benchmarks.stack import Stack
from tests.fuzz.report import Table

SAMPLE_SECONDS = 1.0
MEBIBYTE = 1024 * 1024
# The processes that keep what they are given (Redis, Qdrant) are shown, and not judged.
WORKERS = ("document", "vectorstore", "rag", "default", "gateway")
# What a worker may have more at the end than in the middle: the libraries' arenas breathe.
ALLOWED_GROWTH = 0.15
ALLOWED_BYTES = 48 * MEBIBYTE


@dataclass
class Series:
    """A program's resident bytes over time: its own process, or the largest of its children."""

    samples: list[int] = field(default_factory=list)

    def quarters(self) -> list[float]:
        """The median of each quarter of the time."""
        size = max(1, len(self.samples) // 4)
        parts = [self.samples[at * size : (at + 1) * size] or self.samples for at in range(4)]
        return [statistics.median(part) for part in parts]

    def is_flat(self) -> bool:
        """Whether the last quarter has no more than the second, but for what is allowed."""
        _, middle, _, last = self.quarters()
        return last - middle <= max(ALLOWED_BYTES, ALLOWED_GROWTH * middle)


class ResidentMemory:
    """Samples in a thread while it is entered.

    Children are replaced after some hundreds of tasks, so a program's children are looked at
    together: the largest of them counts. `replaced` names, once it is left, the workers whose main
    process is another one than at the start: it died meanwhile.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.series: dict[str, Series] = {}
        self.before = self.look()
        self.after: dict[str, int] = {}
        self.replaced: list[str] = []
        self._mains = self._main_processes()

    def __enter__(self) -> "ResidentMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self.after = self.look()
        now = self._main_processes()
        self.replaced = [name for name, pid in self._mains.items() if now.get(name) != pid]

    def look(self) -> dict[str, int]:
        """Resident bytes now."""
        found: dict[str, int] = {}
        processes = self._stack.processes()
        for program, process in processes.values():
            with suppress(psutil.Error):
                resident = process.memory_info().rss
                # A child of the forking parent of all programs is a program itself.
                parent = processes.get(process.ppid())
                name = f"{program}, child" if parent and parent[0] == program else program
                found[name] = max(found.get(name, 0), resident)
        return found

    def _main_processes(self) -> dict[str, int]:
        processes = self._stack.processes()
        mains: dict[str, int] = {}
        for pid, (program, process) in processes.items():
            with suppress(psutil.Error):
                parent = processes.get(process.ppid())
                if program.startswith(WORKERS) and not (parent and parent[0] == program):
                    mains[program] = pid
        return mains

    def growing(self) -> list[str]:
        """The workers whose memory is not flat."""
        return [
            name
            for name, series in self.series.items()
            if name.startswith(WORKERS) and not series.is_flat()
        ]

    def table(self) -> Table:
        """MiB of each process before, in each quarter of the time, after, and at most."""
        lines = []
        for name in sorted(self.series):
            series = self.series[name]
            quarters = [f"{value / MEBIBYTE:,.0f}" for value in series.quarters()]
            before, after = (
                f"{where[name] / MEBIBYTE:,.0f}" if name in where else "–"
                for where in (self.before, self.after)
            )
            peak = f"{max(series.samples) / MEBIBYTE:,.0f}"
            verdict = "–"
            if name.startswith(WORKERS):
                verdict = "yes" if series.is_flat() else "**no**"
            lines.append((name, before, *quarters, after, peak, verdict))
        quarters_head = ("1st quarter", "2nd", "3rd", "4th")
        return Table(("resident MiB", "before", *quarters_head, "after", "at most", "flat?"), lines)

    def _run(self) -> None:
        while not self._stopping.wait(SAMPLE_SECONDS):
            for name, size in self.look().items():
                self.series.setdefault(name, Series()).samples.append(size)
