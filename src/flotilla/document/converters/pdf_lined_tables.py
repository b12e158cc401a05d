"""Tables that only lines across a PDF's page rule, as those of books and papers."""

from collections.abc import Sequence
from itertools import pairwise, product

from flotilla.document.converters.pdf_candidates import LEAST_ROWS, Candidate, begins_anew
from flotilla.document.converters.pdf_rows import Row, box_of, foot_of, rows_of, top_of
from flotilla.document.converters.pdf_rulings import Ruling
from flotilla.document.converters.pdf_tables import Found
from flotilla.document.converters.pdf_words import Segment

# Rows of a header that stand above the first line.
MAX_HEADER = 3
# Points by which the lines of a table may differ in where they begin and end.
LINE_ENDS = 4.0
# Share of the lines' length from which a row that is one stretch of text is prose.
PROSE_WIDTH = 0.6


def lined_tables(segments: Sequence[Segment], across: Sequence[Ruling]) -> list[Found]:
    """The tables that lines only across the page rule: above and below the header and at the
    foot, or below each row.

    They are looked for ahead of columns, since long cells look like those.
    """
    found: list[Found] = []
    for ladder in _ladders(across):
        left, right = ladder[0].start - LINE_ENDS, ladder[0].end + LINE_ENDS
        within = [each for each in segments if left <= each.left and each.right <= right]
        rows = rows_of(within)
        for lines in _without_prose(ladder, rows):
            table = _table(lines, rows, segments)
            if table is not None:
                found.append(table)
    return found


def _table(
    lines: Sequence[Ruling], rows: Sequence[Row], segments: Sequence[Segment]
) -> Found | None:
    """The table between lines, if there is one; its header may stand above the first of them."""
    first = next((at for at, row in enumerate(rows) if row[0].middle > lines[0].place), len(rows))
    last = next((at for at, row in enumerate(rows) if row[0].middle > lines[-1].place), len(rows))
    above = first
    while (
        above > 0
        and first - above < MAX_HEADER
        and len(rows[above - 1]) > 1
        and lines[0].place - foot_of(rows[first - 1]) <= rows[first - 1][0].height
    ):
        above -= 1
    # Where every other row is shaded, the last one may be below the last edge.
    below = last
    if first < below < len(rows) and len(rows[below]) > 1:
        space = top_of(rows[below]) - foot_of(rows[below - 1])
        begun = abs(rows[below][0].left - rows[below - 1][0].left) <= LINE_ENDS
        below += begun and space <= rows[below][0].height
    for start, end in dict.fromkeys(product((above, first), (below, last))):
        chosen = rows[start:end]
        if len(chosen) < LEAST_ROWS or _is_crossed(segments, chosen):
            continue
        table = Candidate(chosen, lines, lined=True).table()
        if table is not None:
            return Found(table, [segment for row in chosen for segment in row])
    return None


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


def _without_prose(ladder: Sequence[Ruling], rows: Sequence[Row]) -> list[list[Ruling]]:
    """A ladder's lines in the groups that running text and headings leave: tables of one width
    often follow one another on a page."""
    groups: list[list[Ruling]] = [[ladder[0]]]
    for above, line in pairwise(ladder):
        between = [row for row in rows if above.place < row[0].middle < line.place]
        width = PROSE_WIDTH * (line.end - line.start)
        full = sum(len(row) == 1 and row[0].width >= width for row in between)
        first = next((row for row in rows if row[0].middle > groups[-1][0].place), None)
        anew = first is not None and any(
            begins_anew(row, first) for row in between if row is not first
        )
        if full * 2 > len(between) or anew:
            groups.append([])
        groups[-1].append(line)
    return [group for group in groups if len(group) >= LEAST_ROWS]


def _is_crossed(segments: Sequence[Segment], rows: Sequence[Row]) -> bool:
    """Whether text of the same heights reaches over the lines' ends: they are no table's."""
    left, top, right, foot = box_of([segment for row in rows for segment in row])
    inside = {id(segment) for row in rows for segment in row}
    return any(
        id(segment) not in inside
        and top <= segment.middle <= foot
        and segment.left < right
        and segment.right > left
        for segment in segments
    )
