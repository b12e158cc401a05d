"""Where the words of a PDF's page stand: PDFium's text, measured and cut at its gaps."""

import ctypes
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from flotilla.models import Box

if TYPE_CHECKING:
    from pypdfium2 import PdfPage, PdfTextPage

# PDFium puts U+FFFE (older versions U+0002) for a hyphen at a line's end, and joins the lines.
SPLIT_MARKS = "\ufffe\x02"
WORD = re.compile(rf"[^\s{SPLIT_MARKS}]+[{SPLIT_MARKS}]?|[{SPLIT_MARKS}]")
# Words further apart than this share of the size are of different segments.
GAP = 0.9
QUARTERS = 4
# A font's name says more of its weight than the width of its stems, which PDFium goes by.
BOLD_NAME = re.compile(rb"bold|black|heavy|demi|CMBX|CMSSBX|SFBX|[-,]Bd", re.IGNORECASE)
BOLD_WEIGHT = 700
LONGEST_NAME = 128


class Segment(NamedTuple):
    """Words of one line that stand as close as words do.

    `left`, `top`, `right` and `bottom` are points from the upper left, in the direction in which
    the page is read. `order` counts as the file draws. `size` is in points, `weight` as in CSS;
    0 where it is not known. A segment that ends with a hyphen within a word ends with U+FFFE.
    `spans` are the left and right ends of its words, which single spaces part in `text`.
    """

    text: str
    left: float
    top: float
    right: float
    bottom: float
    size: float
    weight: int
    order: int
    spans: tuple[tuple[float, float], ...] = ()

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


class Frame(NamedTuple):
    """How a page is held to be read: quarter turns of its text against the file's axes, quarter
    turns of the page as it is shown, and its edges in the file's coordinates."""

    turns: int
    shown: int
    edges: Box

    def read(self, left: float, bottom: float, right: float, top: float) -> Box:
        """From the file's coordinates to left, top, right and bottom as the text is read."""
        return _turned(self.turns, self.edges, left, bottom, right, top)

    def show(self, box: Box) -> Box:
        """From the frame in which the text is read to the page as it is shown."""
        page_left, page_bottom, page_right, page_top = self.edges
        left, top, right, bottom = box
        if self.turns == 0:
            found = (page_left + left, page_top - bottom, page_left + right, page_top - top)
        elif self.turns == 1:
            found = (page_left + top, page_bottom + left, page_left + bottom, page_bottom + right)
        elif self.turns == 2:  # noqa: PLR2004  half a turn
            found = (page_right - right, page_bottom + top, page_right - left, page_bottom + bottom)
        else:
            found = (page_right - bottom, page_top - right, page_right - top, page_top - left)
        shown = _turned(self.shown, self.edges, *found)
        return (round(shown[0], 1), round(shown[1], 1), round(shown[2], 1), round(shown[3], 1))

    @property
    def height(self) -> float:
        """Points from the top to the foot, as the text is read."""
        left, bottom, right, top = self.edges
        return right - left if self.turns % 2 else top - bottom


def _turned(
    turns: int, edges: Box, left: float, bottom: float, right: float, top: float
) -> Box:
    page_left, page_bottom, page_right, page_top = edges
    match turns:
        case 0:
            return left - page_left, page_top - top, right - page_left, page_top - bottom
        case 1:
            return bottom - page_bottom, left - page_left, top - page_bottom, right - page_left
        case 2:
            return page_right - right, bottom - page_bottom, page_right - left, top - page_bottom
        case _:
            return page_top - top, page_right - right, page_top - bottom, page_right - left


class PlacedText(NamedTuple):
    """A page's text: the segments that are read in its frame, and those that are turned."""

    frame: Frame
    segments: list[Segment]
    turned: list[str]


_Word = tuple[str, int, int, float, float, float, float]
"""A word, the places of its first and last character in the page's text, and its box."""


class _Raw(NamedTuple):
    text: str
    left: float
    bottom: float
    right: float
    top: float
    size: float
    weight: int
    turns: int
    order: int
    words: list["_Word"]


def placed_text(page: "PdfPage", text_page: "PdfTextPage") -> PlacedText:
    """The segments of a page. The caller holds PDFium's lock."""
    raw = list(_Reader(text_page).segments())
    letters: Counter[int] = Counter()
    for segment in raw:
        letters[segment.turns] += len(segment.text)
    turns = max(letters, key=lambda turn: (letters[turn], -turn)) if letters else 0
    frame = Frame(max(turns, 0), page.get_rotation() // 90 % QUARTERS, _edges(page))
    segments, turned = [], []
    for segment in raw:
        if segment.turns == frame.turns:
            box = frame.read(segment.left, segment.bottom, segment.right, segment.top)
            spans = [frame.read(word[3], word[4], word[5], word[6]) for word in segment.words]
            segments.append(
                Segment(
                    segment.text,
                    *box,
                    segment.size,
                    segment.weight,
                    segment.order,
                    tuple((span[0], span[2]) for span in spans),
                )
            )
        else:
            turned.append(segment.text)
    return PlacedText(frame, segments, turned)


def _edges(page: "PdfPage") -> Box:
    left, bottom, right, top = page.get_cropbox()
    return min(left, right), min(bottom, top), max(left, right), max(bottom, top)


class _Reader:
    """Cuts the text of a page into segments while it measures as few characters as it can."""

    def __init__(self, text_page: "PdfTextPage") -> None:
        from pypdfium2 import raw

        self._raw: Any = raw
        self._page = text_page.raw
        self._text = text_page.get_text_range()
        # PDFium's text leaves out what has no character, and counts in UTF-16 units.
        self._straight = raw.FPDFText_CountChars(self._page) == len(self._text)
        self._before = (0.0, 0, 0)
        self._rectangle = raw.FS_RECTF()
        self._matrix = raw.FS_MATRIX()
        self._to_rectangle = ctypes.byref(self._rectangle)
        self._to_matrix = ctypes.byref(self._matrix)
        self._name = ctypes.create_string_buffer(LONGEST_NAME)
        self._flags = ctypes.c_int()
        self._to_flags = ctypes.byref(self._flags)

    def segments(self) -> Iterator[_Raw]:
        order = 0
        position = astral = 0
        for line in self._text.split("\n"):
            words = [
                (found[0], *self._box(position + astral + found.start(), found))
                for found in WORD.finditer(line)
            ]
            for segment in self._cut(words):
                yield segment._replace(order=order)
                order += 1
            position += len(line) + 1
            if not line.isascii():
                astral += sum(char > "\uffff" for char in line)

    def _box(self, start: int, found: re.Match[str]) -> tuple[int, int, float, float, float, float]:
        """Of a word the places of its first and last character, and the box of both."""
        end = start + len(found[0]) - 1
        rectangle = self._rectangle
        left = bottom = right = top = math.nan
        if self._measured(start):
            left, bottom = rectangle.left, rectangle.bottom
            right, top = rectangle.right, rectangle.top
        if end > start and self._measured(end):
            if not (rectangle.left >= left):
                left = rectangle.left
            if not (rectangle.bottom >= bottom):
                bottom = rectangle.bottom
            if not (rectangle.right <= right):
                right = rectangle.right
            if not (rectangle.top <= top):
                top = rectangle.top
        return start, end, left, bottom, right, top

    def _measured(self, position: int) -> bool:
        index = self._index(position)
        return index >= 0 and bool(
            self._raw.FPDFText_GetLooseCharBox(self._page, index, self._to_rectangle)
        )

    def _index(self, position: int) -> int:
        if self._straight:
            return position
        return int(self._raw.FPDFText_GetCharIndexFromTextIndex(self._page, position))

    def _cut(self, words: list[_Word]) -> Iterator[_Raw]:
        """A line's words as segments: cut at wide gaps and where a hyphen ended the line."""
        group: list[_Word] = []
        face = (0.0, 0, 0)
        for word in words:
            if group and self._parts(group, word, face[0], face[2]):
                yield self._segment(group, face)
                group = []
            if not group:
                face = self._type(word[1])
            group.append(word)
        if group:
            yield self._segment(group, face)

    def _parts(
        self,
        group: list[_Word],
        word: _Word,
        size: float,
        turns: int,
    ) -> bool:
        before = group[-1]
        if before[0][-1] in SPLIT_MARKS:
            return True
        beside = max(word[3] - before[5], before[3] - word[5])
        above = max(word[4] - before[6], before[4] - word[6])
        if turns % 2:
            beside, above = above, beside
            size = size or before[5] - before[3]
        size = size or before[6] - before[4]
        return above > 0 or beside > GAP * size > 0

    def _segment(self, group: list[_Word], face: tuple[float, int, int]) -> _Raw:
        last = group[-1]
        size, weight, turns = face
        # A second look takes as long as the first: where the type changes, it is worth it.
        if face != self._before and last[2] != group[0][1]:
            end_size, end_weight, _ = self._type(last[2])
            size, weight = min(size, end_size or size), min(weight, end_weight or weight)
        self._before = (size, weight, turns)
        text = " ".join(word[0] for word in group)
        placed = [word for word in group if word[3] == word[3]]
        if not placed:
            return _Raw(text, 0.0, 0.0, 0.0, 0.0, size, weight, -1, 0, [])
        return _Raw(
            text,
            min(word[3] for word in placed),
            min(word[4] for word in placed),
            max(word[5] for word in placed),
            max(word[6] for word in placed),
            size,
            weight,
            turns,
            0,
            group,
        )

    def _type(self, position: int) -> tuple[float, int, int]:
        """The size in points, the weight, and the quarter turns of a character; -1 where it is
        turned by less."""
        index = self._index(position)
        matrix = self._matrix
        if index < 0 or not self._raw.FPDFText_GetMatrix(self._page, index, self._to_matrix):
            return 0.0, 0, 0
        # The font's size goes through the text matrix, which many writers use for the scale.
        scale = math.hypot(matrix.c, matrix.d)
        size = abs(self._raw.FPDFText_GetFontSize(self._page, index)) * scale
        return round(2 * size) / 2, self._weight(index), _quarters(matrix.a, matrix.b)

    def _weight(self, index: int) -> int:
        length = self._raw.FPDFText_GetFontInfo(
            self._page, index, self._name, LONGEST_NAME, self._to_flags
        )
        if 0 < length <= LONGEST_NAME and BOLD_NAME.search(self._name.value):
            return BOLD_WEIGHT
        return max(0, int(self._raw.FPDFText_GetFontWeight(self._page, index)))


def _quarters(a: float, b: float) -> int:
    if abs(b) * 8 <= abs(a):
        return 0 if a >= 0 else 2
    if abs(a) * 8 <= abs(b):
        return 1 if b > 0 else 3
    return -1
