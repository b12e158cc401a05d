"""Excel workbooks: each sheet's tables, with what its cells show."""

import re
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from flotilla.document.converters import SourceInfo
from flotilla.document.converters.archives import Copying, Kind, copied, is_xml, title_of
from flotilla.document.converters.number_formats import shown
from flotilla.document.converters.sheets import UNNAMED, Row, sheet_pages
from flotilla.document.converters.tables import Cell, one_line
from flotilla.errors import FlotillaError, NoText
from flotilla.models import Page

if TYPE_CHECKING:
    from openpyxl import Workbook

KIND = Kind("Excel workbook", "XLSX")
BOOK = "xl/workbook.xml"
SHEET = re.compile(rb"<(?:\w+:)?sheet\s")
BLOCK = 256 * 1024
# The merged cells stand behind all rows; in a text such a mark would be escaped.
MERGED = re.compile(
    rb"<(?:\w+:)?mergeCell\s[^<>]*?ref=[\"']([A-Z]{1,3}\d{1,7}:[A-Z]{1,3}\d{1,7})[\"']"
)
MERGED_CHARS = 256
MOST_MERGED = 100_000

Span = tuple[int, int]
"""How many columns and rows a cell spans."""


class XlsxConverter:
    """One or more Pages a sheet, without numbers: only a printer knows a sheet's pages.

    Formulas are not run: their values are those of when the workbook was last saved. Hidden sheets
    are left out, as are pictures, charts and comments.

    Args:
        max_unpacked_bytes: most bytes that the archive may unpack to.
    """

    def __init__(self, *, max_unpacked_bytes: int) -> None:
        self._max_unpacked_bytes = max_unpacked_bytes

    def inspect(self, path: Path, *, password: str | None = None) -> SourceInfo:
        """The title is that of the workbook's properties."""
        title = title_of(path, KIND, max_bytes=self._max_unpacked_bytes)
        return SourceInfo(pages=None, title=title)

    def pages(
        self,
        path: Path,
        *,
        first: int = 1,
        last: int | None = None,
        password: str | None = None,
    ) -> Iterator[Page]:
        """The sheets in order, row by row: memory does not grow with a sheet's length.

        Raises:
            ArchiveTooLarge: the archive unpacks to more than is allowed.
            FileCorrupt: it is no Excel workbook, or a damaged one.
            FileEncrypted: a member of the archive is encrypted.
            NoText: no cell holds anything.
        """
        found = False
        for page in self._pages(path):
            found = True
            yield page
        if not found:
            raise NoText("The Excel workbook holds nothing in any cell of its visible sheets.")

    def _pages(self, path: Path) -> Iterator[Page]:
        with self._open(path) as book:
            sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
            for sheet in sheets or book.worksheets:
                alone = len(sheets) == 1 and UNNAMED.fullmatch(sheet.title)
                # Reading goes on while the pages are written, so what is damaged shows here.
                yield from sheet_pages(_rows(book, sheet), None if alone else sheet.title)

    @contextmanager
    def _open(self, path: Path) -> "Iterator[Workbook]":
        from openpyxl import load_workbook

        how = Copying(wanted=is_xml, names_of_others=True)
        with copied(path, KIND, how, max_bytes=self._max_unpacked_bytes) as parts:
            try:
                declared = _declared_sheets(parts)
                with closing(
                    load_workbook(parts, read_only=True, data_only=True, keep_links=False)
                ) as book:
                    if len(book.sheetnames) < declared:
                        raise KIND.damaged  # the library passes over a sheet that is missing
                    yield book
            except FlotillaError:
                raise
            except Exception:  # noqa: BLE001  it raises whatever bad XML leads it to
                raise KIND.damaged from None


def _declared_sheets(parts: IO[bytes]) -> int:
    with zipfile.ZipFile(parts) as archive:
        listed = SHEET.findall(archive.read(BOOK)) if BOOK in archive.namelist() else []
    parts.seek(0)
    return len(listed)


def _rows(book: "Workbook", sheet: Any) -> Iterator[Row]:
    spans, covered = _merged(book, sheet)
    # What a sheet claims to be its size may be anything.
    sheet.reset_dimensions()
    for number, row in enumerate(sheet.iter_rows(), start=1):
        inside = covered.get(number)
        cells: list[Cell | None] = []
        for column, cell in enumerate(row, start=1):
            if inside and column in inside:
                cells.append(None)
                continue
            text = "" if cell.value is None else one_line(_shown(cell))
            columns, rows = spans.get((number, column), (1, 1))
            cells.append(Cell(text, colspan=columns, rowspan=rows))
        yield cells


def _shown(cell: Any) -> str:
    try:
        number_format = cell.number_format or "General"
    except (IndexError, KeyError):  # a style that the workbook does not have
        number_format = "General"
    return shown(cell.value, number_format)


def _merged(book: Any, sheet: Any) -> tuple[dict[tuple[int, int], Span], dict[int, set[int]]]:
    """What merged cells span, by row and column, and the columns that they cover, by row."""
    from openpyxl.utils import range_boundaries

    spans: dict[tuple[int, int], Span] = {}
    covered: dict[int, set[int]] = {}
    count = 0
    for reference in _references(book, sheet):
        left, top, right, bottom = range_boundaries(reference)
        count += (right - left + 1) * (bottom - top + 1)
        if count > MOST_MERGED or right < left or bottom < top:
            continue
        spans[top, left] = (right - left + 1, bottom - top + 1)
        for row in range(top, bottom + 1):
            columns = covered.setdefault(row, set())
            columns.update(range(left, right + 1))
        covered[top].discard(left)
    return spans, covered


def _references(book: Any, sheet: Any) -> Iterator[str]:
    with book._archive.open(sheet._worksheet_path) as source:
        rest = b""
        while block := source.read(BLOCK):
            text = rest + block
            at = 0
            for found in MERGED.finditer(text):
                at = found.end()
                yield found[1].decode()
            rest = text[max(at, len(text) - MERGED_CHARS) :]
