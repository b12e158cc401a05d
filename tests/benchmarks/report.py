"""What a benchmark hands back, and how it is printed: Markdown that can be pasted."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

NONE = "–"
HEAD = ("what", "Flotilla", "baseline", "ratio or difference", "goal", "met?")


@dataclass(frozen=True)
class Row:
    """One line of the table; `met` is None where no goal was set."""

    what: str
    flotilla: str
    baseline: str = NONE
    compared: str = NONE
    goal: str = NONE
    met: bool | None = None

    def cells(self) -> tuple[str, ...]:
        """The line's cells in the order of HEAD."""
        verdict = {None: NONE, True: "yes", False: "**no**"}[self.met]
        return (self.what, self.flotilla, self.baseline, self.compared, self.goal, verdict)


@dataclass(frozen=True)
class Table:
    """A table of a benchmark's own, below the common one."""

    title: str
    head: Sequence[str]
    lines: Sequence[Sequence[str]]


@dataclass
class Outcome:
    """What one benchmark found; `values` are its raw numbers, for `--json`."""

    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)


def median(values: Iterable[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def spread(values: Sequence[float], digits: int = 1, unit: str = "") -> str:
    """`median unit (least to most)`, or the value alone where there is but one."""
    middle = f"{median(values):,.{digits}f}{unit and ' ' + unit}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table; numbers are set to the right of all columns but the first."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *lines))


def render(machine: dict[str, str], outcomes: dict[str, Outcome]) -> str:
    """The whole report."""
    parts = [markdown(("machine", ""), machine.items())]
    rows = [row.cells() for outcome in outcomes.values() for row in outcome.rows]
    if rows:
        parts.append(markdown(HEAD, rows))
    parts += [
        f"**{table.title}**\n\n{markdown(table.head, table.lines)}"
        for outcome in outcomes.values()
        for table in outcome.tables
    ]
    notes = [f"- {name}: {note}" for name, o in outcomes.items() for note in o.notes]
    if notes:
        parts.append("\n".join(notes))
    return "\n\n".join(parts) + "\n"
