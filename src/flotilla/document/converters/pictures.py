"""Documents with pictures: what a model says of them, and what is written in them, in the text."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from flotilla.document.converters import Converter, SourceInfo
from flotilla.document.converters.docx_pictures import DocxPictures
from flotilla.document.converters.pdf_pictures import SCAN_SHARE, PdfPictures
from flotilla.document.converters.picture_texts import (
    Picture,
    place_below,
    with_summary,
    with_text,
)
from flotilla.document.converters.vision import PictureDescriber, jpeg, left_out
from flotilla.errors import NoText
from flotilla.models import Note, Page

if TYPE_CHECKING:
    import numpy as np

    from flotilla.document.converters.ocr import TextReader
    from flotilla.settings import Settings

    Pixels = np.ndarray[Any, np.dtype[np.uint8]]

LEGIBLE_PIXELS = 20
"""Of a picture's shorter side, below which no line of text can be read in it."""
FEWEST_LETTERS = 8
"""Letters that are read in a picture, below which they are ornament or chance."""


class PictureSource(Protocol):
    """The pictures of an open file; a context manager."""

    def __enter__(self) -> "PictureSource": ...
    def __exit__(self, *_: object) -> None: ...
    def seen(self, picture: Picture, max_side: int) -> "Pixels | None":
        """A picture of shape (height, width, 3), blue first, no larger than that; None where it
        cannot be shown."""
        ...

    def lines_above(self, picture: Picture) -> list[str]:
        """The lines of text above it, the nearest first."""
        ...


def choose_pictures(
    path: Path,
    settings: "Settings",
    *,
    password: str | None,
    are_read: bool,
    scans_are_read: bool,
) -> list[Picture]:
    """The pictures of a PDF that are worth a look, each once however often it repeats.

    At most as many as the settings allow, the largest first; in the order of the pages. A page's
    background is none, nor is a scanned page that is read anyway.

    Args:
        path: of the PDF.
        settings: sizes and numbers.
        password: of the PDF.
        are_read: whether what is written in pictures is read, for which smaller ones will do.
        scans_are_read: whether scanned pages are read by text recognition.
    """
    from pypdfium2 import PdfiumError

    limits = settings.pictures
    min_pixels = min(LEGIBLE_PIXELS, limits.min_pixels) if are_read else limits.min_pixels
    found: dict[str, Picture] = {}
    with ExitStack() as stack:
        try:
            look = stack.enter_context(PdfPictures(path, password))
        except PdfiumError:
            return []
        for number in range(1, len(look) + 1):
            pictures = look.pictures(number, min_pixels=min_pixels)
            for picture in pictures:
                if picture.digest in found:
                    continue
                if picture.share >= SCAN_SHARE and (scans_are_read or not look.is_scan(number)):
                    continue
                found[picture.digest] = picture
    return _largest(list(found.values()), limits.per_document)


def choose_docx_pictures(path: Path, settings: "Settings", *, are_read: bool) -> list[Picture]:
    """The same of a Word document."""
    import zipfile

    limits = settings.pictures
    min_pixels = min(LEGIBLE_PIXELS, limits.min_pixels) if are_read else limits.min_pixels
    try:
        with DocxPictures(path) as look:
            return _largest(look.pictures(min_pixels=min_pixels), limits.per_document)
    except (zipfile.BadZipFile, OSError):  # what its converter has to say
        return []


def _largest(in_order: list[Picture], most: int) -> list[Picture]:
    largest = sorted(in_order, key=lambda picture: -picture.share)[:most]
    kept = {picture.digest for picture in largest}
    return [picture for picture in in_order if picture.digest in kept]


class IllustratedConverter:
    """A converter of documents that puts what is known of pictures where they stand.

    Args:
        base: reads the text.
        settings: how pictures are drawn.
        pictures: those that are looked at, of all pages.
        open_source: opens the file that they are in, with its password.
        describer: the model that describes them; None where none is configured.
        reader: makes what reads the text in them; None where that is not wanted.
        known: what was said of a picture before, by its digest; asked before the model is.
        keep: keeps what the model says of a picture.
        beat: called between pictures; what it raises ends the conversion.
    """

    def __init__(
        self,
        base: Converter,
        settings: "Settings",
        pictures: Sequence[Picture],
        *,
        open_source: Callable[[Path, str | None], PictureSource] = PdfPictures,
        describer: PictureDescriber | None,
        reader: "Callable[[], TextReader] | None",
        known: Callable[[str], str | None] = lambda _digest: None,
        keep: Callable[[str, str], None] = lambda _digest, _summary: None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._base = base
        self._settings = settings
        self._pictures = pictures
        self._open_source = open_source
        self._describer = describer
        self._reader = reader
        self._known = known
        self._keep = keep
        self._beat = beat
        self._has_pages = False
        self._ends = float("inf")
        self._left_out: list[int] = []

    def inspect(self, path: Path, *, password: str | None = None) -> SourceInfo:
        """As the converter of the text."""
        return self._base.inspect(path, password=password)

    def pages(
        self, path: Path, *, first: int = 1, last: int | None = None, password: str | None = None
    ) -> Iterator[Page]:
        """The pages with what is known of their pictures. Raises what the text's converter does."""
        wanted = [p for p in self._pictures if first <= p.page and (last is None or p.page <= last)]
        if not wanted:
            yield from self._base.pages(path, first=first, last=last, password=password)
            return
        self._ends = time.monotonic() + self._settings.pictures.seconds
        with self._open_source(path, password) as look:
            summaries = self._summaries(look, wanted)
            shown = 0
            try:
                for page in self._base.pages(path, first=first, last=last, password=password):
                    self._has_pages = True
                    page = self._with_pictures(look, page, wanted, summaries)
                    shown += bool(page.text.strip())
                    yield page
            except NoText:
                # All that can be read may be in the pictures.
                if shown:
                    return
                page = Page(number=None, text="")
                if (
                    self._has_pages
                    or not (page := self._with_pictures(look, page, wanted, summaries)).text
                ):
                    raise
                yield page

    def _with_pictures(
        self,
        look: PictureSource,
        page: Page,
        wanted: Sequence[Picture],
        summaries: dict[str, str],
    ) -> Page:
        here = [picture for picture in wanted if picture.page == (page.number or 1)]
        # From the bottom up, so that none is looked for in another's summary.
        for picture in reversed(here):
            page = self._with_picture(look, page, picture, summaries)
        return page

    def notes(self) -> list[Note]:
        """What there is to say of the pictures of the pages that were given until now."""
        below = getattr(self._base, "notes", None)
        notes = [] if below is None else list(below())
        if self._describer is not None:
            notes += self._describer.notes()
        if self._left_out:
            notes.append(left_out(self._left_out))
        return notes

    def _summaries(self, look: PictureSource, wanted: Sequence[Picture]) -> dict[str, str]:
        if self._describer is None:
            return {}
        said = {p.digest: text for p in wanted if (text := self._known(p.digest))}
        max_side = self._settings.pictures.max_side
        asked = []
        for picture in wanted:
            large = min(picture.pixels) >= self._settings.pictures.min_pixels
            if large and picture.digest not in said:
                pixels = look.seen(picture, max_side)
                if pixels is not None:
                    asked.append((picture.digest, jpeg(pixels, max_side)))
        for digest, text in self._describer.describe_all(asked, self._ends, self._beat).items():
            self._keep(digest, text)
            said[digest] = text
        return said

    def _with_picture(
        self, look: PictureSource, page: Page, picture: Picture, summaries: dict[str, str]
    ) -> Page:
        inner = self._text_in(look, picture)
        summary = summaries.get(picture.digest)
        if inner is None and summary is None:
            return page
        offset = place_below(page, look.lines_above(picture))
        if inner is not None:
            page = with_text(page, offset, inner)
        if summary is not None:
            page = with_summary(page, offset, summary, picture.box)
        return page

    def _text_in(self, look: PictureSource, picture: Picture) -> Page | None:
        if self._reader is None:
            return None
        if time.monotonic() > self._ends:
            self._left_out.append(picture.page)
            return None
        self._beat()
        pixels = look.seen(picture, self._settings.ocr.max_side // 2)
        if pixels is None:
            return None
        read = self._reader().page(pixels, None)
        letters = sum(char.isalnum() for char in read.text)
        return read if letters >= FEWEST_LETTERS else None
