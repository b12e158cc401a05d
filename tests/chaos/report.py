"""The kill matrix as a table for the terminal and as Markdown for docs/reliability.md."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console, JustifyMethod
from rich.table import Table

from tests.benchmarks.report import markdown
from tests.chaos.verdict import AT_WORK, Verdict

NONE = "–"
BEGIN, END = "<!-- kill matrix: begin -->", "<!-- kill matrix: end -->"

COLUMNS = (
    ("row", 14),
    ("submitted", 9),
    ("completed", 9),
    ("failed", 9),
    ("lost", 5),
    ("duplicated", 10),
    ("broken", 6),
    ("questions", 17),
    ("freed", 7),
    ("recovery", 9),
    ("seconds", 7),
)


def cells(verdict: Verdict) -> tuple[str, ...]:
    """A verdict's cells in the order of COLUMNS."""
    if verdict.skipped:
        return (verdict.row, *[NONE] * (len(COLUMNS) - 1))
    failed = str(verdict.failed)
    if verdict.unexpected:
        failed += f" ({len(verdict.unexpected)}!)"
    recovery = f"{verdict.recovery:.1f} s" if verdict.disturbed else NONE
    freed = f"{verdict.lease:.1f} s" if verdict.victims else NONE
    return (
        verdict.row,
        str(verdict.submitted),
        str(verdict.completed),
        failed,
        str(len(verdict.lost)),
        str(verdict.duplicated),
        str(len(verdict.broken)),
        asked(verdict),
        freed,
        recovery,
        f"{verdict.seconds:.0f}",
    )


def asked(verdict: Verdict) -> str:
    """What became of the questions: asked, answered, refused, judged, wrong."""
    if not verdict.questions:
        return NONE
    counts = verdict.questions, verdict.answered, verdict.refused, verdict.judged
    return "/".join(map(str, (*counts, len(verdict.unanswered))))


def print_head(console: Console) -> None:
    """The table's head."""
    console.print(_table(header=True))


def print_line(console: Console, verdict: Verdict) -> None:
    """A row's line, and what is wrong with it."""
    table = _table(header=False)
    style = "dim" if verdict.skipped else "green" if verdict.clean else "red"
    table.add_row(*cells(verdict), style=style)
    console.print(table)
    if verdict.skipped:
        console.print(f"    skipped: {verdict.skipped}", style="dim")
    done = ", ".join(f"{what} ×{times}" for what, times in sorted(verdict.disturbances.items()))
    console.print(f"    {done}", style="dim", highlight=False)
    if verdict.idle:
        console.print(f"    met no open work: {dict(verdict.idle)}", style="yellow", markup=False)
    if verdict.attempts:
        felt = ", ".join(f"{what} ×{times}" for what, times in sorted(verdict.attempts.items()))
        console.print(f"    failed attempts: {felt}", style="dim", highlight=False)
    if verdict.questions:
        console.print("    questions: asked/answered/refused/judged/wrong", style="dim")
    if verdict.slowest:
        slowest = f"{verdict.disturbed} disturbed; slowest recovery: {verdict.slowest}"
        console.print(f"    {slowest}", style="dim", highlight=False)
    if verdict.stalled_at:
        still = f"longest standstill: {verdict.stalled:.1f} s, {verdict.stalled_at}"
        console.print(f"    {still}", style="dim", highlight=False)
    for title, lines in (
        ("lost", verdict.lost),
        ("twice", verdict.duplicates),
        ("failed", verdict.unexpected),
        ("broken", verdict.broken),
        ("question", verdict.unanswered),
    ):
        for line in lines[:12]:
            console.print(f"    {title}: {line}", markup=False, highlight=False, soft_wrap=True)
        if len(lines) > 12:
            console.print(f"    {title}: and {len(lines) - 12} more")


def _table(header: bool) -> Table:
    table = Table(box=None, show_header=header, padding=(0, 1))
    for title, width in COLUMNS:
        justify: JustifyMethod = "left" if title == "row" else "right"
        table.add_column(title, min_width=width, max_width=width, justify=justify, no_wrap=True)
    return table


def write_docs(
    path: Path,
    verdicts: Sequence[Verdict],
    titles: Mapping[str, str],
    command: str,
    machine: Mapping[str, str],
) -> None:
    """Write the table between the markers of a document.

    Rows that were not run now stay as they were: their own last column says when that was.
    """
    text = path.read_text(encoding="utf-8") if path.exists() else "# Reliability\n"
    if BEGIN not in text:
        text = text.rstrip() + f"\n\n## The kill matrix\n\n{BEGIN}\n{END}\n"
    old = re.search(f"{re.escape(BEGIN)}(.*?){re.escape(END)}", text, re.DOTALL)
    assert old is not None
    block = _block(verdicts, titles, command, machine, old.group(1))
    path.write_text(text.replace(old.group(0), f"{BEGIN}\n{block}\n{END}"), encoding="utf-8")


def _block(
    verdicts: Sequence[Verdict],
    titles: Mapping[str, str],
    command: str,
    machine: Mapping[str, str],
    old: str,
) -> str:
    head = (
        "what was done",
        "submitted",
        "completed",
        "failed, as they must",
        "failed, though good",
        "lost",
        "duplicated chunks",
        "other promises broken",
        "questions: asked/answered/refused/judged/wrong",
        "longest until freed",
        "longest until taken up again, rests and queues included",
        "longest standstill",
        "disturbances",
        "seed",
        "run on",
    )
    kept = old if markdown(head, []).splitlines()[0] in old else ""
    lines: dict[str, str] = {}
    for line in kept.splitlines():
        title = line.removeprefix("| ").partition(" |")[0]
        if title in titles.values():
            lines[title] = line
    written: list[tuple[str, ...]] = []
    for verdict in verdicts:
        title = titles[verdict.row]
        if verdict.skipped:
            written.append((title, f"skipped: {verdict.skipped}", *[NONE] * (len(head) - 2)))
            continue
        wrong = len(verdict.unexpected)
        written.append(
            (
                title,
                str(verdict.submitted),
                str(verdict.completed),
                str(verdict.failed - wrong),
                str(wrong),
                str(len(verdict.lost)),
                str(verdict.duplicated),
                str(len(verdict.broken)),
                asked(verdict),
                f"{verdict.lease:.1f} s" if verdict.victims else NONE,
                f"{verdict.recovery:.1f} s" if verdict.disturbed else NONE,
                f"{verdict.stalled:.1f} s",
                _summed(verdict.disturbances),
                str(verdict.seed),
                machine.get("date", NONE),
            )
        )
    lines |= {cells[0]: markdown((), [cells]).splitlines()[-1] for cells in written}
    rows = [lines[title] for title in titles.values() if title in lines]
    known = ", ".join(f"{name} {value}" for name, value in machine.items() if name != "date")
    table = "\n".join([*markdown(head, []).splitlines(), *rows])
    return f"`{command}` on {known}:\n\n{table}"


def _summed(disturbances: Counter[str]) -> str:
    """How many there were, and how many of them hit work: which of two workers it was says nothing
    to a reader."""
    summed: Counter[str] = Counter()
    at_work: Counter[str] = Counter()
    for what, times in disturbances.items():
        name = re.sub(r"-\d+\b", "", what.removesuffix(AT_WORK).replace(f"{AT_WORK},", ","))
        summed[name] += times
        if AT_WORK in what:
            at_work[name] += times
    return "; ".join(
        f"{times} × {name}" + (f" ({at_work[name]} at work)" if at_work[name] else "")
        for name, times in sorted(summed.items())
    )
