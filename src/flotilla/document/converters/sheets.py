"""Rows of a spreadsheet to pages, while they stream in: its tables, their titles and headers."""

import re
from collections.abc import Iterable, Iterator, Sequence

from flotilla.document.converters.page_text import CAPTION_CHARS, PageText
from flotilla.document.converters.tables import Cell, table
from flotilla.models import Page

PAGE_ROWS = 500
"""Rows of a table after which a page ends, so that memory does not grow with a sheet's length."""
PAGE_CHARS = 200_000
# What programs call a sheet that nobody has named.
UNNAMED = re.compile(
    r"(?:sheet|tabelle|feuil|hoja|blad|foglio|planilha|ark|taulukko)\s?\d*", re.IGNORECASE
)

Row = Sequence[Cell | None]
"""The cells of a row, None where one from above or from the left spans."""


def sheet_pages(rows: Iterable[Row], title: str | None) -> Iterator[Page]:
    """One or more Pages without number; none where no cell holds a text.

    Rows without text part tables from one another. Rows of a single cell ahead of a table are its
    title. A table that goes on over pages has its header on each.

    Args:
        rows: from top to bottom.
        title: the heading of the first page.
    """
    sheet = _Sheet(title)
    for row in rows:
        if sheet.is_full:
            yield sheet.end_page()
        sheet.add(row)
    sheet.end_table()
    if sheet.has_text:
        yield sheet.end_page()


class _Sheet:
    def __init__(self, title: str | None) -> None:
        self._title = title
        self._rows: list[Row] = []
        self._chars = 0
        self._header: list[Row] = []
        self._caption: str | None = None
        self._new_page()
        self.has_text = False

    def _new_page(self) -> None:
        self._out = PageText()
        if self._title:
            self._out.heading(self._title, 1)
        self._title = None
        self._used = 0

    @property
    def is_full(self) -> bool:
        return self._used >= PAGE_ROWS or self._chars >= PAGE_CHARS

    def add(self, row: Row) -> None:
        if not any(cell is None or cell.text for cell in row):
            self.end_table()
            return
        self._rows.append(row)
        self._used += 1
        self._chars += sum(len(cell.text) for cell in row if cell is not None)
        self.has_text = True

    def end_page(self) -> Page:
        """The page up to here; a table that is not over goes on on the next one."""
        if self._rows:
            self._write(goes_on=True)
        page = self._out.page()
        self._new_page()
        self._chars = 0
        return page

    def end_table(self) -> None:
        if self._rows:
            self._write(goes_on=False)
        self._header, self._caption = [], None

    def _write(self, *, goes_on: bool) -> None:
        rows, self._rows = self._rows, []
        repeated = self._header
        if not repeated:
            rows = self._without_titles(rows)
        left, right = _bounds(repeated + rows)
        cut = [[cell for cell in row[left:right] if cell is not None] for row in repeated + rows]
        if right - left < 2:
            self._out.block("\n".join(cell.text for row in cut for cell in row))
            return
        made = table(cut, len(repeated) or None)
        self._out.table(made, self._caption)
        self._header = (repeated + rows)[: made.header_rows] if goes_on else []

    def _without_titles(self, rows: list[Row]) -> list[Row]:
        """Write the rows of a single cell that stand ahead of the table."""
        wide = any(len(_filled(row)) > 1 for row in rows)
        at = 0
        while wide and len(filled := _filled(rows[at])) < 2:
            text = " ".join(cell.text for cell in filled)
            self._out.block(text)
            if text and len(text) <= CAPTION_CHARS:
                self._caption = text
            at += 1
        return rows[at:]


def _filled(row: Row) -> list[Cell]:
    return [cell for cell in row if cell is not None and cell.text]


def _bounds(rows: Sequence[Row]) -> tuple[int, int]:
    """The first column with a text, and the one behind the last."""
    left, right = 1 << 30, 0
    for row in rows:
        texts = [at for at, cell in enumerate(row) if cell is not None and cell.text]
        if texts:
            left = min(left, texts[0])
            last = row[texts[-1]]
            right = max(right, texts[-1] + (last.colspan if last is not None else 1))
    return left, right
