"""Tables that no lines enclose: rows whose cells stand below one another."""

import re
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from flotilla.document.converters.pdf_rows import Row, box_of, cell_text, join, rows_of
from flotilla.document.converters.pdf_rulings import Ruling
from flotilla.document.converters.pdf_tables import (
    BOLD,
    Cell,
    Found,
    Table,
    header_rows,
    is_figure,
    is_year,
)
from flotilla.document.converters.pdf_words import Segment

# A row is of the table above it where the space between is at most this many times its height.
ROW_SPACE = 2.4
# So many lines in a row may hold a single cell: it went on, or names the rows below.
MAX_LONE = 2
# Columns are parted by at least this share of the size.
COLUMN_GAP = 0.5
ALIGNED = 0.45
"""Share of the size by which the edges of a column's cells may differ."""
MOSTLY = 0.7
LEAST_ROWS = 3
LONGEST_TEXT = 60
"""Characters that the cells beside the first column have on average at most: prose has more."""
LONGEST_CELL = 600
"""Characters of a cell between lines; what is longer is a column of the page."""
MAX_HEADER = 3
# Points by which the lines of a table may differ in where they begin and end.
LINE_ENDS = 4.0
MAX_COLUMNS = 20
MAX_ROWS = 250
LEADER_RUN = re.compile(r"(?:[.·…_]\s?){5,}")
LEADER_SHARE = 0.4
# In type whose letters are all of one width, a segment's width over its length is the same.
SAME_PITCH = 0.02
LEADERS = re.compile(r"(?:\s*[.·…_]){4,}\s*$")


class Stretch(NamedTuple):
    """The rows `first` to `last`, excluded, are a table."""

    first: int
    last: int
    table: Table


def aligned_tables(rows: Sequence[Row], across: Sequence[Ruling]) -> list[Stretch]:
    """The tables among a column's rows, from the top down.

    Args:
        rows: the rows from the top down.
        across: the lines that the page draws across, which speak for a table.
    """
    found: list[Stretch] = []
    for first, last in _runs(rows):
        found += _tables(rows, first, last, across)
    return found


def lined_tables(segments: Sequence[Segment], across: Sequence[Ruling]) -> list[Found]:
    """The tables that lines only across the page rule: above and below the header and at the
    foot, or below each row.

    They are looked for ahead of columns, since long cells look like those.
    """
    found: list[Found] = []
    for lines in _ladders(across):
        left, right = lines[0].start - LINE_ENDS, lines[0].end + LINE_ENDS
        within = [each for each in segments if left <= each.left and each.right <= right]
        rows = [row for row in rows_of(within) if row[0].middle < lines[-1].place]
        first = next(
            (at for at, row in enumerate(rows) if row[0].middle > lines[0].place), len(rows)
        )
        # A header above the first line.
        above = first
        while (
            above > 0
            and first - above < MAX_HEADER
            and len(rows[above - 1]) > 1
            and lines[0].place - _foot(rows[first - 1]) <= rows[first - 1][0].height
        ):
            above -= 1
        for start in dict.fromkeys((above, first)):
            chosen = rows[start:]
            if len(chosen) < LEAST_ROWS or _is_crossed(segments, chosen, within):
                continue
            table = _Candidate(chosen, lines, lined=True).table()
            if table is not None:
                found.append(Found(table, [segment for row in chosen for segment in row]))
                break
    return found


def _ladders(across: Sequence[Ruling]) -> list[list[Ruling]]:
    """Lines that begin and end at the same places, three or more of them."""
    ladders: list[list[Ruling]] = []
    for line in across:
        for ladder in ladders:
            if (
                abs(ladder[0].start - line.start) <= LINE_ENDS
                and abs(ladder[0].end - line.end) <= LINE_ENDS
            ):
                ladder.append(line)
                break
        else:
            ladders.append([line])
    return [ladder for ladder in ladders if len(ladder) >= LEAST_ROWS]


def _is_crossed(
    segments: Sequence[Segment], rows: Sequence[Row], within: Sequence[Segment]
) -> bool:
    """Whether text of the same heights reaches over the lines' ends: they are no table's."""
    top, foot = _top(rows[0]), _foot(rows[-1])
    left, right = min(each.left for each in within), max(each.right for each in within)
    inside = {id(segment) for segment in within}
    return any(
        id(segment) not in inside
        and top <= segment.middle <= foot
        and segment.left < right
        and segment.right > left
        for segment in segments
    )


def _runs(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """Where rows of several cells follow one another, with few others in between."""
    runs = []
    at = 0
    while at < len(rows):
        if len(rows[at]) < 2:  # noqa: PLR2004
            at += 1
            continue
        end, lone = at + 1, 0
        for below in range(at + 1, min(len(rows), at + MAX_ROWS)):
            height = max(segment.height for segment in rows[below])
            space = _top(rows[below]) - _foot(rows[below - 1])
            lone = 0 if len(rows[below]) > 1 else lone + 1
            if space > ROW_SPACE * height or lone > MAX_LONE:
                break
            if not lone:
                end = below + 1
        runs.append((at, end))
        at = end
    return runs


def _tables(
    rows: Sequence[Row], first: int, last: int, across: Sequence[Ruling]
) -> list[Stretch]:
    """The table of a run; or those of its parts, where the whole of it is none."""
    if last - first < 2:  # noqa: PLR2004
        return []
    for skipped in range(3):
        start = first + skipped
        if last - start > 1 and len(rows[start]) > 1:
            end = _with_rest(rows, start, last)
            table = _Candidate(rows[start:end], across).table()
            if table is not None:
                return [*_tables(rows, first, start, across), Stretch(start, end, table)]
    if last - first <= LEAST_ROWS:
        return []
    spaces = [_top(rows[at]) - _foot(rows[at - 1]) for at in range(first + 1, last)]
    widest = max(range(len(spaces)), key=lambda at: (spaces[at], -abs(at - len(spaces) / 2)))
    cut = first + 1 + widest
    if spaces[widest] <= min(spaces) + 2:
        return []
    return _tables(rows, first, cut, across) + _tables(rows, cut, last, across)


def _with_rest(rows: Sequence[Row], first: int, last: int) -> int:
    """The end of a run with the lines in which its last cells go on."""
    edge = min(row[0].left for row in rows[first:last])
    while last < len(rows) and len(rows[last]) == 1:
        lone, before = rows[last][0], rows[last - 1]
        if (
            lone.left < edge + 2 * lone.size
            or lone.top - _foot(before) > COLUMN_GAP * lone.height
            or not any(abs(lone.left - each.left) <= ALIGNED * lone.size for each in before[1:])
        ):
            break
        last += 1
    return last


class _Candidate:
    """Rows that may be a table, sorted into columns. Where it is lined, lines say that it is."""

    def __init__(
        self, rows: Sequence[Row], across: Sequence[Ruling], *, lined: bool = False
    ) -> None:
        self._rows = rows
        self._lined = lined
        segments = [segment for row in rows for segment in row]
        self._size = median(segment.size or segment.height for segment in segments)
        self._box = box_of(segments)
        left, top, right, bottom = self._box
        self._rules = sorted(
            {
                round(line.place)
                for line in across
                if top - 2 * self._size <= line.place <= bottom + 2 * self._size
                and min(line.end, right) - max(line.start, left) >= 0.6 * (right - left)  # noqa: PLR2004
            }
        )

    def table(self) -> Table | None:
        """The table that the rows are, or None where they are something else."""
        columns = self._columns()
        if not 2 <= len(columns) <= MAX_COLUMNS:  # noqa: PLR2004
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
        """Left and right of each column: what the cells of nearly all rows leave free parts them."""
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

    def _placed(
        self, columns: list[tuple[float, float]]
    ) -> list[dict[tuple[int, int], list[Segment]]] | None:
        """Of each row the segments by column and number of columns; None where too many cells
        reach over columns."""
        placed: list[dict[tuple[int, int], list[Segment]]] = []
        bridges = 0
        for row in self._rows:
            cells: dict[tuple[int, int], list[Segment]] = {}
            for segment in row:
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

    def _is_aligned(
        self, placed: list[dict[tuple[int, int], list[Segment]]], columns: int
    ) -> bool:
        """Whether most columns have cells that begin, or end, at the same place."""
        tolerance = ALIGNED * self._size
        good = counted = 0
        for column in range(columns):
            parts = [
                part for row in placed for part in row.get((column, 1), ()) if len(row) > 1
            ]
            if len(parts) < 2:  # noqa: PLR2004
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
            good += max(shares) >= (MOSTLY if len(parts) > LEAST_ROWS else 0.6)
        return counted > 1 and good >= MOSTLY * counted

    def _logical(
        self, placed: list[dict[tuple[int, int], list[Segment]]]
    ) -> list[dict[tuple[int, int], list[Segment]]]:
        """The rows as they are meant: a cell that goes on over lines is one."""
        heights = median(max(part.height for part in row) for row in self._rows)
        spaces = [0.0] + [
            _top(self._rows[at]) - _foot(self._rows[at - 1]) for at in range(1, len(self._rows))
        ]
        loose = sum(space > 0.5 * heights for space in spaces)  # noqa: PLR2004
        spread = loose > 1 and loose * 4 >= len(placed)
        inner = [
            place
            for place in self._rules
            if self._box[1] + heights < place < self._box[3] - heights
        ]
        by_rules = len(inner) >= LEAST_ROWS
        logical: list[dict[tuple[int, int], list[Segment]]] = []
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
                tight = spaces[at] <= 0.5 * heights  # noqa: PLR2004
                if by_rules:
                    joined = not ruled and not (figures and known)
                elif not ruled and not figures and tight:
                    joined = spread or (known and (first_empty or _goes_on(row, before)))
            if joined:
                for cell, parts in row.items():
                    logical[-1][cell] = logical[-1].get(cell, []) + parts
            else:
                logical.append(dict(row))
        return logical

    def _is_table(self, grid: list[list[str]], head: int, bold_head: bool) -> bool:
        body = grid[head:]
        columns = len(grid[0])
        if len(body) < 2 or len(grid) < LEAST_ROWS:  # noqa: PLR2004
            return False
        wide = sum(sum(map(bool, row)) > 1 for row in grid)
        if self._lined:
            longest = max(len(text) for row in grid for text in row)
            return wide * 2 >= len(grid) and head > 0 and longest <= LONGEST_CELL
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
            column > 0
            and len(texts) > 1
            and sum(map(is_figure, texts)) >= 0.6 * len(texts)  # noqa: PLR2004
            for column, texts in enumerate(filled)
        ]
        ruled = len(self._rules) > 1
        if _is_contents(filled, columns) and not ruled:
            return False
        leaders = sum(any(LEADER_RUN.search(part.text) for part in row) for row in self._rows)
        if leaders > LEADER_SHARE * len(self._rows) and sum(figures) < 2:  # noqa: PLR2004
            return False
        if not ruled and _is_monospaced(self._rows) and not (head and any(figures)):
            return False
        share = sum(map(len, filled)) / (columns * len(body))
        if any(figures):
            return share >= 0.5  # noqa: PLR2004
        named = ruled or bold_head
        if columns == 2:  # noqa: PLR2004
            return named and head > 0 and share >= MOSTLY
        return share >= MOSTLY and (named or len(grid) > LEAST_ROWS) and _is_short(others)


def _without_overlaps(
    cells: dict[tuple[int, int], list[Segment]],
) -> dict[tuple[int, int], list[Segment]]:
    """Cells of a row that reach into one another as one."""
    merged: dict[tuple[int, int], list[Segment]] = {}
    for (column, span), parts in sorted(cells.items()):
        if merged:
            (start, width), known = next(reversed(merged.items()))
            if column < start + width:
                del merged[(start, width)]
                merged[(start, max(start + width, column + span) - start)] = known + parts
                continue
        merged[(column, span)] = parts
    return merged


def _goes_on(
    row: dict[tuple[int, int], list[Segment]], before: dict[tuple[int, int], list[Segment]]
) -> bool:
    """Whether a row's only cell is the rest of a sentence that the one above it begins."""
    if len(row) > 1:
        return False
    ((cell, parts),) = row.items()
    return cell in before and parts[0].text[:1].islower()


def _is_contents(filled: list[list[str]], columns: int) -> bool:
    """Whether it is a table of contents: titles, and pages that only go up."""
    pages = filled[-1]
    if columns > 3 or len(pages) < LEAST_ROWS or not all(map(str.isdecimal, pages)):  # noqa: PLR2004
        return False
    numbers = [int(page) for page in pages]
    return numbers == sorted(numbers) and not all(is_year(page) for page in pages)


def _is_monospaced(rows: Sequence[Row]) -> bool:
    """Whether the rows are code, a listing or a dump: type whose letters are of one width."""
    pitches = sorted(
        part.width / len(part.text) for row in rows for part in row if len(part.text) > LEAST_ROWS
    )
    if len(pitches) < LEAST_ROWS:
        return False
    usual = median(pitches)
    near = sum(abs(pitch - usual) <= SAME_PITCH * usual for pitch in pitches)
    return near >= 0.9 * len(pitches)  # noqa: PLR2004


def _is_short(texts: list[str]) -> bool:
    return median(map(len, texts)) <= LONGEST_TEXT / 2


def _top(row: Row) -> float:
    return min(segment.top for segment in row)


def _foot(row: Row) -> float:
    return max(segment.bottom for segment in row)
