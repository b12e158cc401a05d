"""Word documents: headings, paragraphs, lists and tables."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from flotilla.document.converters import SourceInfo
from flotilla.document.converters.archives import Copying, Kind, copied, is_xml, title_of
from flotilla.document.converters.blocks import FILE_NAME, structured_page
from flotilla.document.converters.word_parts import prepared
from flotilla.errors import NoText
from flotilla.models import Page

if TYPE_CHECKING:
    from lxml.html import HtmlElement

KIND = Kind("Word document", "DOCX")
MADE_BY_WORD = re.compile(
    r"automatically generated|^(?:picture|image|bild|grafik) \d+$", re.IGNORECASE
)
STYLES = r"""
p[style-name='Title'] => h1:fresh
p[style-name='Subtitle'] => p:fresh
p[style-name='caption'] => p.caption:fresh
p[style-name='HTML Preformatted'] => pre:separator('\n')
p[style-name='Preformatted Text'] => pre:separator('\n')
p[style-name='Source Code'] => pre:separator('\n')
p[style-name='Code Block'] => pre:separator('\n')
p[style-name='Code'] => pre:separator('\n')
"""


class DocxConverter:
    """One Page with the document's text; Word decides its pages only when it prints.

    Args:
        max_unpacked_bytes: most bytes that the archive may unpack to.
    """

    def __init__(self, *, max_unpacked_bytes: int) -> None:
        self._max_unpacked_bytes = max_unpacked_bytes

    def inspect(self, path: Path, *, password: str | None = None) -> SourceInfo:
        """The title is that of the document's properties."""
        title = title_of(path, KIND, max_bytes=self._max_unpacked_bytes)
        return SourceInfo(pages=None, title=title)

    def pages(
        self,
        path: Path,
        *,
        first: int = 1,
        last: int | None = None,
        password: str | None = None,
    ) -> Iterator[Page]:
        """The whole document as one Page.

        Raises:
            ArchiveTooLarge: the archive unpacks to more than is allowed.
            FileCorrupt: it is not a Word document, or a damaged one.
            FileEncrypted: a member of the archive is encrypted.
            NoText: it holds nothing but pictures.
        """
        import mammoth
        from lxml import html

        with self._parts(path) as parts:
            try:
                converted = mammoth.convert_to_html(
                    prepared(parts),
                    style_map=STYLES,
                    convert_image=_said_of_image,
                    include_embedded_style_map=False,
                ).value
            except Exception:  # noqa: BLE001  its XML readers raise whatever bad XML leads them to
                raise KIND.damaged from None
        parser = html.HTMLParser(encoding=None, huge_tree=True)
        tree = html.fragment_fromstring(converted, create_parent="div", parser=parser)
        _place_notes(tree)
        page = structured_page(tree)
        if not page.text:
            raise NoText("The Word document holds no text, only pictures or nothing.")
        yield page

    def _parts(self, path: Path) -> AbstractContextManager[IO[bytes]]:
        how = Copying(wanted=is_xml)
        return copied(path, KIND, how, max_bytes=self._max_unpacked_bytes)


def _place_notes(tree: "HtmlElement") -> None:
    """Move each footnote and endnote from the end to behind the block that refers to it, so that
    it stands under the same heading."""
    places = {
        mark.get("id", ""): mark for mark in tree.iter("a") if "note-ref-" in mark.get("id", "")
    }
    behind: dict[HtmlElement, HtmlElement] = {}
    for note in list(tree.iter("li")):
        name = note.get("id", "")
        place = places.get(name.replace("note-", "note-ref-", 1))
        if not name.startswith(("footnote-", "endnote-")) or place is None:
            continue
        for link in note.xpath(".//a[starts-with(@href, '#')]"):
            if link.text == "↑":
                link.drop_tree()
        block = place
        while block.getparent() is not tree:
            block = block.getparent()
        note.tag = "div"
        label = f"{''.join(place.itertext())} "
        first = next(note.iterchildren("p"), note)
        first.text = label + (first.text or "")
        last = behind.get(block, block)
        last.addnext(note)
        behind[block] = note


def _said_of_image(image: Any) -> list[Any]:
    """What is said in place of a picture; nothing of what Word says of itself."""
    import mammoth

    said = (image.alt_text or "").strip()
    if not said or FILE_NAME.fullmatch(said) or MADE_BY_WORD.search(said):
        return []
    return [mammoth.html.text(f" {said} ")]
