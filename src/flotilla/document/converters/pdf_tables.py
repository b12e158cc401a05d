"""A table of a PDF's page: its cells, the lines of its text and its HTML."""

import re
from collections.abc import Iterable
from html import escape
from typing import NamedTuple

from flotilla.document.converters.pdf_words import Segment
from flotilla.models import Box

CELL_GAP = " | "
BOLD = 600
"""The weight from which type is bold, as in CSS."""
FIGURE = re.compile(
    r"[(\[]?[-+−–~<>≤≥±]?\s*(?:[$€£¥₹%]|[A-Z]{1,3}\$|USD|EUR|GBP|CHF)?\s*[-+−–(]?"
    r"\d[\d.,'’\u00a0\u202f ]*(?:st|nd|rd|th)?"
    r"\s*(?:[%‰°€$£¥]|[a-zA-Zµ]{1,3}[²³]?)?[)\]]?[*†‡a-d¹²³⁴]?"
)
NOTHING = re.compile(r"(?:[-–—−.*•…]+|n/?a\.?|nil|none|nm|[$€£¥%])", re.IGNORECASE)
YEAR = re.compile(r"(?:FY|CY|Q[1-4]|H[12])?\s*'?(?:19|20)\d\d(?:[/–-]\d{2,4})?[AEF*]?")


class Cell(NamedTuple):
    """A cell that begins at a row and a column, counted from 0, and spans so many."""

    text: str
    row: int
    column: int
    rowspan: int = 1
    colspan: int = 1


class Table(NamedTuple):
    """A table in the order of its cells' rows and columns. `box` is in the frame of the text."""

    cells: list[Cell]
    rows: int
    columns: int
    header_rows: int
    box: Box

    def lines(self) -> list[str]:
        """A line of text for each row. What spans rows is said in each, so that a row can be
        understood by itself."""
        grid = [[""] * self.columns for _ in range(self.rows)]
        for cell in self.cells:
            for row in range(cell.row, cell.row + cell.rowspan):
                grid[row][cell.column] = cell.text
        lines = []
        for texts in grid:
            filled = [text for text in texts if text]
            lines.append(filled[0] if len(filled) == 1 and texts[0] else CELL_GAP.join(texts))
        return [line.strip() for line in lines]

    def html(self) -> str:
        """The table as HTML; the header is its `thead`."""
        rows: list[list[str]] = [[] for _ in range(self.rows)]
        for cell in sorted(self.cells, key=lambda each: (each.row, each.column)):
            tag = "th" if cell.row < self.header_rows else "td"
            spans = "".join(
                f' {name}="{count}"'
                for name, count in (("rowspan", cell.rowspan), ("colspan", cell.colspan))
                if count > 1
            )
            rows[cell.row].append(f"<{tag}{spans}>{escape(cell.text, quote=False)}</{tag}>")
        written = [f"<tr>{''.join(row)}</tr>" for row in rows]
        head, body = written[: self.header_rows], written[self.header_rows :]
        parts = ["<table>"]
        if head:
            parts.append(f"<thead>{''.join(head)}</thead>")
        parts.append(f"<tbody>{''.join(body)}</tbody></table>")
        return "".join(parts)


class Found(NamedTuple):
    """A table, and the segments that it is made of."""

    table: Table
    segments: list[Segment]


def is_figure(text: str) -> bool:
    """Whether a cell's text is a number, an amount, a share, or says that there is none."""
    return bool(FIGURE.fullmatch(text) or NOTHING.fullmatch(text))


def is_year(text: str) -> bool:
    """Whether a cell's text names a year, a fiscal year or a quarter of one."""
    return bool(YEAR.fullmatch(text))


def header_rows(grid: list[list[str]], bold: Iterable[bool] = ()) -> int:
    """How many rows at the top name the columns below them.

    Rows are that as long as they are bold and what follows is not, or hold years or texts alone
    above columns of figures. A first row with an empty corner names its columns too.

    Args:
        grid: the texts of the cells, row by row.
        bold: of each row whether all of it is bold; none where that is not known.
    """
    rows = len(grid)
    heavy = list(bold)
    if rows < 2:
        return 0
    if heavy and heavy[0] and not all(heavy):
        return min(heavy.index(False), rows - 1)
    columns = range(len(grid[0]))
    first = grid[0]
    figures = {
        at
        for at in columns
        if 2 * sum(is_figure(row[at]) for row in grid[1:] if row[at])
        > sum(1 for row in grid[1:] if row[at])
    }
    # Columns of years, whose first one is as good a figure as the others.
    dated = {at for at in figures if sum(is_year(row[at]) for row in grid[1:]) * 2 >= rows}
    if figures:
        head = 0
        for row in grid[: min(3, rows - 1)]:
            named = [at for at in figures if row[at]]
            labels = [
                at
                for at in named
                if not is_figure(row[at]) or (is_year(row[at]) and at not in dated)
            ]
            if not named and not any(row[1:]):
                break
            if len(labels) < len(named):
                break
            head += 1
        return head
    if not first[0] and sum(map(bool, first[1:])) > 1:
        return 1
    return int(all(first) and not any(is_figure(text) for text in first))
