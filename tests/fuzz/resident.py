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
CHILD = ", child"
# What may be added in half of the time, from the second quarter to the last: the libraries' arenas
# breathe. With 2,000 files it is what a leak of 12 KiB a file would add to a program that has all
# of them, and one of 32 KiB to either of two children; these meet their largest files late.
ALLOWED_BYTES = 12 * MEBIBYTE
ALLOWED_CHILDS_BYTES = 16 * MEBIBYTE
ALLOWED_SHARE = 0.025
SHORTEST_LIFE = 60  # samples: of less than a minute a quarter says nothing


@dataclass
class Series:
    """A program's resident bytes over time: its own process, or the largest of its children."""

    samples: list[int] = field(default_factory=list)

    def quarters(self) -> list[float]:
        """The median of each quarter of the time."""
        size = max(1, len(self.samples) // 4)
        parts = [self.samples[at * size : (at + 1) * size] or self.samples for at in range(4)]
        return [statistics.median(part) for part in parts]

    def growth(self) -> float:
        """What the last quarter has more than the second, or less; the first is for warming up."""
        _, second, _, last = self.quarters()
        return last - second

    def excess(self, allowed: int = ALLOWED_BYTES) -> float:
        """Bytes of the growth beyond what is allowed; below zero where it is flat."""
        return self.growth() - max(allowed, ALLOWED_SHARE * self.quarters()[1])


@dataclass
class Program:
    """What is known of a program's memory.

    `largest` shows where it stands, and is what is judged of a main process. Children are replaced
    after some hundreds of tasks, which hides what each of them loses: they are judged by their
    `lives`, a series for each process, of which half must be flat. A single one may have met the
    largest file late.
    """

    largest: Series = field(default_factory=Series)
    lives: dict[int, Series] = field(default_factory=dict)

    def add(self, sizes: dict[int, int]) -> None:
        """One look: the resident bytes of each process."""
        self.largest.samples.append(max(sizes.values()))
        for pid, size in sizes.items():
            self.lives.setdefault(pid, Series()).samples.append(size)

    def judged(self, children: bool) -> list[Series]:
        """The series that tell; none where no child has lived long enough."""
        if not children:
            return [self.largest]
        longest = max((len(life.samples) for life in self.lives.values()), default=0)
        # What has just begun is still warming up.
        enough = max(SHORTEST_LIFE, longest / 2)
        return [life for life in self.lives.values() if len(life.samples) >= enough]


class ResidentMemory:
    """Samples in a thread while it is entered.

    `replaced` names, once it is left, the workers whose main process is another one than at the
    start: it died meanwhile.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.programs: dict[str, Program] = {}
        self.before = self.look()
        self.after: dict[str, dict[int, int]] = {}
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

    def look(self) -> dict[str, dict[int, int]]:
        """Resident bytes now, by program and process."""
        found: dict[str, dict[int, int]] = {}
        processes = self._stack.processes()
        for pid, (program, process) in processes.items():
            with suppress(psutil.Error):
                resident = process.memory_info().rss
                # A child of the forking parent of all programs is a program itself.
                parent = processes.get(process.ppid())
                name = f"{program}{CHILD}" if parent and parent[0] == program else program
                found.setdefault(name, {})[pid] = resident
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
        return [name for name in self.programs if self.is_flat(name) is False]

    def is_flat(self, name: str) -> bool | None:
        """Whether a worker's memory is flat; None where that cannot be told, or matters not."""
        judged = self._judged(name)
        if not judged:
            return None
        allowed = ALLOWED_CHILDS_BYTES if name.endswith(CHILD) else ALLOWED_BYTES
        return statistics.median(series.excess(allowed) for series in judged) <= 0

    def table(self) -> Table:
        """MiB of each process before, in each quarter of the time, after, and at most."""
        lines = [self._line(name) for name in sorted(self.programs)]
        quarters = ("1st quarter", "2nd", "3rd", "4th")
        growth = "from 2nd to 4th, of children in each one's life"
        head = ("resident MiB", "before", *quarters, "after", "at most", growth, "flat?")
        return Table(head, lines)

    def _line(self, name: str) -> tuple[str, ...]:
        largest = self.programs[name].largest
        quarters = [f"{value / MEBIBYTE:,.0f}" for value in largest.quarters()]
        before, after = (
            f"{max(where[name].values()) / MEBIBYTE:,.0f}" if name in where else "–"
            for where in (self.before, self.after)
        )
        grown, flat = "–", self.is_flat(name)
        if flat is not None:
            growth = statistics.median(series.growth() for series in self._judged(name))
            grown = f"{growth / MEBIBYTE:+,.0f}"
        verdict = {None: "–", True: "yes", False: "**no**"}[flat]
        peak = f"{max(largest.samples) / MEBIBYTE:,.0f}"
        return (name, before, *quarters, after, peak, grown, verdict)

    def _judged(self, name: str) -> list[Series]:
        if not name.startswith(WORKERS):
            return []
        return self.programs[name].judged(children=name.endswith(CHILD))

    def _run(self) -> None:
        while not self._stopping.wait(SAMPLE_SECONDS):
            for name, sizes in self.look().items():
                self.programs.setdefault(name, Program()).add(sizes)
