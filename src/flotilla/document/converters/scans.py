"""PDFs with scanned pages: read by text recognition, or named where it is not there."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from flotilla.document.converters import Converter, SourceInfo
from flotilla.document.converters.pdf_pictures import PdfPictures
from flotilla.errors import NoText
from flotilla.models import Note, Page

if TYPE_CHECKING:
    from flotilla.document.converters.ocr import TextReader
    from flotilla.settings import OCRSettings

INSTALL = "install the extra `ocr` on the document fleet, or send the document with its text"

UNREAD = "scanned_pages"
"""Code of the note on pages that look scanned and were not read."""


class ScanConverter:
    """A converter of PDFs that also reads what is only a picture of text.

    Args:
        base: reads the text that the file has.
        settings: how pages are drawn.
        reader: makes what reads them; None where they are only to be named.
        every: read every page by its look, whatever text the file has.
        seconds: that all of it may take; pages beyond are named as not read.
        remedy: what to do about scanned pages that were not read.
        beat: called before each page that is read; what it raises ends the conversion.
    """

    def __init__(
        self,
        base: Converter,
        settings: "OCRSettings",
        reader: "Callable[[], TextReader] | None",
        *,
        every: bool = False,
        seconds: float = float("inf"),
        remedy: str = INSTALL,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._base = base
        self._settings = settings
        self._reader = reader
        self._every = every
        self._seconds = seconds
        self._remedy = remedy
        self._beat = beat
        self._read: list[int] = []
        self._empty: list[int] = []
        self._unread: list[int] = []
        self._late: list[int] = []

    def inspect(self, path: Path, *, password: str | None = None) -> SourceInfo:
        """As the file's own converter."""
        return self._base.inspect(path, password=password)

    def pages(
        self, path: Path, *, first: int = 1, last: int | None = None, password: str | None = None
    ) -> Iterator[Page]:
        """The pages, with what text recognition found on those that are scanned.

        Raises:
            NoText: the whole file was asked for and no page has text, with what to do.
            What the file's own converter raises, and what the beat does.
        """
        deadline = time.monotonic() + self._seconds
        shown = 0
        source = self._base.pages(path, first=first, last=last, password=password)
        with ExitStack() as stack:
            look = _open(stack, path, password)
            while True:
                try:
                    page = next(source)
                except StopIteration:
                    return
                except NoText:
                    if shown:
                        return
                    raise NoText(self._why_no_text()) from None
                if look is not None:
                    page = self._as_seen(look, page, deadline)
                shown += bool(page.text.strip())
                yield page

    def notes(self) -> list[Note]:
        """What there is to say of the pages that were given until now."""
        notes = []
        if self._read:
            notes.append(
                Note(
                    code="pages_read_by_ocr",
                    message="These pages were read by text recognition, which may misread letters.",
                    pages=tuple(self._read),
                )
            )
        if self._empty:
            notes.append(
                Note(
                    code="no_text_recognised",
                    message="Text recognition found nothing on these pages, which look scanned.",
                    pages=tuple(self._empty),
                )
            )
        if self._unread:
            notes.append(
                Note(
                    code=UNREAD,
                    message="These pages look scanned, and what is written on them was not read: "
                    f"{self._remedy}.",
                    pages=tuple(self._unread),
                )
            )
        if self._late:
            notes.append(
                Note(
                    code=UNREAD,
                    message="There was no time left to read these pages, which look scanned: lower "
                    "FLOTILLA_OCR_PAGES_PER_RANGE and send the document again.",
                    pages=tuple(self._late),
                )
            )
        return notes

    def _as_seen(self, look: PdfPictures, page: Page, deadline: float) -> Page:
        from pypdfium2 import PdfiumError

        number = page.number or 1
        letters = len("".join(page.text.split()))
        if not self._every and not look.is_scan(number, letters):
            return page
        if self._reader is None:
            self._unread.append(number)
            return page
        if time.monotonic() > deadline:
            self._late.append(number)
            return page
        self._beat()
        try:
            pixels = look.draw(number, dpi=self._settings.dpi, max_side=self._settings.max_side)
        except PdfiumError:
            return page
        seen = self._reader().page(pixels, page.number)
        if not self._every and len("".join(seen.text.split())) < letters:
            return page
        if seen.text:
            self._read.append(number)
        elif not self._every or letters:
            self._empty.append(number)
        return seen

    def _why_no_text(self) -> str:
        if self._reader is not None:
            return (
                "The PDF has no text, and text recognition found none on its pages: send one "
                "with text, or a sharper scan."
            )
        if self._unread:
            return f"None of the PDF's pages has text, and they look scanned: {self._remedy}."
        return "None of the PDF's pages has text: send one with text in it."


def scanned(path: Path, password: str | None = None) -> list[int]:
    """The numbers of the pages that look scanned; none where PDFium cannot open the file."""
    with ExitStack() as stack:
        look = _open(stack, path, password)
        if look is None:
            return []
        return [number for number in range(1, len(look) + 1) if look.is_scan(number)]


def _open(stack: ExitStack, path: Path, password: str | None) -> PdfPictures | None:
    from pypdfium2 import PdfiumError

    try:
        return stack.enter_context(PdfPictures(path, password))
    except PdfiumError:  # pypdf opens a few files that PDFium does not
        return None
