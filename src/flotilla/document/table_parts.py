"""A table's HTML by rows, so that each part of a long one is a table with the header again."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from flotilla.document.converters.tables import (
    CELL_GAP,
    MAX_COLSPAN,
    MAX_ROWSPAN,
    Cell,
    cell_html,
    one_line,
    span,
)
from flotilla.models import Region

if TYPE_CHECKING:
    from lxml.html import HtmlElement


@dataclass(frozen=True, slots=True)
class _Cell:
    """A cell, with the row and the column where it begins and how many of each it spans."""

    text: str
    is_header: bool
    row: int
    column: int
    rows: int
    columns: int


Grid = list[dict[int, _Cell]]
"""What stands in each column of each row."""


class TableRows:
    """The rows of a region's text, each a line, with the HTML of any of them.

    Args:
        region: a table.
        text: its lines, `page.text[region.start:region.end]`.
    """

    def __init__(self, region: Region, text: str) -> None:
        self._lines = text.split("\n")
        self.header_rows = min(region.header_rows, max(0, len(self._lines) - 1))
        grid = _grid(region.html) if region.html else []
        # Without a row for each line, the lines tell the cells.
        self._grid = (
            grid if len(grid) == len(self._lines) else _of_lines(self._lines, self.header_rows)
        )

    def header(self) -> str:
        """The lines of the header."""
        return "\n".join(self._lines[: self.header_rows])

    def html(self, first: int, last: int) -> str:
        """The rows from `first` up to, not including, `last`, with the header ahead of them."""
        top = range(min(self.header_rows, first))
        body = range(first, last)
        heads = [row for row in (*top, *body) if row < self.header_rows]
        rest = [row for row in body if row >= self.header_rows]
        parts = []
        for tag, rows in (("thead", heads), ("tbody", rest)):
            if rows:
                written = "".join(self._row(row, rows) for row in rows)
                parts.append(f"<{tag}>{written}</{tag}>")
        return f"<table>{''.join(parts)}</table>"

    def _row(self, row: int, shown: Sequence[int]) -> str:
        cells = []
        for column, cell in sorted(self._grid[row].items()):
            top = max(cell.row, shown[0])
            if cell.column != column or row != top:
                continue
            rows = min(cell.row + cell.rows, shown[-1] + 1) - row
            cells.append(cell_html(Cell(cell.text, cell.is_header, cell.columns, rows)))
        return f"<tr>{''.join(cells)}</tr>"


@lru_cache(maxsize=2)
def table_rows(region: Region, text: str) -> TableRows:
    """The rows of a table, which is asked for once for each of its parts."""
    return TableRows(region, text)


def _grid(markup: str) -> Grid:
    """What stands where in the table of the markup; empty where it cannot be read."""
    from lxml import etree, html

    try:
        tree = html.fragment_fromstring(markup, create_parent="div")
    except (etree.LxmlError, ValueError):
        return []
    rows = list(tree.iter("tr"))
    grid: Grid = [{} for _ in rows]
    for number, element in enumerate(rows):
        column = 0
        for child in element.iter("td", "th"):
            while column in grid[number]:
                column += 1
            cell = _cell(child, number, column)
            for row in grid[number : number + cell.rows]:
                for place in range(column, column + cell.columns):
                    row.setdefault(place, cell)
            column += cell.columns
    return grid


def _cell(element: "HtmlElement", row: int, column: int) -> _Cell:
    return _Cell(
        text=one_line(element.text_content()),
        is_header=element.tag == "th",
        row=row,
        column=column,
        rows=span(element.get("rowspan"), MAX_ROWSPAN),
        columns=span(element.get("colspan"), MAX_COLSPAN),
    )


def _of_lines(lines: Sequence[str], header_rows: int) -> Grid:
    return [
        {
            column: _Cell(text.strip(), row < header_rows, row, column, 1, 1)
            for column, text in enumerate(line.split(CELL_GAP))
        }
        for row, line in enumerate(lines)
    ]
