"""Pieces: what a section is cut into before chunks are made of it, tables by their rows."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flotilla.document.sections import PlacedRegion, Section
from flotilla.document.table_parts import TableRows, table_rows
from flotilla.models import DataType

# The paragraph ahead of a table, such as its caption or the sentence that announces it, goes with
# the table if it is no more than this share of a chunk.
MAX_LEAD_SHARE = 1 / 4
# A header above this share of a chunk is not said again in each part of a table.
MAX_HEADER_SHARE = 1 / 2
# Headings longer than this share of a chunk are treated as text.
MAX_TITLE_SHARE = 1 / 3

PARAGRAPH_END = re.compile(r"\n[ \t]*\n\s*(?=\S)")


CutText = Callable[[str, int], list[str]]
"""Cuts a text into parts of at most so many tokens that make it up when put together."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a region a piece holds: of a table the rows `first` up to, not including,
    `last`, and what its header says where the part does not begin with it."""

    placed: PlacedRegion
    rows: TableRows | None = None
    first: int = 0
    last: int = 0
    header: str = ""

    @property
    def html(self) -> str | None:
        """The rows as HTML, with the header."""
        return None if self.rows is None else self.rows.html(self.first, self.last)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the document's text that is not cut. `opens` its section; `part` tells of a
    table or a picture."""

    start: int
    text: str
    tokens: int
    section: Section
    opens: bool
    part: Part | None = None


class Cutter:
    """Cuts sections into pieces.

    Args:
        count: counts tokens.
        cut: cuts running text.
        size: most tokens of a piece of a table.
        overlap: tokens that pieces of running text leave for what they share.
    """

    def __init__(self, count: Callable[[str], int], cut: CutText, size: int, overlap: int) -> None:
        self._count = count
        self._cut = cut
        self._size = size
        self._overlap = overlap

    def pieces(self, section: Section) -> Iterator[Piece]:
        """The pieces of a section in order; white space between them is left out."""
        opens = not section.continues
        at = section.start
        end = section.start + len(section.text)
        for placed in section.regions:
            lead = self._lead(section, at, placed)
            for piece in self._running(section, at, lead, opens):
                yield piece
                opens = False
            for piece in self._of_region(section, lead, placed, opens):
                yield piece
                opens = False
            at = placed.end
        yield from self._running(section, at, end, opens)

    def _lead(self, section: Section, at: int, placed: PlacedRegion) -> int:
        """Where the paragraph begins that goes with a table: its own start where none does."""
        if placed.first_line:
            return placed.start
        before = _text(section, at, placed.start)
        title = max(0, section.start + section.title_length - at)
        ends = [found.end() for found in PARAGRAPH_END.finditer(before, title)]
        begin = ends[-1] if ends else 0
        if not before[title:].strip():
            begin = 0  # headings alone
        paragraph = before[begin:]
        if self._count(paragraph) > self._size * MAX_LEAD_SHARE:
            return placed.start
        return at + begin

    def _running(self, section: Section, at: int, end: int, opens: bool) -> Iterator[Piece]:
        """Cut running text; a heading stays with the text that follows it."""
        if not _text(section, at, end).strip():
            return
        flow = section.flow[at - section.start : end - section.start]
        title = flow[: max(0, section.start + section.title_length - at)]
        title_tokens = self._count(title)
        if title_tokens > self._size * MAX_TITLE_SHARE:
            title, title_tokens = "", 0
        cuts = self._cut(flow[len(title) :], self._size - self._overlap - title_tokens)
        cuts[0] = title + cuts[0]
        for cut in cuts:
            text = _text(section, at, at + len(cut))
            yield Piece(at, text, self._count(cut), section, opens)
            opens = False
            at += len(cut)

    def _of_region(
        self, section: Section, lead: int, placed: PlacedRegion, opens: bool
    ) -> Iterator[Piece]:
        at = lead
        for end, part in self._parts(section, lead, placed):
            text = _text(section, at, end)
            yield Piece(at, text, self._count(text), section, opens, part)
            opens = False
            at = end

    def _parts(
        self, section: Section, lead: int, placed: PlacedRegion
    ) -> Iterator[tuple[int, Part]]:
        """Where each part of a region ends, and which it is."""
        if placed.region.data_type is not DataType.TABLE:
            yield placed.end, Part(placed)
            return
        rows = table_rows(placed.region, placed.text)
        header = rows.header()
        header_tokens = self._count(header)
        if header_tokens > self._size * MAX_HEADER_SHARE:
            header, header_tokens = "", 0
        first = row = placed.first_line
        used = self._count(_text(section, lead, placed.start)) + (header_tokens if row else 0)
        at = placed.start
        for line in _text(section, placed.start, placed.end).splitlines(keepends=True):
            tokens = self._count(line)
            if row > first and used + tokens > self._size:
                yield at, Part(placed, rows, first, row, header if first else "")
                first, used = row, header_tokens
            used += tokens
            at += len(line)
            row += 1
        yield placed.end, Part(placed, rows, first, row, header if first else "")


def _text(section: Section, start: int, end: int) -> str:
    return section.text[start - section.start : end - section.start]
