"""What of a PDF is pictures: where they stand, how they look, and which pages are nothing else."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flotilla.document.converters.pdf import PDFIUM
from flotilla.document.converters.picture_texts import Picture
from flotilla.models import Box

if TYPE_CHECKING:
    import numpy as np
    from pypdfium2 import PdfPage

    Pixels = np.ndarray[Any, np.dtype[np.uint8]]

POINTS = 72
"""Of an inch."""
MOST_DPI = 1500
"""Dots an inch of a picture, beyond which its size in pixels bounds it."""
NESTED = 6
"""Levels of forms within one another that are looked into for pictures."""
SCAN_SHARE = 0.6
"""Share of a page that one picture covers where the page is a scan."""
SOME_SHARE = 0.1
"""The same, of all pictures of a page without any text."""
STAMP_CHARS = 100
"""Letters that may stand on a scanned page beside the picture: a stamp, a page's number."""
MANY_SHAPES = 40
"""Lines and curves on a page without text, from which on they may be letters drawn as shapes."""
MOST_OBJECTS = 5000
"""Of a page that are looked at: one of more is a drawing."""
PRECISION = 10
"""Parts of a point in which PDFium gives places."""
SMALLEST, SHORTEST = 8.0, 40.0
"""Points of the shorter and of the longer side below which a picture is an icon or a line."""


class PdfPictures:
    """A PDF as it looks. A context manager; one page is open at a time.

    Raises:
        PdfiumError: PDFium cannot open the file.
    """

    def __init__(self, path: Path, password: str | None = None) -> None:
        from pypdfium2 import PdfDocument

        with PDFIUM:
            self._document: PdfDocument = PdfDocument(path, password=password)

    def __enter__(self) -> "PdfPictures":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with PDFIUM:
            self._document.close()

    def __len__(self) -> int:
        with PDFIUM:
            return len(self._document)

    @contextmanager
    def _page(self, number: int) -> Iterator["PdfPage"]:
        with PDFIUM:
            page = self._document[number - 1]
            try:
                yield page
            finally:
                page.close()

    def letters(self, number: int) -> int:
        """How many characters of text a page has, white space not counted; 0 for one that cannot
        be read."""
        from pypdfium2 import PdfiumError

        try:
            with self._page(number) as page:
                text_page = page.get_textpage()
                try:
                    text = text_page.get_text_range()
                finally:
                    text_page.close()
        except PdfiumError:
            return 0
        return len("".join(text.split()))

    def is_scan(self, number: int, letters: int | None = None) -> bool:
        """Whether what can be read on the page is in pictures, or drawn, and hardly any of it text.

        Args:
            number: of the page, from 1.
            letters: how many characters of text it has, where that is known.
        """
        from pypdfium2 import PdfiumError

        letters = self.letters(number) if letters is None else letters
        if letters >= STAMP_CHARS:
            return False
        try:
            with self._page(number) as page:
                shares, shapes = _covered(page)
        except PdfiumError:
            return False
        if letters == 0:
            return sum(shares) >= SOME_SHARE or shapes >= MANY_SHAPES
        return max(shares, default=0.0) >= SCAN_SHARE

    def pictures(self, number: int, *, min_pixels: int) -> list[Picture]:
        """The pictures of a page that are no icons, from top to bottom.

        Args:
            number: of the page, from 1.
            min_pixels: of the shorter side.
        """
        from pypdfium2 import PdfiumError

        found = []
        try:
            with self._page(number) as page:
                width, height = page.get_size()
                for image in _images(page):
                    box = _box(page, image)
                    pixels = image.get_px_size()
                    sides = box[2] - box[0], box[3] - box[1]
                    if (
                        min(pixels) >= min_pixels
                        and min(sides) >= SMALLEST
                        and max(sides) >= SHORTEST
                    ):
                        picture = Picture(
                            page=number,
                            digest=_digest(image),
                            box=box,
                            pixels=pixels,
                            share=_area(box) / max(1.0, width * height),
                        )
                        found.append(((box[1], box[0]), picture))
        except PdfiumError:
            return []
        return [picture for _, picture in sorted(found, key=lambda each: each[0])]

    def draw(self, number: int, *, dpi: float, max_side: int, box: Box | None = None) -> "Pixels":
        """A page, or the part of it in a box, as it is seen: shape (height, width, 3), blue first.

        Args:
            number: of the page, from 1.
            dpi: dots an inch.
            max_side: most pixels of the longer side, for which less dots are taken.
            box: points from the upper left corner.

        Raises:
            PdfiumError: the page cannot be read.
        """
        with self._page(number) as page:
            width, height = page.get_size()
            left, top, right, bottom = box or (0.0, 0.0, width, height)
            left, top = max(0.0, left), max(0.0, top)
            right, bottom = min(width, right), min(height, bottom)
            longer = max(right - left, bottom - top, 1.0)
            bitmap = page.render(
                scale=min(dpi / POINTS, max_side / longer),
                crop=(left, height - bottom, width - right, top),
            )
            try:
                pixels: Pixels = bitmap.to_numpy().copy()
            finally:
                bitmap.close()
        if pixels.ndim == 2:
            pixels = pixels[:, :, None]
        return pixels[:, :, :3] if pixels.shape[2] >= 3 else pixels.repeat(3, axis=2)

    def seen(self, picture: Picture, max_side: int) -> "Pixels | None":
        """A picture as it is seen on its page, no larger than it is itself: more pixels would show
        nothing more. None where it cannot be drawn."""
        from pypdfium2 import PdfiumError

        most = min(max_side, max(picture.pixels))
        try:
            return self.draw(picture.page, dpi=MOST_DPI, max_side=most, box=picture.box)
        except PdfiumError:
            return None

    def lines_above(self, picture: Picture) -> list[str]:
        """The lines of text above a picture, the nearest first."""
        return [] if picture.box is None else self.text_above(picture.page, picture.box)

    def text_above(self, number: int, box: Box) -> list[str]:
        """The last lines of text above a box, in its width, the nearest one first."""
        from pypdfium2 import PdfiumError

        try:
            with self._page(number) as page:
                text_page = page.get_textpage()
                try:
                    above = _user_space(page, (box[0], 0.0, box[2], box[1]))
                    text = text_page.get_text_bounded(*above)
                finally:
                    text_page.close()
        except PdfiumError:
            return []
        lines = (" ".join(line.split()) for line in text.splitlines())
        return [line for line in lines if line][::-1][:3]


def _images(page: "PdfPage") -> Iterator[Any]:
    from pypdfium2 import raw

    images = page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=NESTED)
    yield from islice(images, MOST_OBJECTS)


def _covered(page: "PdfPage") -> tuple[list[float], int]:
    """The share of the page that each picture covers, and how many shapes there are."""
    from pypdfium2 import raw

    width, height = page.get_size()
    shares, shapes = [], 0
    wanted = [raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_SHADING]
    for found in islice(page.get_objects(filter=wanted, max_depth=NESTED), MOST_OBJECTS):
        if found.type == raw.FPDF_PAGEOBJ_IMAGE:
            shares.append(_area(_box(page, found)) / max(1.0, width * height))
        else:
            shapes += 1
    return shares, shapes


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _box(page: "PdfPage", image: Any) -> Box:
    """Where an object is seen, cut to the page, in points from the upper left corner."""
    left, bottom, right, top = image.get_bounds()
    corners = [(left, bottom), (left, top), (right, bottom), (right, top)]
    container = image.container
    while container is not None:
        matrix = container.get_matrix()
        corners = [matrix.on_point(*corner) for corner in corners]
        container = container.container
    width, height = page.get_size()
    seen = [_device(page, x, y, width, height) for x, y in corners]
    return (
        max(0.0, min(x for x, _ in seen)),
        max(0.0, min(y for _, y in seen)),
        min(width, max(x for x, _ in seen)),
        min(height, max(y for _, y in seen)),
    )


def _device(
    page: "PdfPage", x: float, y: float, width: float, height: float
) -> tuple[float, float]:
    """A point of the page's own space as it is seen, whatever the page's rotation and crop box."""
    from ctypes import byref, c_int

    from pypdfium2 import raw

    seen_x, seen_y = c_int(), c_int()
    size = round(width * PRECISION), round(height * PRECISION)
    raw.FPDF_PageToDevice(page, 0, 0, *size, 0, x, y, byref(seen_x), byref(seen_y))
    return seen_x.value / PRECISION, seen_y.value / PRECISION


def _user_space(page: "PdfPage", box: Box) -> tuple[float, float, float, float]:
    """A box as it is seen in the page's own space: left, bottom, right, top."""
    from ctypes import byref, c_double

    from pypdfium2 import raw

    width, height = page.get_size()
    size = round(width * PRECISION), round(height * PRECISION)
    found = []
    for x, y in ((box[0], box[1]), (box[2], box[3])):
        own_x, own_y = c_double(), c_double()
        place = round(x * PRECISION), round(y * PRECISION)
        raw.FPDF_DeviceToPage(page, 0, 0, *size, 0, *place, byref(own_x), byref(own_y))
        found.append((own_x.value, own_y.value))
    (x1, y1), (x2, y2) = found
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def _digest(image: Any) -> str:
    from pypdfium2 import PdfiumError

    try:
        return hashlib.sha256(bytes(image.get_data(decode_simple=False))).hexdigest()
    except PdfiumError:  # it is told from others by where it is, at least
        return hashlib.sha256(repr((image.get_px_size(), image.get_bounds())).encode()).hexdigest()
