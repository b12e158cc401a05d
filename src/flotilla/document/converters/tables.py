"""Tables: cells and their spans to rows of text, a line each, and to plain HTML."""

import re
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

CELL_GAP = " | "
# A cell that spans others is said again in each row and column, unless it is longer than this:
# with a text of a megabyte and a span of thousands that would be gigabytes.
REPEATED_CHARS = 300
MOST_REPEATED = 2_000_000
"""Characters that all such cells of a table may add."""
# The most rows and columns that HTML lets a cell span.
MAX_ROWSPAN = 65534
MAX_COLSPAN = 1000
HEADER_CHARS = 60
"""Characters above which a cell is no column's name."""
NUMERIC = re.compile(r"[\s$€£¥%+\-–−(]*\d[\d\s.,:/'’\-–]*[\s$€£¥%)]*(?:[A-Za-z€£$°%]{0,4})?")
YEAR = re.compile(r"(?:19|20)\d\d(?:[/–-]\d{2,4})?")


class Cell(NamedTuple):
    """A cell as it is written: its text on one line, and how many columns and rows it spans."""

    text: str
    header: bool = False
    colspan: int = 1
    rowspan: int = 1


class Table(NamedTuple):
    """A table as it is kept: `lines` are its rows as text, `html` has as many rows; the first
    `header_rows` of both name the columns, of which there are `columns`."""

    lines: tuple[str, ...]
    html: str
    header_rows: int
    columns: int


def one_line(text: str) -> str:
    """A cell's text with each of its line ends and runs of white space as one space."""
    return " ".join(text.split())


def span(attribute: str | None, most: int) -> int:
    """How many columns or rows a cell's attribute in HTML says that it spans."""
    value = (attribute or "").strip()
    # Digits of other scripts and superscripts are digits to Python too.
    if not (value.isascii() and value.isdigit()):
        return 1
    return max(1, min(int(value), most)) if len(value) < 10 else most


def table(rows: Sequence[Sequence[Cell]], header_rows: int | None = None) -> Table:
    """Write a table.

    A cell that spans rows or columns is said again in each of them, so that a row can be
    understood by itself; one that spans all columns is said once. Rows without text are left out.

    Args:
        rows: the cells as HTML has them: none where one from above or from the left spans.
        header_rows: how many rows name the columns, where the format says so. By default the
            first rows of header cells alone, and where there is none, the first row if it
            reads like names.
    """
    spread = _Grid(_width(rows))
    grid: list[list[str]] = []
    kept: list[Sequence[Cell]] = []
    marked = 0
    for row in rows:
        texts = spread.texts(row)
        if not any(texts):
            continue
        if marked == len(grid) and row and all(cell.header for cell in row):
            marked += 1
        grid.append(texts)
        kept.append(row)
    columns = max(map(len, grid), default=0)
    if header_rows is None:
        header_rows = marked if marked < len(grid) else min(marked, 1)
        header_rows = header_rows or _rows_of_names(grid, kept)
    lines = tuple(CELL_GAP.join(texts) for texts in grid)
    return Table(lines, _html(kept, header_rows), header_rows, columns)


def _width(rows: Sequence[Sequence[Cell]]) -> int:
    """The columns that some row has cells for; a span beyond them spans nothing."""
    widest = 0
    spanning: list[int] = []
    for row in rows:
        widest = max(widest, len(row) + len(spanning))
        spanning = [left - 1 for left in spanning if left > 1]
        spanning += [cell.rowspan - 1 for cell in row if cell.rowspan > 1]
    return widest


class _Grid:
    """Gives each row its text by column, with what spans into it."""

    def __init__(self, width: int) -> None:
        self._width = width
        # Of each column the text of a cell from above that still spans, and for how many rows.
        self._above: dict[int, tuple[str, int]] = {}
        self._left = MOST_REPEATED

    def texts(self, row: Sequence[Cell]) -> list[str]:
        """The next row; one text where a cell is all of it."""
        alone = len(row) == 1 and not self._above and row[0].rowspan == 1
        if alone and row[0].colspan >= self._width > 1:
            return [row[0].text]
        texts: list[str] = []
        above, self._above = self._above, {}
        last = max(above, default=-1)
        cells = list(reversed(row))
        while cells or len(texts) <= last:
            column = len(texts)
            if column in above:
                text, rows = above[column]
                texts.append(self._again(text))
                self._span(column, text, rows)
                continue
            cell = cells.pop() if cells else Cell("")
            for step in range(max(1, min(cell.colspan, self._width - column))):
                if step and column + step in above:
                    break
                texts.append(self._again(cell.text) if step else cell.text)
                self._span(column + step, cell.text, cell.rowspan)
        return texts

    def _span(self, column: int, text: str, rows: int) -> None:
        if rows > 1 and column < MAX_COLSPAN and self._left > 0:
            self._above[column] = (text, rows - 1)

    def _again(self, text: str) -> str:
        self._left -= len(text) + len(CELL_GAP)
        return text if len(text) <= REPEATED_CHARS and self._left > 0 else ""


def _rows_of_names(grid: Sequence[Sequence[str]], rows: Sequence[Sequence[Cell]]) -> int:
    """How many of a table's first rows are its header, though nothing marks them as such."""
    if len(grid) < 2 or len(grid[0]) < 2:
        return 0
    # Names in two rows: "Boats" above "small" and "large".
    depth = max(cell.rowspan for cell in rows[0])
    if any(cell.colspan > 1 for cell in rows[0]):
        depth = max(depth, 2)
    if depth >= len(grid):
        return 0
    names, rest = grid[depth - 1], grid[depth:]
    if len({tuple(column) for column in zip(*grid[:depth], strict=False)}) < len(names):
        return 0
    # Above names stand years too, and nothing above the first column's.
    above = [text for row in grid[: depth - 1] for text in row[not row[0] :]]
    if any(not text or (is_numeric(text) and not YEAR.fullmatch(text)) for text in above):
        return 0
    if any(not text or is_numeric(text) for text in names):
        return 0
    if any(len(text) > HEADER_CHARS for text in (*above, *names)):
        return 0
    if len(names) > 2:
        return depth
    # Of two columns the first may hold names, and the second what they stand for.
    numbers = len(rest) > 1 and all(is_numeric(row[-1]) for row in rest if row[-1])
    return depth if numbers else 0


def is_numeric(text: str) -> bool:
    """Whether a cell holds a number, an amount or a date in figures."""
    return NUMERIC.fullmatch(text.strip()) is not None


def _html(rows: Sequence[Sequence[Cell]], header_rows: int) -> str:
    parts = ["<table>"]
    for name, body, tag in (
        ("thead", rows[:header_rows], "th"),
        ("tbody", rows[header_rows:], "td"),
    ):
        if body:
            parts.append(f"<{name}>")
            parts += [f"<tr>{''.join(cell_html(cell, tag) for cell in row)}</tr>" for row in body]
            parts.append(f"</{name}>")
    parts.append("</table>")
    return "".join(parts)


def cell_html(cell: Cell, tag: str = "td") -> str:
    """A cell as HTML; a header cell is `th`, whatever the others of its row are."""
    tag = "th" if cell.header else tag
    spans = f' colspan="{cell.colspan}"' if cell.colspan > 1 else ""
    spans += f' rowspan="{cell.rowspan}"' if cell.rowspan > 1 else ""
    return f"<{tag}{spans}>{escape(cell.text, quote=False)}</{tag}>"
