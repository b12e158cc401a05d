"""The lines that a PDF's page draws: what tables are ruled with."""

import ctypes
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from flotilla.document.converters.pdf_frame import Frame

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

# A path thinner than this many points is a line; shorter ones are dots and dashes of no table.
THICKNESS = 2.5
SHORTEST = 4.0
# A page that draws more than this is a picture, whose lines rule nothing.
MAX_PATHS = 4000
MAX_SEGMENTS = 400
MAX_STROKES = 20_000
MAX_DEPTH = 3
# Two stretches of one line may be this far apart.
JOIN = 3.0
# Of a colour's parts, from 0 to 255: what is lighter is the paper's white.
WHITE = 250
# A page's frame or background is no ruling: shapes beyond this share of the page.
WHOLE_PAGE = 0.9


class Ruling(NamedTuple):
    """A line across the page or down it: at `place` on one axis, from `start` to `end` on the
    other, in points of the frame in which the text is read."""

    place: float
    start: float
    end: float


class Rulings(NamedTuple):
    """The lines across (their place is a height) and down, in order of their places."""

    across: list[Ruling]
    down: list[Ruling]


NO_RULINGS = Rulings([], [])

_Matrix = tuple[float, float, float, float, float, float]
_IDENTITY: _Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


def rulings_of(page: "PdfPage", frame: Frame) -> Rulings:
    """What a page rules, whether stroked, filled or as edges of boxes. The caller holds PDFium's
    lock."""
    from pypdfium2 import raw

    reader = _Reader(raw)
    left, bottom, right, top = frame.edges
    across: list[Ruling] = []
    down: list[Ruling] = []
    for x0, y0, x1, y1 in reader.boxes(page.raw, _IDENTITY, 0):
        if x1 - x0 > WHOLE_PAGE * (right - left) and y1 - y0 > WHOLE_PAGE * (top - bottom):
            continue
        box = frame.read(x0, y0, x1, y1)
        _rule(box, across, down)
    if reader.overflown:
        return NO_RULINGS
    return Rulings(_merged(across), _merged(down))


def _rule(box: tuple[float, float, float, float], across: list[Ruling], down: list[Ruling]) -> None:
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    if height <= THICKNESS:
        if width >= SHORTEST:
            across.append(Ruling((top + bottom) / 2, left, right))
    elif width <= THICKNESS:
        if height >= SHORTEST:
            down.append(Ruling((left + right) / 2, top, bottom))
    elif width >= SHORTEST and height >= SHORTEST:
        across += Ruling(top, left, right), Ruling(bottom, left, right)
        down += Ruling(left, top, bottom), Ruling(right, top, bottom)


def _merged(rulings: list[Ruling]) -> list[Ruling]:
    """Stretches of one line as one; lines that are drawn twice once."""
    groups: list[list[Ruling]] = []
    for ruling in sorted(rulings):
        if groups and ruling.place - groups[-1][0].place <= THICKNESS:
            groups[-1].append(ruling)
        else:
            groups.append([ruling])
    merged: list[Ruling] = []
    for group in groups:
        place = sum(each.place for each in group) / len(group)
        start = end = None
        for ruling in sorted(group, key=lambda each: each.start):
            if start is None or end is None:
                start, end = ruling.start, ruling.end
            elif ruling.start <= end + JOIN:
                end = max(end, ruling.end)
            else:
                merged.append(Ruling(place, start, end))
                start, end = ruling.start, ruling.end
        if start is not None and end is not None:
            merged.append(Ruling(place, start, end))
    return merged


class _Reader:
    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._paths = 0
        self._segments = 0
        self.overflown = False
        self._edges = [ctypes.c_float() for _ in range(4)]
        self._to_edges = [ctypes.byref(edge) for edge in self._edges]

    def boxes(
        self, holder: Any, matrix: _Matrix, depth: int
    ) -> Iterator[tuple[float, float, float, float]]:
        """The boxes of straight shapes, left, bottom, right and top in the file's coordinates."""
        raw = self._raw
        count, get = (
            (raw.FPDFFormObj_CountObjects, raw.FPDFFormObj_GetObject)
            if depth
            else (raw.FPDFPage_CountObjects, raw.FPDFPage_GetObject)
        )
        for index in range(count(holder)):
            shape = get(holder, index)
            kind = raw.FPDFPageObj_GetType(shape)
            if kind == raw.FPDF_PAGEOBJ_PATH:
                self._paths += 1
                if self._paths > MAX_PATHS or self.overflown:
                    self.overflown = True
                    return
                yield from self._path(shape, matrix)
            elif kind == raw.FPDF_PAGEOBJ_FORM and depth < MAX_DEPTH:
                inner = self._matrix(shape)
                if inner is not None:
                    yield from self.boxes(shape, _times(inner, matrix), depth + 1)

    def _path(self, shape: Any, matrix: _Matrix) -> Iterator[tuple[float, float, float, float]]:
        raw = self._raw
        if not self._shows(shape) or not raw.FPDFPageObj_GetBounds(shape, *self._to_edges):
            return
        left, bottom, right, top = (float(edge.value) for edge in self._edges)
        whole = _moved(left, bottom, right, top, matrix)
        count = raw.FPDFPath_CountSegments(shape)
        thin = whole[2] - whole[0] <= THICKNESS or whole[3] - whole[1] <= THICKNESS
        if thin or count <= 1:
            yield whole
        elif count <= MAX_SEGMENTS:
            self._segments += count
            self.overflown = self.overflown or self._segments > MAX_STROKES
            if self.overflown:
                return
            own = self._matrix(shape) or _IDENTITY
            yield from self._strokes(shape, count, _times(own, matrix))

    def _shows(self, shape: Any) -> bool:
        """Whether a path is drawn at all: it is stroked, or filled with more than white."""
        raw = self._raw
        fill, stroke = ctypes.c_int(), ctypes.c_int()
        if not raw.FPDFPath_GetDrawMode(shape, ctypes.byref(fill), ctypes.byref(stroke)):
            return False
        if stroke.value or not fill.value:
            return bool(stroke.value)
        color = [ctypes.c_uint() for _ in range(4)]
        if not raw.FPDFPageObj_GetFillColor(shape, *(ctypes.byref(each) for each in color)):
            return True
        return min(each.value for each in color[:3]) < WHITE and color[3].value > 0

    def _strokes(
        self, shape: Any, count: int, matrix: _Matrix
    ) -> Iterator[tuple[float, float, float, float]]:
        """The straight strokes of a path that go across or down; curves and slopes are none."""
        raw = self._raw
        x, y = ctypes.c_float(), ctypes.c_float()
        to_x, to_y = ctypes.byref(x), ctypes.byref(y)
        start = last = (0.0, 0.0)
        for index in range(count):
            part = raw.FPDFPath_GetPathSegment(shape, index)
            raw.FPDFPathSegment_GetPoint(part, to_x, to_y)
            point = _point(x.value, y.value, matrix)
            kind = raw.FPDFPathSegment_GetType(part)
            strokes = []
            if kind == raw.FPDF_SEGMENT_MOVETO:
                start = point
            elif kind == raw.FPDF_SEGMENT_LINETO:
                strokes.append((last, point))
            if raw.FPDFPathSegment_GetClose(part):
                strokes.append((point, start))
            last = point
            for (x0, y0), (x1, y1) in strokes:
                if abs(x0 - x1) <= 1 or abs(y0 - y1) <= 1:
                    yield min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)

    def _matrix(self, shape: Any) -> _Matrix | None:
        matrix = self._raw.FS_MATRIX()
        if not self._raw.FPDFPageObj_GetMatrix(shape, ctypes.byref(matrix)):
            return None
        return matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f


def _times(one: _Matrix, two: _Matrix) -> _Matrix:
    """The matrix that does what `one` does, and then what `two` does."""
    a, b, c, d, e, f = one
    p, q, r, s, t, u = two
    return (
        a * p + b * r,
        a * q + b * s,
        c * p + d * r,
        c * q + d * s,
        e * p + f * r + t,
        e * q + f * s + u,
    )


def _point(x: float, y: float, matrix: _Matrix) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f


def _moved(
    left: float, bottom: float, right: float, top: float, matrix: _Matrix
) -> tuple[float, float, float, float]:
    x0, y0 = _point(left, bottom, matrix)
    x1, y1 = _point(right, top, matrix)
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
