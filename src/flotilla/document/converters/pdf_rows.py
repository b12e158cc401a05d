"""Segments of a page as rows: what stands side by side at one height."""

import re
from collections.abc import Iterable, Sequence

from flotilla.document.converters.pdf_words import Segment
from flotilla.models import Box

# Segments are of one row where the lower one's middle is above the foot of the row's text.
ROW_OVERLAP = 0.5
BULLET = re.compile("[•‣◦▪▫■□●○◆◇➢➤✓✔\uf0b7\uf0a7\uf0d8\uf076]")
# What also stands in a table's cells, and begins a list's item only at the start of a row.
MARKER = re.compile(
    r"[–—*·o-]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)]|\[\d{1,3}\]|\d{1,2}(?:\.\d{1,2}){1,3}\.?"
)
# A sign of currency ahead of its amount, and what stands behind one, are apart from it in columns.
AHEAD = re.compile(r"[$€£¥₹(]|[A-Z]{2}\$|[$€£¥]\s?\(")
AMOUNT_START = frozenset("0123456789(-–−—")
BEHIND = re.compile(r"[%)‰°*†‡]{1,2}")
# A list's marker and its text stand no further apart than this many times the size.
MARKER_GAP = 5.0
RTL = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")

Row = list[Segment]
"""Segments of one height, from left to right; it is never empty."""


def rows_of(segments: Iterable[Segment]) -> list[Row]:
    """Rows from the top of the page down. A list's marker is one segment with its item."""
    rows: list[Row] = []
    foot = top = 0.0
    for segment in sorted(segments, key=lambda each: (each.middle, each.left)):
        overlap = min(foot, segment.bottom) - max(top, segment.top)
        if rows and overlap > ROW_OVERLAP * min(segment.height, foot - top):
            rows[-1].append(segment)
        else:
            rows.append([segment])
            top, foot = segment.top, segment.bottom
    return [_with_markers(sorted(row, key=lambda each: each.left)) for row in rows]


def _with_markers(row: Row) -> Row:
    joined: Row = []
    for segment in row:
        before = joined[-1] if joined else None
        if (
            before is not None
            and (
                BULLET.fullmatch(before.text)
                or (
                    len(joined) == 1
                    and MARKER.fullmatch(before.text)
                    and not segment.text[:1].isdigit()
                )
                or (AHEAD.fullmatch(before.text) and segment.text[:1] in AMOUNT_START)
                or (BEHIND.fullmatch(segment.text) and before.text[-1:].isdigit())
            )
            and segment.left - before.right <= MARKER_GAP * (segment.size or segment.height)
        ):
            joined[-1] = join([before, segment])
        else:
            joined.append(segment)
    return joined


def join(segments: Sequence[Segment]) -> Segment:
    """Segments side by side as one; right to left where their letters are written so."""
    if len(segments) == 1:
        return segments[0]
    box = box_of(segments)
    backwards = is_rtl(segments)
    text = " ".join(each.text for each in (reversed(segments) if backwards else segments))
    return Segment(
        text,
        *box,
        min(each.size for each in segments),
        min(each.weight for each in segments),
        min(each.order for each in segments),
        tuple(
            span for each in (reversed(segments) if backwards else segments) for span in each.spans
        ),
    )


def split_at(segment: Segment, place: float) -> list[Segment]:
    """A segment in two where a place across the page lies between its words; or as it is."""
    words = segment.text.split(" ")
    if len(words) != len(segment.spans):
        return [segment]
    sides: tuple[list[int], list[int]] = ([], [])
    for at, (left, right) in enumerate(segment.spans):
        sides[(left + right) / 2 > place].append(at)
    if not sides[0] or not sides[1]:
        return [segment]
    return [
        segment._replace(
            text=" ".join(words[at] for at in side),
            left=min(segment.spans[at][0] for at in side),
            right=max(segment.spans[at][1] for at in side),
            spans=tuple(segment.spans[at] for at in side),
        )
        for side in sides
    ]


def cell_text(segments: Iterable[Segment]) -> str:
    """The text of a table's cell: its lines, parted by spaces."""
    return " ".join(join(row).text for row in rows_of(segments))


def is_rtl(segments: Iterable[Segment]) -> bool:
    """Whether most letters are of a script that is written from right to left."""
    texts = [segment.text for segment in segments]
    backwards = sum(len(RTL.findall(text)) for text in texts if not text.isascii())
    return backwards > 0 and backwards * 2 > sum(char.isalpha() for text in texts for char in text)


def box_of(segments: Iterable[Segment]) -> Box:
    """The box around them all, in the frame in which they are read."""
    placed = list(segments)
    return (
        min(each.left for each in placed),
        min(each.top for each in placed),
        max(each.right for each in placed),
        max(each.bottom for each in placed),
    )


def top_of(row: Row) -> float:
    """The highest point of a row."""
    return min(segment.top for segment in row)


def foot_of(row: Row) -> float:
    """The lowest point of a row."""
    return max(segment.bottom for segment in row)
