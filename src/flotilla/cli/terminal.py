"""Where output goes: results to stdout, everything else to stderr; rich on a terminal only."""

import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TextIO, TypeVar

from rich.console import Console
from rich.table import Table
from rich.text import Text

Entry = TypeVar("Entry")

PIPE_WIDTH = 160
"""Columns where there is no terminal to measure, so that ids stay whole."""

STATUS_STYLES = {
    "completed": "green",
    "ready": "green",
    "duplicate": "green",
    "succeeded": "green",
    "failed": "red",
    "cancelled": "red",
    "partial": "yellow",
    "deleting": "yellow",
}


def _console(stream: TextIO) -> Console:
    return Console(
        file=stream, width=None if stream.isatty() else PIPE_WIDTH, highlight=False, markup=False
    )


def out() -> Console:
    """The console of results."""
    return _console(sys.stdout)


def err() -> Console:
    """The console of progress, remarks and errors."""
    return _console(sys.stderr)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    import json

    from pydantic_core import to_jsonable_python

    text = json.dumps(to_jsonable_python(value), indent=2, ensure_ascii=False)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def print_error(message: str) -> None:
    """One red line on stderr, and what follows the message's first line below it."""
    first, _, rest = message.partition("\n")
    err().print(Text(f"error: {first}", style="red"), soft_wrap=True)
    if rest:
        print_note(rest)


def print_note(message: str) -> None:
    """A remark on stderr."""
    err().print(Text(message, style="dim"), soft_wrap=True)


def print_table(headers: Sequence[str], rows: Iterable[Sequence[Any]], empty: str) -> None:
    """A table on stdout; columns whose header ends in `#` are numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        number = header.endswith("#")
        table.add_column(
            header.rstrip("#"),
            justify="right" if number else "left",
            overflow="fold",
            no_wrap=number,
        )
    for row in rows:
        table.add_row(*(cell(value) for value in row))
    if table.row_count:
        out().print(table)
    else:
        print_note(empty)


def print_listing(
    entries: Iterable[Entry],
    as_json: bool,
    *,
    headers: Sequence[str],
    row: Callable[[Entry], Sequence[Any]],
    empty: str,
) -> None:
    """What a noun lists: one JSON document, or a table with a row for each entry."""
    found = list(entries)
    if as_json:
        print_json(found)
    else:
        print_table(headers, map(row, found), empty)


def print_fields(fields: Iterable[tuple[str, Any]]) -> None:
    """Names and values on stdout, those without a value left out."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields:
        if value is not None and value not in ("", {}, []):
            table.add_row(name, cell(value))
    out().print(table)


def cell(value: Any) -> Text:
    """A value as it stands in a table."""
    if isinstance(value, Text):
        return value
    if value is None:
        return Text("–", style="dim")
    if isinstance(value, datetime):
        return Text(value.astimezone().strftime("%Y-%m-%d %H:%M:%S"))
    if isinstance(value, (dict, list)):
        import json

        return Text(json.dumps(value, ensure_ascii=False, default=str))
    return Text(str(value), style=STATUS_STYLES.get(str(value), ""))


def is_interactive() -> bool:
    """Whether a person watches stderr."""
    return sys.stderr.isatty()


def place(page_start: int | None, page_end: int | None, heading_path: Sequence[str] = ()) -> str:
    """Where a passage stands: its pages, or its headings where there are no pages."""
    if page_start is None:
        return " › ".join(heading_path)
    if page_end is None or page_end == page_start:
        return f"page {page_start}"
    return f"pages {page_start}–{page_end}"


def byte_size(size: int | None) -> str | None:
    """Bytes as people write them."""
    if size is None:
        return None
    value = float(size)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"
