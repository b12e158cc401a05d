"""The order in which a PDF's page is read: columns one after another, tables as a whole."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

from flotilla.document.converters.pdf_aligned_tables import aligned_tables
from flotilla.document.converters.pdf_lined_tables import lined_tables
from flotilla.document.converters.pdf_rows import Row, is_rtl, join, rows_of
from flotilla.document.converters.pdf_ruled_tables import ruled_tables
from flotilla.document.converters.pdf_rulings import Ruling, Rulings
from flotilla.document.converters.pdf_tables import Found, Table
from flotilla.document.converters.pdf_words import Segment

# The space between columns is at least this share of the size.
GUTTER = 0.7
# Lines that begin at one place, and a share of the size by which they may miss it.
LEAST_LINES = 3
SAME_EDGE = 0.6
# Lines of prose fill their column; those of a form or a table do not.
FILLED = 0.5
PROSE_LINES = 0.5
# One in so many blocks of a side may be drawn out of turn.
OUTLIERS = 6
PROSE_CHARACTERS = 15.0
MAX_DEPTH = 8
# Points by which the middles of what stands in one row may differ.
LEVEL = 2.0
# Columns further down than this many of a page's lines are looked for only so often.
MAX_CANDIDATES = 12


class _Block(NamedTuple):
    """A segment or a table as columns are told by it."""

    left: float
    top: float
    right: float
    bottom: float
    content: Segment | Found

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


def reading_order(segments: Sequence[Segment], rulings: Rulings) -> list[Segment | Table]:
    """A page's lines and tables, as a person reads them. A line's words are one segment."""
    tables = ruled_tables(rulings, segments) if rulings.across and rulings.down else []
    free = _without(segments, tables)
    if len(rulings.across) > 2:
        lined = lined_tables(free, rulings.across)
        tables += lined
        free = _without(free, lined)
    blocks = [
        _Block(segment.left, segment.top, segment.right, segment.bottom, segment)
        for segment in free
    ]
    blocks += [_Block(*table.table.box, table) for table in tables]
    return _Reader(rulings.across, backwards=is_rtl(free)).read(blocks, 0)


def _without(segments: Sequence[Segment], tables: Iterable[Found]) -> list[Segment]:
    inside = {id(segment) for table in tables for segment in table.segments}
    return [segment for segment in segments if id(segment) not in inside]


class _Reader:
    def __init__(self, across: Sequence[Ruling], *, backwards: bool) -> None:
        self._across = across
        self._backwards = backwards

    def read(self, blocks: Sequence[_Block], depth: int) -> list[Segment | Table]:
        split = self._columns(blocks) if depth < MAX_DEPTH else None
        if split is None:
            return self._rows(blocks)
        found: list[Segment | Table] = []
        for band in split:
            for side in reversed(band) if self._backwards else band:
                found += self.read(side, depth + 1)
        return found

    def _rows(self, blocks: Sequence[_Block]) -> list[Segment | Table]:
        """Blocks of a single column: tables are told, the rest are lines from the top down."""
        segments = [block.content for block in blocks if isinstance(block.content, Segment)]
        known = [block for block in blocks if isinstance(block.content, Found)]
        placed: list[tuple[float, Segment | Table]] = [
            (block.top, block.content.table) for block in known if isinstance(block.content, Found)
        ]
        # Rows above a ruled table and below it are of no table in common.
        cuts = sorted(block.middle for block in known)
        groups: list[list[Segment]] = [[] for _ in range(len(cuts) + 1)]
        for segment in segments:
            groups[sum(cut <= segment.middle for cut in cuts)].append(segment)
        for group in groups:
            rows = rows_of(group)
            taken: set[int] = set()
            for stretch in aligned_tables(rows, self._across) if rows else ():
                taken.update(range(stretch.first, stretch.last))
                placed.append((_middle(rows[stretch.first]), stretch.table))
            placed += [(_middle(row), join(row)) for at, row in enumerate(rows) if at not in taken]
        placed.sort(key=lambda each: each[0])
        return [content for _, content in placed]

    def _columns(self, blocks: Sequence[_Block]) -> list[list[list[_Block]]] | None:
        """The blocks as bands from the top down, each of one side or of two that are read one
        after the other; None where there is nothing to tell apart."""
        segments = [block for block in blocks if isinstance(block.content, Segment)]
        if len(segments) < 2 * LEAST_LINES:
            return None
        size = median(
            segment.content.size or segment.bottom - segment.top
            for segment in segments
            if isinstance(segment.content, Segment)
        )
        best: tuple[int, list[list[list[_Block]]]] | None = None
        for place in _edges(segments, size):
            found = self._bands(blocks, place, size)
            if found is not None and (best is None or found[0] > best[0]):
                best = found
        return best[1] if best is not None else None

    def _bands(
        self, blocks: Sequence[_Block], place: float, size: float
    ) -> tuple[int, list[list[list[_Block]]]] | None:
        """The bands that a gutter left of `place` makes, and how many lines stand beside it."""
        gutter = place - GUTTER * size
        bands: list[list[list[_Block]]] = []
        count = 0
        across: list[_Block] = []
        sides: tuple[list[_Block], list[_Block]] = ([], [])

        def close() -> None:
            nonlocal count, sides, across
            left, right = sides
            if left and right and _beside(left, right, gutter, place):
                if across:
                    bands.append([across])
                    across = []
                bands.append([left, right])
                count += len(left) + len(right)
            else:
                across = across + left + right
            sides = ([], [])

        begin, end = place - SAME_EDGE * size, gutter + SAME_EDGE * size
        # What stands beside a line across is of its row: of the authors above a paper, say.
        rows = [block.middle for block in blocks if block.left < begin and block.right > end]
        rows.sort()
        for block in sorted(blocks, key=lambda each: (each.middle, each.left)):
            near = bisect_left(rows, block.middle - LEVEL)
            if near < len(rows) and rows[near] <= block.middle + LEVEL:
                close()
                across = [*across, block]
            else:
                sides[block.left >= begin].append(block)
        close()
        if across:
            bands.append([across])
        return (count, bands) if count else None


def _edges(segments: Sequence[_Block], size: float) -> list[float]:
    """Where columns may begin: places where several lines do, those of most lines first."""
    groups: list[list[float]] = []
    for left in sorted(block.left for block in segments):
        if groups and left - groups[-1][0] <= SAME_EDGE * size:
            groups[-1].append(left)
        else:
            groups.append([left])
    # The leftmost edge has nothing on its other side.
    wanted = [group for group in groups[1:] if len(group) >= LEAST_LINES]
    wanted.sort(key=len, reverse=True)
    return [group[0] for group in wanted[:MAX_CANDIDATES]]


def _beside(left: Sequence[_Block], right: Sequence[_Block], gutter: float, place: float) -> bool:
    """Whether two sides are columns that are read one after the other, and no cells of rows."""
    top = max(min(block.top for block in left), min(block.top for block in right))
    foot = min(max(block.bottom for block in left), max(block.bottom for block in right))
    if foot <= top:
        return False
    rows = [_lines(side) for side in (left, right)]
    if min(map(len, rows)) < LEAST_LINES:
        return False
    apart = _drawn_before(left, right) or _drawn_before(right, left)
    edges = (min(block.left for block in left), gutter), (place, max(b.right for b in right))
    shares = [_prose(lines, edge[1] - edge[0]) for lines, edge in zip(rows, edges, strict=True)]
    if min(shares) >= PROSE_LINES:
        return True
    # The file draws one side after the other, as nobody draws rows; one of them is running text.
    return apart and max(shares) >= PROSE_LINES and not _share_rows(rows)


def _drawn_before(first: Sequence[_Block], then: Sequence[_Block]) -> bool:
    """Whether the file draws all of one side before the other, but for a few of either: titles
    and page numbers come when they come."""
    orders = [
        sorted(block.content.order for block in side if isinstance(block.content, Segment))
        for side in (first, then)
    ]
    if not all(orders):
        return True
    before, behind = orders
    return before[-1 - len(before) // OUTLIERS] < behind[len(behind) // OUTLIERS]


def _lines(side: Sequence[_Block]) -> list[list[_Block]]:
    lines: list[list[_Block]] = []
    for block in sorted(side, key=lambda each: each.middle):
        if lines and block.middle < lines[-1][0].bottom and block.top < lines[-1][0].middle:
            lines[-1].append(block)
        else:
            lines.append([block])
    return lines


def _prose(lines: Sequence[Sequence[_Block]], width: float) -> float:
    """The share of lines whose every stretch of text is long, and that fill their column."""
    full = 0
    for line in lines:
        full += sum(block.right - block.left for block in line) >= FILLED * width and all(
            isinstance(block.content, Found) or len(block.content.text) >= PROSE_CHARACTERS
            for block in line
        )
    return full / len(lines)


def _share_rows(rows: Sequence[Sequence[Sequence[_Block]]]) -> bool:
    """Whether nearly every line of one side has one of the other at its very height."""
    few, many = sorted(rows, key=len)
    heights = [line[0].middle for line in many]
    same = sum(any(abs(line[0].middle - height) < 1 for height in heights) for line in few)
    return same >= 0.8 * len(few)


def _middle(row: Row) -> float:
    return min(segment.middle for segment in row)
