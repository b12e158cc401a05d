"""CSV and TSV: the rows of a table, whatever parts their cells."""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path

from flotilla.document.converters import SourceInfo
from flotilla.document.converters.sheets import Row, sheet_pages
from flotilla.document.converters.tables import Cell, one_line
from flotilla.document.encoding import decode_text
from flotilla.errors import NoText
from flotilla.models import Page

DELIMITERS = (",", ";", "\t", "|")
SAMPLED_ROWS = 100
LARGEST_CELL = 1_000_000
"""Characters above which a quotation mark is taken for a character: its other one is missing."""
LAST_LINE = "end"
# Excel's way to say what parts the cells.
SEPARATOR = re.compile(r"\Asep=(.)\r?\n", re.IGNORECASE)


class DelimitedConverter:
    """One or more Pages without numbers, of the rows as `a | b | c`.

    Args:
        delimiter: what parts the cells, wherever the file holds one; found out by default.
    """

    def __init__(self, delimiter: str | None = None) -> None:
        self._delimiter = delimiter

    def inspect(self, path: Path, *, password: str | None = None) -> SourceInfo:
        """Such a file has neither pages nor a title."""
        return SourceInfo(pages=None, title=None)

    def pages(
        self,
        path: Path,
        *,
        first: int = 1,
        last: int | None = None,
        password: str | None = None,
    ) -> Iterator[Page]:
        """The rows in order.

        Raises:
            InvalidEncoding: the text is neither UTF-8 nor UTF-16 with a byte order mark.
            NoText: no cell holds anything.
        """
        text = decode_text(path.read_bytes(), "the file")
        found = False
        for page in sheet_pages(_rows(text, self._delimiter), None):
            found = True
            yield page
        if not found:
            raise NoText("The file holds no text in any cell; send one with text.")


def _rows(text: str, delimiter: str | None) -> Iterator[Row]:
    if said := SEPARATOR.match(text):
        delimiter, text = said[1], text[said.end() :]
    if delimiter is None or delimiter not in text:
        delimiter = find_delimiter(text)
    csv.field_size_limit(LARGEST_CELL)
    quoted = _is_quoted(text, delimiter)
    reader = csv.reader(
        _lines(text),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        skipinitialspace=True,
    )
    for row in reader:
        yield [Cell(one_line(text)) for text in row]


def _lines(text: str) -> Iterator[str]:
    """The lines one by one: a copy of them all would be several times the file."""
    at = 0
    while at < len(text):
        end = text.find("\n", at) + 1 or len(text)
        yield text[at:end]
        at = end


def _is_quoted(text: str, delimiter: str) -> bool:
    """Whether quotation marks enclose cells; not where one is never closed."""
    if '"' not in text:
        return False
    row: list[str] = []
    try:
        for row in csv.reader(chain(_lines(text), ["\n", LAST_LINE]), delimiter=delimiter):
            if any(cell.count("\n") > LARGEST_CELL // 1000 for cell in row):
                return False
    except csv.Error:
        return False
    # A cell that is still open takes the last line in.
    return row == [LAST_LINE]


def find_delimiter(text: str) -> str:
    """What parts the cells: of the candidates the one that parts most rows into as many cells,
    more than one; a comma where none does."""
    best, most = ",", 0.0
    for delimiter in DELIMITERS:
        counts: Counter[int] = Counter()
        with suppress(csv.Error):
            sample = csv.reader(_lines(text[:LARGEST_CELL]), delimiter=delimiter)
            counts.update(len(row) for row in islice(sample, SAMPLED_ROWS) if row)
        if not counts:
            continue
        width, rows = max(counts.items(), key=lambda item: (item[1], item[0]))
        # Of two that part all rows the one that parts them into more is meant.
        score = rows / counts.total() + min(width, 50) / 1000 if width > 1 else 0.0
        if score > most:
            best, most = delimiter, score
    return best
