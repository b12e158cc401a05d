"""Tables that no lines enclose: rows whose cells stand below one another."""

from collections.abc import Sequence
from typing import NamedTuple

from flotilla.document.converters.pdf_candidates import (
    ALIGNED,
    COLUMN_GAP,
    LEAST_ROWS,
    Candidate,
    begins_anew,
)
from flotilla.document.converters.pdf_rows import Row, foot_of, top_of
from flotilla.document.converters.pdf_rulings import Ruling
from flotilla.document.converters.pdf_tables import Table

# A row is of the table above it where the space between is at most this many times its height.
ROW_SPACE = 2.4
# So many lines in a row may hold a single cell: it went on, or names the rows below.
MAX_LONE = 2
MAX_ROWS = 250
# A run that is no table is cut at its widest space, and its parts are again, so many times.
MAX_CUTS = 5


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
        found += _tables(rows, first, last, across, MAX_CUTS)
    return found


def _runs(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """Where rows of several cells follow one another, with few others in between."""
    runs = []
    at = 0
    while at < len(rows):
        if len(rows[at]) < 2:
            at += 1
            continue
        end, lone = at + 1, 0
        for below in range(at + 1, min(len(rows), at + MAX_ROWS)):
            height = max(segment.height for segment in rows[below])
            space = top_of(rows[below]) - foot_of(rows[below - 1])
            lone = 0 if len(rows[below]) > 1 else lone + 1
            if space > ROW_SPACE * height or lone > MAX_LONE:
                break
            if begins_anew(rows[below], rows[at]):
                break
            if not lone:
                end = below + 1
        runs.append((at, end))
        at = end
    return runs


def _tables(
    rows: Sequence[Row], first: int, last: int, across: Sequence[Ruling], cuts: int
) -> list[Stretch]:
    """The table of a run; or those of its parts, where the whole of it is none and so many cuts
    are left."""
    if last - first < 2:
        return []
    for skipped in range(3):
        start = first + skipped
        if last - start > 1 and len(rows[start]) > 1:
            end = _with_rest(rows, start, last)
            table = Candidate(rows[start:end], across).table()
            if table is not None:
                return [*_tables(rows, first, start, across, 0), Stretch(start, end, table)]
    if last - first <= LEAST_ROWS or not cuts:
        return []
    spaces = [top_of(rows[at]) - foot_of(rows[at - 1]) for at in range(first + 1, last)]
    widest = max(range(len(spaces)), key=lambda at: (spaces[at], -abs(at - len(spaces) / 2)))
    cut = first + 1 + widest
    if spaces[widest] <= min(spaces) + 2:
        return []
    return [
        *_tables(rows, first, cut, across, cuts - 1),
        *_tables(rows, cut, last, across, cuts - 1),
    ]


def _with_rest(rows: Sequence[Row], first: int, last: int) -> int:
    """The end of a run with the lines in which its last cells go on."""
    edge = min(row[0].left for row in rows[first:last])
    while last < len(rows) and len(rows[last]) == 1:
        lone, before = rows[last][0], rows[last - 1]
        if (
            lone.left < edge + 2 * lone.size
            or lone.top - foot_of(before) > COLUMN_GAP * lone.height
            or not any(abs(lone.left - each.left) <= ALIGNED * lone.size for each in before[1:])
        ):
            break
        last += 1
    return last
