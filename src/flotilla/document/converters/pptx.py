"""PowerPoint presentations: a page a slide, with its title, texts, tables, charts and notes."""

import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flotilla.document.converters import SourceInfo
from flotilla.document.converters.archives import (
    STRICT,
    TRANSITIONAL,
    Copying,
    Kind,
    copied,
    core_title,
    is_xml,
)
from flotilla.document.converters.page_text import PageText
from flotilla.document.converters.slides import ordered_shapes, unwrap_alternatives, write_shape
from flotilla.errors import FlotillaError, NoText
from flotilla.models import Page

if TYPE_CHECKING:
    from pptx.presentation import Presentation
    from pptx.slide import Slide

KIND = Kind("PowerPoint presentation", "PPTX")
# A slide show and a template are presentations by another name, which the library refuses.
OTHER_NAMES = re.compile(rb"presentationml\.(?:slideshow|template)\.main\+xml")
MACROS = re.compile(rb"ms-powerpoint\.(?:slideshow|template)\.macroEnabled\.main\+xml")


class PptxConverter:
    """One Page a slide, numbered as they are shown, hidden ones among them.

    Args:
        max_unpacked_bytes: most bytes that the archive may unpack to.
    """

    def __init__(self, *, max_unpacked_bytes: int) -> None:
        self._max_unpacked_bytes = max_unpacked_bytes

    def inspect(self, path: Path, *, password: str | None = None) -> SourceInfo:
        """The pages are the slides, the title is that of the presentation's properties."""
        how = Copying(wanted=is_xml, names_of_others=True, change=_as_presentation)
        with copied(path, KIND, how, max_bytes=self._max_unpacked_bytes) as parts:
            with zipfile.ZipFile(parts) as archive:
                title = core_title(archive)
            parts.seek(0)
            with _opened(parts) as presentation:
                return SourceInfo(pages=max(1, len(presentation.slides)), title=title)

    def pages(
        self,
        path: Path,
        *,
        first: int = 1,
        last: int | None = None,
        password: str | None = None,
    ) -> Iterator[Page]:
        """The slides `first` to `last`: title, texts by their place, tables, charts, notes.

        Raises:
            ArchiveTooLarge: the archive unpacks to more than is allowed.
            FileCorrupt: it is no PowerPoint presentation, or a damaged one.
            FileEncrypted: a member of the archive is encrypted.
            NoText: all slides were asked for and none has text.
        """
        how = Copying(wanted=is_xml, names_of_others=True, change=_as_presentation)
        found = False
        with (
            copied(path, KIND, how, max_bytes=self._max_unpacked_bytes) as parts,
            _opened(parts) as presentation,
        ):
            for number, slide in enumerate(presentation.slides, start=1):
                if number < first or (last is not None and number > last):
                    continue
                page = slide_page(slide, number)
                found = found or bool(page.text)
                yield page
        if not found and first == 1 and last is None:
            raise NoText("The PowerPoint presentation holds no text, only pictures or nothing.")


def _as_presentation(content: bytes) -> bytes:
    content = STRICT.sub(TRANSITIONAL, content)
    if b"presentationml" not in content and b"ms-powerpoint" not in content:
        return content
    content = OTHER_NAMES.sub(b"presentationml.presentation.main+xml", content)
    return MACROS.sub(b"ms-powerpoint.presentation.macroEnabled.main+xml", content)


@contextmanager
def _opened(parts: Any) -> "Iterator[Presentation]":
    from pptx import Presentation

    try:
        yield Presentation(parts)
    except FlotillaError:
        raise
    except Exception:  # noqa: BLE001  it raises whatever bad XML leads it to
        raise KIND.damaged from None


def slide_page(slide: "Slide", number: int) -> Page:
    """The Page of a slide; with an empty text where it shows none."""
    out = PageText()
    unwrap_alternatives(slide.element)
    title = slide.shapes.title
    named = " ".join(title.text_frame.text.split()) if title is not None else ""
    # Without a heading of its own the slide would stand under that of the one before.
    out.heading(named or f"Slide {number}", 1)
    heading = out.length
    for shape in ordered_shapes(slide.shapes):
        if title is None or shape.element is not title.element:
            write_shape(out, shape)
    notes = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    if notes is not None and notes.text.strip():
        out.heading("Notes", 2)
        for paragraph in re.split(r"[\n\v]+", notes.text):
            out.block(paragraph.strip())
    if not named and out.length == heading:
        return Page(number=number, text="")
    return out.page(number)
