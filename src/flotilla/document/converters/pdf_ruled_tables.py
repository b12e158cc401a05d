"""Tables whose cells a PDF's page draws: grids of lines that cross."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence

from flotilla.document.converters.pdf_rows import cell_text, rows_of, split_at
from flotilla.document.converters.pdf_rulings import Ruling, Rulings
from flotilla.document.converters.pdf_tables import BOLD, Cell, Found, Table, header_rows, is_figure
from flotilla.document.converters.pdf_words import Segment

TOUCH = 3.0
"""Points that a line may end short of the one it meets."""
NARROWEST = 5.0
"""Points below which the space between two lines is a double line."""
MAX_LINES = 600
"""Lines across or down in a table; more are hatching or a plot."""
MAX_SQUARES = 20_000
LEAST_FILLED = 0.35
"""Share of cells with text below which a grid is a form to be filled in, or a drawing."""
LONGEST_CELL = 1500
"""Characters beyond which a cell is a part of the page."""


def ruled_tables(rulings: Rulings, segments: Sequence[Segment]) -> list[Found]:
    """The tables of a page, from its top down."""
    if len(rulings.across) > MAX_LINES or len(rulings.down) > MAX_LINES:
        return []
    found = []
    free = list(segments)
    for across, down in sorted(_grids(rulings), key=lambda grid: grid[0][0].place):
        table = _table(across, down, free)
        if table is not None:
            used = {id(segment) for segment in table.segments}
            free = [segment for segment in free if id(segment) not in used]
            found.append(table)
    return found


def _grids(rulings: Rulings) -> list[tuple[list[Ruling], list[Ruling]]]:
    """The lines that meet one another, directly or through others."""
    across, down = rulings
    group = list(range(len(across) + len(down)))

    def root(at: int) -> int:
        while group[at] != at:
            group[at] = group[group[at]]
            at = group[at]
        return at

    for at, line in enumerate(across):
        for other, cross in enumerate(down, len(across)):
            if (
                line.start - TOUCH <= cross.place <= line.end + TOUCH
                and cross.start - TOUCH <= line.place <= cross.end + TOUCH
            ):
                group[root(other)] = root(at)
    grids: dict[int, tuple[list[Ruling], list[Ruling]]] = defaultdict(lambda: ([], []))
    for at, line in enumerate(across):
        grids[root(at)][0].append(line)
    for at, line in enumerate(down, len(across)):
        grids[root(at)][1].append(line)
    return [grid for grid in grids.values() if len(grid[0]) > 1 and len(grid[1]) > 0]


def _table(across: list[Ruling], down: list[Ruling], segments: Sequence[Segment]) -> Found | None:
    lefts = _places(down, across)
    tops = _places(across, down)
    if len(lefts) < 3 or len(tops) < 3:
        return None
    if len(lefts) * len(tops) > MAX_SQUARES:
        return None
    inside = [
        segment
        for segment in segments
        if lefts[0] - TOUCH <= (segment.left + segment.right) / 2 <= lefts[-1] + TOUCH
        and tops[0] - TOUCH <= segment.middle <= tops[-1] + TOUCH
    ]
    squares = _squares(lefts, tops, across, down)
    cells: dict[tuple[int, int], list[Segment]] = defaultdict(list)
    for segment in inside:
        for part in _parts(segment, down):
            column = _slot(lefts, (part.left + part.right) / 2)
            cells[squares[_slot(tops, part.middle)][column]].append(part)
    grid = _Grid(squares, cells)
    grid.split_figures()
    return grid.table(inside, (lefts[0], tops[0], lefts[-1], tops[-1]))


def _places(lines: list[Ruling], crossing: list[Ruling]) -> list[float]:
    """Where columns (or rows) begin and end, the ends of the lines that cross them included: many
    tables have no lines at their sides."""
    places = sorted(
        [line.place for line in lines]
        + [min(line.start for line in crossing), max(line.end for line in crossing)]
    )
    kept: list[float] = []
    for place in places:
        if not kept or place - kept[-1] >= NARROWEST:
            kept.append(place)
    return kept


def _slot(places: list[float], place: float) -> int:
    return min(max(bisect_right(places, place) - 1, 0), len(places) - 2)


def _parts(segment: Segment, down: Iterable[Ruling]) -> list[Segment]:
    """A segment cut where lines go down between its words."""
    parts = [segment]
    for line in down:
        if line.start <= segment.middle <= line.end:
            last = parts[-1]
            if last.left < line.place < last.right:
                parts[-1:] = split_at(last, line.place)
    return parts


def _squares(
    lefts: list[float], tops: list[float], across: list[Ruling], down: list[Ruling]
) -> list[list[tuple[int, int]]]:
    """Of each square between neighbouring lines the upper left one of its cell."""
    rows, columns = len(tops) - 1, len(lefts) - 1
    upper = [[(row, column) for column in range(columns)] for row in range(rows)]
    sides = [_at(down, left) for left in lefts]
    heads = [_at(across, top) for top in tops]
    beside = [
        [_is_drawn(sides[column], tops[row], tops[row + 1]) for column in range(columns)]
        for row in range(rows)
    ]
    above = [
        [_is_drawn(heads[row], lefts[column], lefts[column + 1]) for column in range(columns)]
        for row in range(rows)
    ]
    taken: set[tuple[int, int]] = set()
    for row in range(rows):
        for column in range(columns):
            if (row, column) in taken:
                continue
            right = column + 1
            while right < columns and not beside[row][right] and (row, right) not in taken:
                right += 1
            foot = row + 1
            # A cell is a rectangle: it goes on downward where nothing in its width is drawn.
            while foot < rows and all(
                not above[foot][at]
                and (foot, at) not in taken
                and (at == column or not beside[foot][at])
                for at in range(column, right)
            ):
                foot += 1
            for r in range(row, foot):
                for c in range(column, right):
                    upper[r][c] = (row, column)
                    taken.add((r, c))
    return upper


def _at(lines: list[Ruling], place: float) -> list[Ruling]:
    return [line for line in lines if abs(line.place - place) <= NARROWEST]


def _is_drawn(lines: list[Ruling], start: float, end: float) -> bool:
    """Whether one of the lines passes the middle between two places."""
    middle = (start + end) / 2
    return any(line.start - TOUCH <= middle <= line.end + TOUCH for line in lines)


class _Grid:
    """Squares with the cells that they are of, and what stands in those."""

    def __init__(
        self,
        squares: list[list[tuple[int, int]]],
        cells: dict[tuple[int, int], list[Segment]],
    ) -> None:
        self._squares = squares
        self._cells = cells

    def split_figures(self) -> None:
        """Rows that only space parts, within one that lines enclose, are told by a column of
        figures: a figure is never two lines long."""
        squares: list[list[tuple[int, int]]] = []
        cells: dict[tuple[int, int], list[Segment]] = {}
        moved: dict[tuple[int, int], tuple[int, int]] = {}
        for at, row in enumerate(self._squares):
            owners = dict.fromkeys(row)
            begun = all(owner[0] == at for owner in owners)
            single = at + 1 == len(self._squares) or all(
                below[0] == at + 1 for below in self._squares[at + 1]
            )
            heads = self._figure_heads(owners) if begun and single else []
            base = len(squares)
            squares += [
                [(base + part, owner[1]) if owner[0] == at else moved[owner] for owner in row]
                for part in range(max(1, len(heads)))
            ]
            for owner in owners:
                if owner[0] != at:
                    continue
                moved[owner] = (base, owner[1])
                for segment in self._cells.get(owner, ()):
                    part = max(0, bisect_right(heads, segment.middle) - 1) if heads else 0
                    cells.setdefault((base + part, owner[1]), []).append(segment)
        self._squares, self._cells = squares, cells

    def _figure_heads(self, owners: Iterable[tuple[int, int]]) -> list[float]:
        for owner in owners:
            lines = rows_of(self._cells.get(owner, ()))
            if len(lines) > 1 and all(
                len(line) == 1 and is_figure(line[0].text) and any(map(str.isdigit, line[0].text))
                for line in lines
            ):
                return [line[0].top for line in lines]
        return []

    def table(self, inside: list[Segment], box: tuple[float, float, float, float]) -> Found | None:
        texts = {owner: cell_text(parts) for owner, parts in self._cells.items()}
        rows = [
            at
            for at, row in enumerate(self._squares)
            if any(texts.get(owner) and owner[0] == at for owner in row)
        ]
        columns = [
            at
            for at in range(len(self._squares[0]))
            if any(texts.get(row[at]) and row[at][1] == at for row in self._squares)
        ]
        if len(rows) < 2 or len(columns) < 2:
            return None
        cells, grid = self._spanned(rows, columns, texts)
        filled = sum(1 for cell in cells if cell.text)
        wide = sum(1 for row in grid if sum(map(bool, row)) > 1)
        if (
            wide < 2
            or filled < LEAST_FILLED * len(cells)
            or max(len(cell.text) for cell in cells) > LONGEST_CELL
        ):
            return None
        bold = [
            all(
                part.weight >= BOLD
                for owner in set(self._squares[at])
                if owner[0] == at
                for part in self._cells.get(owner, ())
            )
            for at in rows
        ]
        head = _head(cells, grid, bold)
        return Found(Table(cells, len(rows), len(columns), head, box), inside)

    def _spanned(
        self, rows: list[int], columns: list[int], texts: dict[tuple[int, int], str]
    ) -> tuple[list[Cell], list[list[str]]]:
        """The cells of the rows and columns that hold text, and the same as a grid of texts."""
        cells: dict[tuple[int, int], Cell] = {}
        grid = [[""] * len(columns) for _ in rows]
        for row, r in enumerate(rows):
            for column, c in enumerate(columns):
                owner = self._squares[r][c]
                known = cells.get(owner)
                if known is None:
                    cells[owner] = Cell(texts.get(owner, ""), row, column)
                    grid[row][column] = texts.get(owner, "")
                else:
                    cells[owner] = known._replace(
                        rowspan=max(known.rowspan, row - known.row + 1),
                        colspan=max(known.colspan, column - known.column + 1),
                    )
        return list(cells.values()), grid


def _head(cells: list[Cell], grid: list[list[str]], bold: list[bool]) -> int:
    """The header's rows: those of a title across the table, and of heads above heads."""
    first = [cell for cell in cells if cell.row == 0]
    if len(first) == 1 and len(grid) > 2:
        return 1 + header_rows(grid[1:], bold[1:])
    deepest = max(cell.rowspan for cell in first)
    head = header_rows(grid, bold)
    if deepest > 1 and deepest < len(grid) and any(cell.colspan > 1 for cell in first):
        return max(head, deepest)
    return head
