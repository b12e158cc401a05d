"""How an ingestion is shown while it runs: bars on a terminal, plain lines elsewhere."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
)
from rich.table import Column
from rich.text import Text

from flotilla.cli.terminal import err, is_interactive, print_note
from flotilla.schemas import TaskEvent

if TYPE_CHECKING:
    from rich.progress import Task as Bar

NAME_WIDTH = 26
STAGE_WIDTH = 8
BAR_WIDTH = 12
"""Columns of a document's name, its stage and its bar; with amount and time a line fits in 80."""


class Display(Protocol):
    """What is told of an ingestion while it runs; called from many threads."""

    def sent(self, size: int) -> None:
        """So many bytes more have left."""

    def update(self, name: str, event: TaskEvent) -> None:
        """A document's task has moved."""

    def finished(self, name: str, status: str, error: str | None) -> None:
        """A document has ended."""


@contextmanager
def display(documents: int, size: int) -> Iterator[Display]:
    """Bars where a person watches, else lines; on stderr."""
    if not is_interactive():
        yield PlainDisplay(documents)
        return
    columns: list[ProgressColumn] = [
        TextColumn(
            "{task.description}",
            markup=False,
            table_column=Column(width=NAME_WIDTH + STAGE_WIDTH + 3, no_wrap=True),
        ),
        BarColumn(bar_width=BAR_WIDTH),
        _AmountColumn(),
        _TimeColumn(),
    ]
    with Progress(*columns, console=err(), transient=True) as bars:
        yield BarDisplay(bars, documents, size)


class PlainDisplay:
    """One line when a document enters a stage, and one when it ends."""

    def __init__(self, documents: int) -> None:
        self._documents = documents
        self._ended = 0
        self._stages: dict[str, str | None] = {}
        self._lock = threading.Lock()

    def sent(self, size: int) -> None:
        """Bytes are not worth a line."""

    def update(self, name: str, event: TaskEvent) -> None:
        """A line for a new stage."""
        if event.stage is None or event.status.final:
            return
        with self._lock:
            if self._stages.get(name) != event.stage:
                self._stages[name] = event.stage
                print_note(f"{name}: {event.stage}")

    def finished(self, name: str, status: str, error: str | None) -> None:
        """A line for the end; what went wrong follows in the summary."""
        with self._lock:
            self._ended += 1
            print_note(f"[{self._ended}/{self._documents}] {name}: {status}")


class BarDisplay:
    """A bar for the upload, one for the documents, and one for each that is being worked on."""

    def __init__(self, bars: Progress, documents: int, size: int) -> None:
        self._bars = bars
        self._upload = bars.add_task("upload", total=size, bytes=True, all=True) if size else None
        self._total = bars.add_task("documents", total=documents, all=True)
        self._active: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def sent(self, size: int) -> None:
        """Move the upload's bar."""
        if self._upload is not None:
            self._bars.advance(self._upload, size)

    def update(self, name: str, event: TaskEvent) -> None:
        """Move the document's bar."""
        with self._lock:
            progress = event.progress
            eta = progress.eta_seconds if progress else None
            if name not in self._active:
                self._active[name] = self._bars.add_task(_description(name, event), total=None)
            self._bars.update(
                self._active[name],
                description=_description(name, event),
                ready_at=None if eta is None else time.monotonic() + eta,
                completed=progress.done if progress else 0,
                total=progress.total if progress else None,
                unit=progress.unit if progress else "",
            )

    def finished(self, name: str, status: str, error: str | None) -> None:
        """Take the document's bar away and count it."""
        with self._lock:
            bar = self._active.pop(name, None)
            if bar is not None:
                self._bars.remove_task(bar)
            self._bars.advance(self._total, 1)
            if error is not None:
                self._bars.console.print(Text(f"{name}: {status}", style="red"))


def time_left(seconds: float) -> str:
    """Seconds as people say them."""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole < 600 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _description(name: str, event: TaskEvent) -> str:
    shortened = name if len(name) <= NAME_WIDTH else f"…{name[1 - NAME_WIDTH :]}"
    stage = (event.stage or event.status).rpartition(".")[2]
    return f"  {shortened:{NAME_WIDTH}} {stage:{STAGE_WIDTH}}"


class _AmountColumn(ProgressColumn):
    """`12/40 chunks`, or bytes for the upload."""

    def __init__(self) -> None:
        super().__init__(table_column=Column(no_wrap=True))
        self._bytes = DownloadColumn(binary_units=True)

    def render(self, task: "Bar") -> Text:
        if task.fields.get("bytes"):
            return self._bytes.render(task)
        if task.total is None:
            return Text("")
        return Text(f"{task.completed:.0f}/{task.total:.0f} {task.fields.get('unit', '')}".rstrip())


class _TimeColumn(ProgressColumn):
    """`~4:10 left` once that is known, before that the time since the beginning."""

    def __init__(self) -> None:
        super().__init__(table_column=Column(no_wrap=True))

    def render(self, task: "Bar") -> Text:
        ready_at = task.fields.get("ready_at")
        left = task.time_remaining if task.fields.get("all") else None
        if ready_at is not None:
            left = max(0.0, ready_at - time.monotonic())
        if left is not None and left >= 1:
            return Text(f"~{_clock(left)} left", style="cyan")
        return Text(_clock(task.finished_time or task.elapsed or 0.0), style="yellow")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
