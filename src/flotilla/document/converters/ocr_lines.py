"""Recognised lines in reading order: columns one after another, rows of tables as `a | b | c`."""

import re
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from flotilla.models import Heading, Page

GUTTER_BINS = 200
"""Strips of a page's width that are looked through for the space between columns."""
MIN_COLUMN = 3
"""Lines that make a column."""
FILLED = 0.5
"""Of a column's area, what its lines fill: cells of a table fill less."""
FEWEST_CHARS = 15
"""Of every other line of a column."""
MAX_CROSSING = 0.25
"""Share of lines that may cross the space between columns: titles and captions."""
CELL_GAP = 1.2
"""Heights of a line that lie between two cells, and not between two words."""
PARAGRAPH_GAP = 0.9
"""Heights of a line that lie between two paragraphs."""
HEADING_SIZE = 1.35
TITLE_SIZE = 1.8
"""Heights of a usual line from which on a short line is a heading, or a title."""
MAX_HEADING_CHARS = 120
SPLIT = re.compile(r"(\w[\w-]*)-\n(\w+)(\S*)[ \n]?")


class Piece(NamedTuple):
    """One recognised line with its place, in pixels from the upper left corner."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    score: float = 1.0

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


class _Row(NamedTuple):
    text: str
    cells: int
    top: float
    bottom: float
    height: float


def read_in_order(pieces: Sequence[Piece], number: int | None) -> Page:
    """A page of the lines, as a person reads them: headings by their size, paragraphs apart, words
    that were split at a line's end whole again.

    Args:
        pieces: in any order.
        number: of the page.
    """
    if not pieces:
        return Page(number=number, text="")
    usual = median(piece.height for piece in pieces for _ in piece.text)
    blocks: list[str] = []
    levels: list[int | None] = []
    for column in _columns(list(pieces)):
        rows = _rows(column)
        for paragraph in _paragraphs(rows, usual):
            level, text = _level(paragraph, usual), _joined(paragraph)
            # A heading over two lines is one heading.
            blocks.append(text if level is None else text.replace("\n", " "))
            levels.append(level)
    text, headings = "", []
    for block, level in zip(blocks, levels, strict=True):
        if text:
            text += "\n\n"
        if level is not None:
            headings.append(Heading(offset=len(text), level=level, title=block))
        text += block
    return Page(number=number, text=text, headings=tuple(headings))


def _columns(pieces: list[Piece]) -> list[list[Piece]]:
    """The lines by column, in the order of reading; what crosses columns stands between."""
    gutter = _gutter(pieces)
    if gutter is None:
        return [pieces]
    crossing = sorted((p for p in pieces if p.left < gutter < p.right), key=lambda p: p.top)
    beside = [p for p in pieces if not p.left < gutter < p.right]
    columns: list[list[Piece]] = []
    for piece in [*crossing, None]:
        band = [p for p in beside if piece is None or p.middle < piece.middle]
        beside = [p for p in beside if p not in band]
        columns += _columns([p for p in band if p.right <= gutter])
        columns += _columns([p for p in band if p.left >= gutter])
        if piece is not None:
            if columns and columns[-1] and columns[-1][-1] in crossing:
                columns[-1].append(piece)
            else:
                columns.append([piece])
    return [column for column in columns if column]


def _gutter(pieces: list[Piece]) -> float | None:
    """Where, from the left, two columns of running text part; None where there is one."""
    if len(pieces) < 2 * MIN_COLUMN:
        return None
    left, right = min(p.left for p in pieces), max(p.right for p in pieces)
    step = (right - left) / GUTTER_BINS
    if step <= 0:
        return None
    crossed = [0] * GUTTER_BINS
    for piece in pieces:
        first = int((piece.left - left) / step)
        last = min(GUTTER_BINS - 1, int((piece.right - left) / step))
        for strip in range(first, last + 1):
            crossed[strip] += 1
    for most in sorted({0, *(count for count in crossed if count <= MAX_CROSSING * len(pieces))}):
        gaps = []  # width and middle of each
        start = None
        for strip in range(GUTTER_BINS // 6, GUTTER_BINS - GUTTER_BINS // 6 + 1):
            if crossed[strip] <= most:
                start = strip if start is None else start
            elif start is not None:
                gaps.append((strip - start, (start + strip) // 2))
                start = None
        for _, middle in sorted(gaps, reverse=True):
            if _are_columns(pieces, place := left + middle * step):
                return place
    return None


def _are_columns(pieces: list[Piece], gutter: float) -> bool:
    """Whether what lies on both sides is running text, and not the cells of a table."""
    for side in (
        [p for p in pieces if p.right <= gutter],
        [p for p in pieces if p.left >= gutter],
    ):
        if len(side) < MIN_COLUMN:
            return False
        width = max(p.right for p in side) - min(p.left for p in side)
        if sum(p.width for p in side) < FILLED * width * len(_grouped(side)):
            return False
        # Figures and names are no running text, however wide their column is.
        if median(len(p.text) for p in side) < FEWEST_CHARS:
            return False
    return True


def _grouped(pieces: list[Piece]) -> list[list[Piece]]:
    """The pieces by the row that they stand in, from top to bottom."""
    rows: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda p: p.middle):
        row = rows[-1] if rows else []
        if row and piece.middle < max(p.bottom for p in row) - 0.35 * min(
            piece.height, row[-1].height
        ):
            row.append(piece)
        else:
            rows.append([piece])
    return rows


def _rows(pieces: list[Piece]) -> list[_Row]:
    rows = _grouped(pieces)
    counted = [_cells(row) for row in rows]
    found = []
    for place, (row, cells) in enumerate(zip(rows, counted, strict=True)):
        around = {
            len(counted[other])
            for other in (place - 1, place + 1)
            if 0 <= other < len(rows) and len(counted[other]) > 1
        }
        mark = " | " if around and len(cells) > 1 else " "
        found.append(
            _Row(
                mark.join(cells),
                len(cells),
                min(p.top for p in row),
                max(p.bottom for p in row),
                median(p.height for p in row),
            )
        )
    return found


def _cells(row: list[Piece]) -> list[str]:
    cells: list[str] = []
    before: Piece | None = None
    for piece in sorted(row, key=lambda p: p.left):
        if before is not None and piece.left - before.right < CELL_GAP * piece.height:
            cells[-1] += " " + piece.text
        else:
            cells.append(piece.text)
        before = piece
    return cells


def _paragraphs(rows: list[_Row], usual: float) -> list[list[_Row]]:
    paragraphs: list[list[_Row]] = []
    for row in rows:
        before = paragraphs[-1][-1] if paragraphs else None
        if (
            before is None
            or row.top - before.bottom > PARAGRAPH_GAP * usual
            or _is_large(row, usual) != _is_large(before, usual)
        ):
            paragraphs.append([row])
        else:
            paragraphs[-1].append(row)
    return paragraphs


def _is_large(row: _Row, usual: float) -> bool:
    return row.cells == 1 and row.height >= HEADING_SIZE * usual


def _level(paragraph: list[_Row], usual: float) -> int | None:
    text = _joined(paragraph)
    if not all(_is_large(row, usual) for row in paragraph) or len(text) > MAX_HEADING_CHARS:
        return None
    if not any(char.isalpha() for char in text):
        return None
    return 1 if min(row.height for row in paragraph) >= TITLE_SIZE * usual else 2


def _joined(paragraph: list[_Row]) -> str:
    text = "\n".join(row.text for row in paragraph)
    compounds = {word.lower() for word in re.findall(r"\w+-\w+", text)}

    def mend(found: re.Match[str]) -> str:
        hyphened = f"{found[1]}-{found[2]}"
        if (
            hyphened.lower() in compounds
            or "-" in found[1]  # as in out-of-network
            or not found[2][0].islower()
            or not found[1][-1].isalpha()
        ):
            return f"{hyphened}{found[3]}\n"
        return f"{found[1]}{found[2]}{found[3]}\n"

    return SPLIT.sub(mend, text).strip("\n")
