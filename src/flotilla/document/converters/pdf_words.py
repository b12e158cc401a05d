"""Where the words of a PDF's page stand: PDFium's text, measured and cut at its gaps."""

import ctypes
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from flotilla.document.converters.pdf_frame import Frame, Word
from flotilla.models import Box

if TYPE_CHECKING:
    from pypdfium2 import PdfPage, PdfTextPage

# PDFium puts U+FFFE (older versions U+0002) for a hyphen at a line's end, and joins the lines.
SPLIT_MARKS = "\ufffe\x02"
WORD = re.compile(rf"[^\s{SPLIT_MARKS}]+[{SPLIT_MARKS}]?|[{SPLIT_MARKS}]")
UNKNOWN = re.compile("[\x00\x01\x03-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\ue000-\uf8ff]")
DOUBTFUL_SHARE = 0.2
# An alef ahead of a lam, or a mark ahead of its letter: one glyph, the wrong way round.
REVERSED = re.compile(
    "[\u0622\u0623\u0625\u0627](?=\u0644)|[\u05b0-\u05bd\u05bf-\u05c7](?=[\u05d0-\u05ea])"
)
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
    spans: Sequence[tuple[float, float]] = ()

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


class PlacedText(NamedTuple):
    """A page's text: the segments that are read in its frame, and those that are turned.

    It is `doubtful` where much of it stands for no character: a font says nothing of them.
    """

    frame: Frame
    segments: list[Segment]
    turned: list[str]
    doubtful: bool = False


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
    words: list[Word]


def placed_text(page: "PdfPage", text_page: "PdfTextPage") -> PlacedText:
    """The segments of a page. The caller holds PDFium's lock."""
    reader = _Reader(text_page)
    raw = list(reader.segments())
    letters: Counter[int] = Counter()
    for segment in raw:
        letters[segment.turns] += len(segment.text)
    turns = max(letters, key=lambda turn: (letters[turn], -turn)) if letters else 0
    frame = Frame(max(turns, 0), page.get_rotation() // 90 % QUARTERS, _edges(page))
    segments, turned = [], []
    for segment in raw:
        if segment.turns == frame.turns:
            box = frame.read(segment.left, segment.bottom, segment.right, segment.top)
            segments.append(
                Segment(
                    segment.text,
                    *box,
                    segment.size,
                    segment.weight,
                    segment.order,
                    frame.spans(segment.words),
                )
            )
        else:
            turned.append(segment.text)
    return PlacedText(frame, segments, turned, is_doubtful(reader.text))


def is_doubtful(text: str) -> bool:
    """Whether much of a page's text stands for no character."""
    unknown = 0 if text.isascii() and text.isprintable() else len(UNKNOWN.findall(text))
    return unknown > DOUBTFUL_SHARE * len(text)


def _edges(page: "PdfPage") -> Box:
    left, bottom, right, top = page.get_cropbox()
    return min(left, right), min(bottom, top), max(left, right), max(bottom, top)


class _Reader:
    """Cuts the text of a page into segments while it measures as few characters as it can."""

    def __init__(self, text_page: "PdfTextPage") -> None:
        from pypdfium2 import raw

        self._raw: Any = raw
        self._page = text_page.raw
        self.text = text_page.get_text_range()
        # PDFium's text leaves out what has no character, and counts in UTF-16 units.
        self._measure = raw.FPDFText_GetLooseCharBox
        self._straight = raw.FPDFText_CountChars(self._page) == len(self.text)
        self._before = (0.0, 0, 0)
        self._order = 0
        self._rectangle = raw.FS_RECTF()
        self._matrix = raw.FS_MATRIX()
        self._to_rectangle = ctypes.byref(self._rectangle)
        self._to_matrix = ctypes.byref(self._matrix)
        self._bold: dict[bytes, bool] = {}
        self._name = ctypes.create_string_buffer(LONGEST_NAME)
        self._flags = ctypes.c_int()
        self._to_flags = ctypes.byref(self._flags)

    def segments(self) -> Iterator[_Raw]:
        position = astral = 0
        for line in self.text.split("\n"):
            if not line.isascii() and REVERSED.search(line):
                line = self._unreversed(line, position + astral)
            yield from self._cut(self._words(line, position + astral))
            position += len(line) + 1
            if not line.isascii():
                astral += sum(char > "\uffff" for char in line)

    def _words(self, line: str, start: int) -> list[Word]:
        """The words of a line that begins at a place in the text, each with the box around its
        first and its last character."""
        # Most of a conversion's time goes here: the loop looks nothing up twice.
        page, rectangle, to_rectangle = self._page, self._rectangle, self._to_rectangle
        measure, index = self._measure, self._index
        straight = self._straight
        words: list[Word] = []
        for found in WORD.finditer(line):
            text = found[0]
            first = start + found.start()
            last = first + len(text) - 1
            left = bottom = right = top = math.nan
            if measure(page, first if straight else index(first), to_rectangle):
                left, bottom = rectangle.left, rectangle.bottom
                right, top = rectangle.right, rectangle.top
            if last == first or not measure(page, last if straight else index(last), to_rectangle):
                words.append((text, first, last, left, bottom, right, top))
                continue
            end_left, end_bottom = rectangle.left, rectangle.bottom
            end_right, end_top = rectangle.right, rectangle.top
            # Written so that what is no number gives way.
            word = (
                text,
                first,
                last,
                min(left, end_left),
                min(bottom, end_bottom),
                max(right, end_right),
                max(top, end_top),
            )
            if end_bottom > top or bottom > end_top:
                words += self._stacked(word)
            else:
                words.append(word)
        return words

    def _stacked(self, word: Word) -> list[Word]:
        """A word as its parts: letters one above the other are no word, though PDFium writes them
        without a space where nothing stands between them."""
        if self._type(word[1])[2] % 2:
            return [word]
        parts: list[Word] = []
        for at, char in enumerate(word[0]):
            (letter,) = self._words(char, word[1] + at)
            if parts and not (letter[4] > parts[-1][6] or letter[6] < parts[-1][4]):
                before = parts[-1]
                parts[-1] = (
                    before[0] + char,
                    before[1],
                    letter[2],
                    min(before[3], letter[3]),
                    min(before[4], letter[4]),
                    max(before[5], letter[5]),
                    max(before[6], letter[6]),
                )
            else:
                parts.append(letter)
        return parts

    def _unreversed(self, line: str, start: int) -> str:
        """A line in which the letters of a ligature stand in the order in which they are read.

        PDFium turns lines from right to left around, and with them what a single glyph stands for.
        """
        chars = list(line)
        for found in REVERSED.finditer(line):
            at = found.start()
            one, two = (self._words(chars[at + step], start + at + step) for step in (0, 1))
            if one and two and one[0][3:] == two[0][3:]:
                chars[at], chars[at + 1] = chars[at + 1], chars[at]
        return "".join(chars)

    def _index(self, position: int) -> int:
        if self._straight:
            return position
        return int(self._raw.FPDFText_GetCharIndexFromTextIndex(self._page, position))

    def _cut(self, words: list[Word]) -> Iterator[_Raw]:
        """A line's words as segments: cut at wide gaps and where a hyphen ended the line."""
        group: list[Word] = []
        face = (0.0, 0, 0)
        widest, across = 0.0, False
        before: Word | None = None
        for word in words:
            if before is not None:
                _, _, _, left, bottom, right, top = word
                beside = left - before[5] if left > before[5] else before[3] - right
                above = bottom - before[6] if bottom > before[6] else before[4] - top
                if across:
                    beside, above = above, beside
                if above > 0 or beside > widest > 0 or before[0][-1] in SPLIT_MARKS:
                    yield self._segment(group, face)
                    group = []
            if not group:
                face = self._type(word[1])
                across = face[2] % 2 == 1
                size = face[0] or (word[5] - word[3] if across else word[6] - word[4])
                widest = GAP * size
            group.append(word)
            before = word
        if group:
            yield self._segment(group, face)

    def _segment(self, group: list[Word], face: tuple[float, int, int]) -> _Raw:
        last = group[-1]
        size, weight, turns = face
        # A second look takes as long as the first: where the type changes, it is worth it.
        if face != self._before and last[2] != group[0][1]:
            end_size, end_weight, _ = self._type(last[2])
            size, weight = min(size, end_size or size), min(weight, end_weight or weight)
        self._before = (size, weight, turns)
        texts, _, _, lefts, bottoms, rights, tops = zip(*group, strict=True)
        text = " ".join(texts)
        order = self._order
        self._order += 1
        if math.isnan(sum(lefts)):
            group = [word for word in group if not math.isnan(word[3])]
            if not group:
                return _Raw(text, 0.0, 0.0, 0.0, 0.0, size, weight, -1, order, [])
            _, _, _, lefts, bottoms, rights, tops = zip(*group, strict=True)
        box = min(lefts), min(bottoms), max(rights), max(tops)
        return _Raw(text, *box, size, weight, turns, order, group)

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
        if 0 < length <= LONGEST_NAME:
            name = self._name.value
            bold = self._bold.get(name)
            if bold is None:
                bold = self._bold[name] = BOLD_NAME.search(name) is not None
            if bold:
                return BOLD_WEIGHT
        return max(0, int(self._raw.FPDFText_GetFontWeight(self._page, index)))


def _quarters(a: float, b: float) -> int:
    if abs(b) * 8 <= abs(a):
        return 0 if a >= 0 else 2
    if abs(a) * 8 <= abs(b):
        return 1 if b > 0 else 3
    return -1
