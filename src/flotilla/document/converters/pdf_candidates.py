"""Rows of a PDF's page as a table: sorted into columns, and judged whether they are one."""

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from flotilla.document.converters.pdf_listings import has_leaders, is_contents, is_monospaced
from flotilla.document.converters.pdf_rows import (
    Row,
    box_of,
    cell_text,
    foot_of,
    join,
    split_at,
    top_of,
)
from flotilla.document.converters.pdf_rulings import Ruling
from flotilla.document.converters.pdf_tables import (
    BOLD,
    Cell,
    Table,
    header_rows,
    is_figure,
)
from flotilla.document.converters.pdf_words import Segment
from flotilla.document.converters.typography import SIZE_STEP

# Columns are parted by at least this share of the size.
COLUMN_GAP = 0.5
# Within a segment, cells are further apart than words by this share of the size.
CELL_GAP = 0.4
ALIGNED = 0.45
"""Share of the size by which the edges of a column's cells may differ."""
MOSTLY = 0.7
INDENTED = 0.5
LEAST_ROWS = 3
LEAST_PLAIN_ROWS = 5
"""Of a table that neither figures nor lines nor bold heads speak for."""
LONGEST_TEXT = 60
"""Characters that the cells beside the first column have on average at most: prose has more."""
LONG_TEXT = 25
LONGEST_CELL = 600
"""Characters of a cell between lines; what is longer is a column of the page."""
MAX_COLUMNS = 20
LEADERS = re.compile(r"(?:\s*[.·…_]){4,}\s*$")

Cells = dict[tuple[int, int], list[Segment]]
"""Of a row the segments by their column and the number of columns."""


def begins_anew(row: Row, first: Row) -> bool:
    """Whether a row is not of the table that begins with another: it is a heading, or the same
    header once more."""
    if len(row) == 1:
        return row[0].size >= SIZE_STEP * max(segment.size for segment in first) > 0
    return [segment.text for segment in row] == [segment.text for segment in first]


class Candidate:
    """Rows that may be a table, sorted into columns. Where it is lined, lines say that it is."""

    def __init__(
        self, rows: Sequence[Row], across: Sequence[Ruling], *, lined: bool = False
    ) -> None:
        self._rows = rows
        self._lined = lined
        self._spread = False
        segments = [segment for row in rows for segment in row]
        self._size = median(segment.size or segment.height for segment in segments)
        self._box = box_of(segments)
        left, top, right, bottom = self._box
        self._rules = sorted(
            {
                round(line.place)
                for line in across
                if top - 2 * self._size <= line.place <= bottom + 2 * self._size
                and min(line.end, right) - max(line.start, left) >= 0.6 * (right - left)
            }
        )

    def table(self) -> Table | None:
        """The table that the rows are, or None where they are something else."""
        columns = self._columns()
        if not 2 <= len(columns) <= MAX_COLUMNS:
            return None
        placed = self._placed(columns)
        if placed is None or not (self._lined or self._is_aligned(placed, len(columns))):
            return None
        logical = self._logical(placed)
        grid = [[""] * len(columns) for _ in logical]
        cells: list[Cell] = []
        for at, row in enumerate(logical):
            for (column, span), parts in sorted(row.items()):
                text = LEADERS.sub("", cell_text(parts))
                grid[at][column] = text
                cells.append(Cell(text, at, column, 1, span))
            taken = {c for column, span in row for c in range(column, column + span)}
            cells += [Cell("", at, c) for c in range(len(columns)) if c not in taken]
        cells.sort(key=lambda cell: (cell.row, cell.column))
        bold = [
            all(part.weight >= BOLD for parts in row.values() for part in parts) for row in logical
        ]
        head = header_rows(grid, bold)
        if not self._is_table(grid, head, any(bold[:head]) and not all(bold)):
            return None
        return Table(cells, len(grid), len(columns), head, self._box)

    def _columns(self) -> list[tuple[float, float]]:
        """Left and right of each column, parted by what the cells of nearly all rows leave free."""
        tabular = [row for row in self._rows if len(row) > 1]
        spared = max(int(len(tabular) > LEAST_ROWS), len(tabular) // 10)
        edges = sorted(
            [(segment.left, 1) for row in tabular for segment in row]
            + [(segment.right, -1) for row in tabular for segment in row]
        )
        columns: list[tuple[float, float]] = []
        depth, start = 0, 0.0
        for place, step in edges:
            if step > 0 and depth == spared:
                start = place
            if step < 0 and depth == spared + 1:
                columns.append((start, place))
            depth += step
        if spared:
            columns = self._with_rare(columns, tabular)
        merged: list[tuple[float, float]] = []
        for left, right in sorted(columns):
            if merged and left - merged[-1][1] < COLUMN_GAP * self._size:
                merged[-1] = (merged[-1][0], max(right, merged[-1][1]))
            else:
                merged.append((left, right))
        return merged

    def _with_rare(
        self, columns: list[tuple[float, float]], tabular: Sequence[Row]
    ) -> list[tuple[float, float]]:
        """With those that few rows have a cell in."""
        added = list(columns)
        for row in tabular:
            for segment in row:
                if all(segment.right < left or segment.left > right for left, right in added):
                    added.append((segment.left, segment.right))
        return added

    def _placed(self, columns: list[tuple[float, float]]) -> list[Cells] | None:
        """Of each row the segments by column and number of columns; None where too many cells
        reach over columns."""
        placed: list[Cells] = []
        bridges = 0
        for row in self._rows:
            cells: Cells = {}
            for segment in self._uncoupled(row, columns):
                met = [
                    at
                    for at, (left, right) in enumerate(columns)
                    if min(right, segment.right) - max(left, segment.left) > 0
                ]
                if not met:
                    gaps = [
                        max(left - segment.right, segment.left - right) for left, right in columns
                    ]
                    met = [gaps.index(min(gaps))]
                if len(row) > 1:
                    bridges += len(met) > 1
                cells.setdefault((met[0], met[-1] - met[0] + 1), []).append(segment)
            placed.append(_without_overlaps(cells))
        return placed if bridges <= max(2, len(self._rows) // 8) else None

    def _uncoupled(self, row: Row, columns: list[tuple[float, float]]) -> Row:
        """A row whose cells stand so near that they are one segment, with that cut ahead of a
        column where the space is wider than one between words."""
        cut: Row = []
        for segment in row:
            parts = [segment]
            for left, _ in columns[1:]:
                last = parts[-1]
                if not last.left < left < last.right:
                    continue
                wide = (
                    (before[1] + behind[0]) / 2
                    for before, behind in pairwise(last.spans)
                    if behind[0] - before[1] >= CELL_GAP * self._size
                    and behind[0] >= left - self._size
                )
                place = next(wide, None)
                if place is not None:
                    parts[-1:] = split_at(last, place)
            cut += parts
        return cut

    def _is_aligned(self, placed: list[Cells], columns: int) -> bool:
        """Whether most columns have cells that begin, or end, at the same place."""
        tolerance = ALIGNED * self._size
        good = counted = 0
        for column in range(columns):
            parts = [part for row in placed for part in row.get((column, 1), ()) if len(row) > 1]
            if len(parts) < 2:
                continue
            counted += 1
            shares = [
                sum(abs(place - median(places)) <= tolerance for place in places) / len(places)
                for places in (
                    [part.left for part in parts],
                    [part.right for part in parts],
                    # Centred cells are those of a table where lines speak for one.
                    [(part.left + part.right) / 2 for part in parts] if self._rules else [0.0, 9e9],
                )
            ]
            # The first column's are indented where they are of what stands above them.
            few = column == 0 or len(parts) <= LEAST_ROWS
            good += max(shares) >= (INDENTED if few else MOSTLY)
        return counted > 1 and good >= MOSTLY * counted

    def _logical(self, placed: list[Cells]) -> list[Cells]:
        """The rows as they are meant: a cell that goes on over lines is one."""
        heights = median(max(part.height for part in row) for row in self._rows)
        spaces = [0.0] + [
            top_of(self._rows[at]) - foot_of(self._rows[at - 1]) for at in range(1, len(self._rows))
        ]
        loose = sum(space > 0.5 * heights for space in spaces)
        spread = self._spread = loose > 1 and loose * 4 >= len(placed)
        inner = [
            place
            for place in self._rules
            if self._box[1] + heights < place < self._box[3] - heights
        ]
        begun = sum(len(row) > 1 and min(row)[0] == 0 for row in placed)
        # Fewer lines than that part groups of rows.
        by_rules = len(inner) >= LEAST_ROWS and 2 * (len(inner) + 1) >= begun
        logical: list[Cells] = []
        for at, row in enumerate(placed):
            joined = False
            if logical:
                ruled = any(
                    self._rows[at - 1][0].middle < place < self._rows[at][0].middle
                    for place in self._rules
                )
                figures = any(is_figure(join(parts).text) for parts in row.values())
                before = logical[-1]
                first_empty = all(column > 0 for column, _ in row)
                known = all(cell in before for cell in row)
                tight = spaces[at] <= 0.5 * heights
                # A single first cell names the rows below it, and is no part of them.
                names = all(column == 0 for column, _ in before) and not first_empty
                if names:
                    joined = not ruled and (tight or by_rules) and _goes_on(row, before)
                elif by_rules:
                    joined = not ruled and not (figures and known)
                elif not ruled and not figures and tight:
                    joined = spread or (
                        known and (first_empty or (len(row) == 1 and _goes_on(row, before)))
                    )
            if joined:
                for cell, parts in row.items():
                    logical[-1][cell] = logical[-1].get(cell, []) + parts
            else:
                logical.append(dict(row))
        return logical

    def _is_table(self, grid: list[list[str]], head: int, bold_head: bool) -> bool:
        body = grid[head:]
        columns = len(grid[0])
        if len(body) < 2 or len(grid) < LEAST_ROWS:
            return False
        wide = sum(sum(map(bool, row)) > 1 for row in grid)
        if self._lined:
            longest = max(len(text) for row in grid for text in row)
            prose = sum(sum(len(text) >= LONG_TEXT for text in row) > 1 for row in body)
            # Columns of the page's text, whose lines happen to be level.
            level = not self._spread and prose >= MOSTLY * len(body)
            return wide * 2 >= len(grid) and head > 0 and longest <= LONGEST_CELL and not level
        if wide < LEAST_ROWS or wide * 2 < len(grid):
            return False
        filled = [[row[column] for row in body if row[column]] for column in range(columns)]
        others = [text for column in filled[1:] for text in column]
        if not others or sum(map(len, others)) > LONGEST_TEXT * len(others):
            return False
        if any(
            2 * sum(text.endswith(":") for text in column) > len(column) for column in filled[:-1]
        ):
            return False
        figures = [
            column > 0 and len(texts) > 1 and sum(map(is_figure, texts)) >= 0.6 * len(texts)
            for column, texts in enumerate(filled)
        ]
        ruled = len(self._rules) > 1
        if is_contents(filled, columns) and not ruled:
            return False
        if sum(figures) < 2 and has_leaders(self._rows):
            return False
        if not ruled and is_monospaced(self._rows) and not (head and any(figures)):
            return False
        share = sum(map(len, filled)) / (columns * len(body))
        if any(figures):
            # Rows that share no figures are of two things that stand below one another.
            whole = sum(sum(map(bool, row)) > 1 for row in body)
            most = max(len(texts) for texts, is_one in zip(filled, figures, strict=True) if is_one)
            return share >= INDENTED and most >= 0.6 * whole
        named = ruled or bold_head
        if columns == 2:
            return named and head > 0 and share >= MOSTLY
        begun = len(filled[0]) >= MOSTLY * len(body)
        return (
            share >= MOSTLY
            and (named or (len(grid) >= LEAST_PLAIN_ROWS and begun))
            and median(map(len, others)) <= LONGEST_TEXT / 2
        )


def _without_overlaps(
    cells: Cells,
) -> Cells:
    """Cells of a row that reach into one another as one."""
    merged: Cells = {}
    for (column, span), parts in sorted(cells.items()):
        if merged:
            (start, width), known = next(reversed(merged.items()))
            if column < start + width:
                del merged[(start, width)]
                merged[(start, max(start + width, column + span) - start)] = known + parts
                continue
        merged[(column, span)] = parts
    return merged


def _goes_on(row: Cells, before: Cells) -> bool:
    """Whether a row's first cell is the rest of a phrase that the one above it begins."""
    cell = min(row)
    return cell in before and row[cell][0].text[:1].islower()
