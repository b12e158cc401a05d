"""Running titles and page numbers: lines that recur at one place from page to page."""

import re
from collections.abc import Mapping, Sequence

from flotilla.document.converters.typography import Line

# Pages on either side that a page's lines are compared with: two, since left and right pages
# often differ.
REACH = 2
# So many rows at the top and at the foot of a page may be running titles.
EDGE_LINES = 3
# They stand within these shares of the page's height at its top and its foot.
MARGIN = 0.15
NARROW_MARGIN = 0.1
# Points by which the place of one may differ from page to page.
DRIFT = 3.0
# A running title is hardly larger than the body.
LARGEST = 1.12
NUMBER = re.compile(r"\d+")
ROMAN = re.compile(r"[ivxlc]+", re.IGNORECASE)
VALUES = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}


class PageEdges:
    """The lines of a page that may be its running titles.

    Args:
        lines: all lines of the page, tables left out.
        height: the page's, in points; 0 where it is not known.
    """

    def __init__(self, lines: Sequence[Line], height: float) -> None:
        self.lines = dict(_edges(lines, height))
        self.height = height


def running_titles(index: int, pages: Mapping[int, PageEdges], body_size: float) -> set[int]:
    """Which lines of a page are running titles, by their place among its lines.

    A line is one where a page beside this one has it at the same place: with a number that goes
    up as the pages do, or in the very same words. The first line of a text that happens to recur
    is told by where it stands, and by its size.

    Args:
        index: the page's, from 0.
        pages: the edges of the pages around it, and its own, by their indexes.
        body_size: the size of the document's text in points, 0 where it is not known.
    """
    own = pages[index]
    found: set[int] = set()
    for at, line in own.lines.items():
        same = 0
        for other in range(index - REACH, index + REACH + 1):
            if other == index or other not in pages:
                continue
            kinds = {
                _kinship(line, theirs, other - index)
                for theirs in pages[other].lines.values()
                if _same_place(line, theirs)
            }
            if "numbered" in kinds:
                found.add(at)
                break
            same += "same" in kinds
        if at not in found and same and _may_recur(line, own.height, body_size, same):
            found.add(at)
    return found


def _may_recur(line: Line, height: float, body_size: float, same: int) -> bool:
    if line.box is None:
        return height > 0  # turned against the page: a stamp on every page
    if not 0 < line.size <= LARGEST * body_size:
        return False
    narrow = line.box[3] <= NARROW_MARGIN * height or line.box[1] >= (1 - NARROW_MARGIN) * height
    return narrow or same > 1 or line.size < body_size / LARGEST


def _edges(lines: Sequence[Line], height: float) -> list[tuple[int, Line]]:
    shown = [(at, line) for at, line in enumerate(lines) if line.text.strip()]
    if not height:
        few = EDGE_LINES - 1
        return shown if len(shown) <= 2 * few else shown[:few] + shown[-few:]
    placed = sorted(
        (line.box[1], line.box[3], at, line) for at, line in shown if line.box is not None
    )
    heads = [(at, line) for _, foot, at, line in placed if foot <= MARGIN * height]
    feet = [(at, line) for top, _, at, line in placed if top >= (1 - MARGIN) * height]
    turned = [(at, line) for at, line in shown if line.box is None]
    return _rows(heads) + _rows(feet[::-1]) + turned


def _rows(lines: list[tuple[int, Line]]) -> list[tuple[int, Line]]:
    """The lines of the outermost rows."""
    kept: list[tuple[int, Line]] = []
    rows = 0
    place: float | None = None
    for at, line in lines:
        top = line.box[1] if line.box else 0.0
        if place is None or abs(top - place) > DRIFT:
            rows += 1
            place = top
        if rows > EDGE_LINES:
            break
        kept.append((at, line))
    return kept


def _same_place(one: Line, other: Line) -> bool:
    if one.box is None or other.box is None:
        return one.box is other.box
    return abs(one.box[3] - other.box[3]) <= DRIFT and abs(one.size - other.size) <= 1


def _kinship(one: Line, other: Line, step: int) -> str:
    """How a line of another page, so many pages further on, is related to one: "numbered" where a
    number in it counts the pages, "same" in the same words, "" where it is another line."""
    ours, theirs = " ".join(one.text.split()), " ".join(other.text.split())
    if ours == theirs:
        return "same"
    if NUMBER.sub("#", ours) == NUMBER.sub("#", theirs):
        steps = {
            int(b) - int(a)
            for a, b in zip(NUMBER.findall(ours), NUMBER.findall(theirs), strict=True)
            if len(a) < 6 and len(b) < 6
        }
        return "numbered" if steps and steps <= {0, step} else ""
    if ROMAN.fullmatch(ours) and ROMAN.fullmatch(theirs):
        return "numbered" if _roman(theirs) - _roman(ours) == step else ""
    return ""


def _roman(text: str) -> int:
    values = [VALUES[char] for char in text.lower()]
    return sum(-value if value < max(values[at:]) else value for at, value in enumerate(values))
