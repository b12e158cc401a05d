"""E-books: the chapters in the order of the spine, with the names that the contents give them."""

import posixpath
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from flotilla.document.converters import SourceInfo
from flotilla.document.converters.archives import Copying, Kind, copied
from flotilla.document.converters.blocks import structured_page
from flotilla.document.converters.html import read_tree
from flotilla.errors import FileCorrupt, FileEncrypted, NoText
from flotilla.models import Heading, Page

if TYPE_CHECKING:
    from lxml.etree import _Element

KIND = Kind("e-book", "EPUB")
CONTAINER = "META-INF/container.xml"
ENCRYPTION = "META-INF/encryption.xml"
TEXTS = (".xml", ".opf", ".ncx", ".xhtml", ".html", ".htm", ".xht")
READ_TYPES = ("application/xhtml+xml", "text/html", "application/xml", "text/xml", "")
# Fonts may be garbled so that nobody takes them out (EPUB 3.3, 4.2.6.3); texts are not.
GARBLED_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
LONGEST_NAME = 300


class _Book(NamedTuple):
    """The members of the spine, in order, and what the contents call them."""

    title: str | None
    spine: tuple[str, ...]
    names: dict[str, str]


class EpubConverter:
    """One Page a file of the spine, without numbers: an e-book's pages are its reader's.

    Args:
        max_unpacked_bytes: most bytes that the archive may unpack to.
    """

    def __init__(self, *, max_unpacked_bytes: int) -> None:
        self._max_unpacked_bytes = max_unpacked_bytes

    def inspect(self, path: Path, *, password: str | None = None) -> SourceInfo:
        """The title is that of the book's metadata."""
        with (
            copied(path, KIND, self._how(path), max_bytes=self._max_unpacked_bytes) as parts,
            zipfile.ZipFile(parts) as archive,
        ):
            return SourceInfo(pages=None, title=_book(archive).title)

    def pages(
        self,
        path: Path,
        *,
        first: int = 1,
        last: int | None = None,
        password: str | None = None,
    ) -> Iterator[Page]:
        """The chapters in reading order.

        Raises:
            ArchiveTooLarge: the archive unpacks to more than is allowed.
            FileCorrupt: it is no e-book, or a damaged one.
            FileEncrypted: its texts are under copy protection.
            NoText: it holds nothing but pictures.
        """
        found = False
        with (
            copied(path, KIND, self._how(path), max_bytes=self._max_unpacked_bytes) as parts,
            zipfile.ZipFile(parts) as archive,
        ):
            book = _book(archive)
            for member in book.spine:
                page = _chapter(archive.read(member), book.names.get(member))
                if page.text:
                    found = True
                    yield page
        if not found:
            raise NoText("The e-book holds no text, only pictures or nothing.")

    def _how(self, path: Path) -> Copying:
        return Copying(wanted=lambda name: name.lower().endswith(TEXTS), document_types=True)


def _chapter(data: bytes, name: str | None) -> Page:
    """The Page of a file; where no heading stands in it, under what the contents call it."""
    try:
        tree = read_tree(data)
    except NoText:
        return Page(number=None, text="")
    page = structured_page(tree)
    if not page.text or page.headings or not name:
        return page
    if page.text.casefold().startswith(name.casefold()):
        heading = Heading(offset=0, level=1, title=page.text[: len(name)])
        return page.model_copy(update={"headings": (heading,)})
    ahead = f"{name}\n\n"
    return page.model_copy(
        update={
            "text": ahead + page.text,
            "headings": (Heading(offset=0, level=1, title=name),),
            "regions": tuple(
                region.model_copy(
                    update={"start": region.start + len(ahead), "end": region.end + len(ahead)}
                )
                for region in page.regions
            ),
        }
    )


def _book(archive: zipfile.ZipFile) -> _Book:
    members = set(archive.namelist())
    if ENCRYPTION in members:
        _refuse_protection(_xml(archive, ENCRYPTION))
    if CONTAINER not in members:
        raise KIND.damaged
    package = next(
        (
            unquote(each.get("full-path", ""))
            for each in _xml(archive, CONTAINER).iter("{*}rootfile")
        ),
        "",
    )
    if package not in members:
        raise KIND.damaged
    root = _xml(archive, package)
    items = {
        each.get("id", ""): (each, _resolved(package, each.get("href", "")))
        for each in root.iter("{*}item")
    }
    title = next((each.text for each in root.iter("{*}title") if each.text), "") or ""
    names, contents = _names(archive, members, items)
    spine = [
        items[reference][1]
        for each in root.iter("{*}itemref")
        if (reference := each.get("idref", "")) in items
        and items[reference][0].get("media-type", "") in READ_TYPES
    ]
    return _Book(
        title=" ".join(title.split()) or None,
        # A table of contents says again what the chapters are called.
        spine=tuple(name for name in spine if name in members and name != contents),
        names=names,
    )


def _names(
    archive: zipfile.ZipFile, members: set[str], items: "dict[str, tuple[_Element, str]]"
) -> tuple[dict[str, str], str]:
    """What the contents call each file, by the first entry that leads to it; and where they
    stand, where that is a file that a reader is shown."""
    names: dict[str, str] = {}
    shown = ""
    for item, member in items.values():
        if member not in members:
            continue
        if "nav" in item.get("properties", "").split():
            shown = member
            links = _tree(archive, member).iter("{*}a", "a")
            entries = [(link.get("href", ""), "".join(link.itertext())) for link in links]
        elif item.get("media-type") == "application/x-dtbncx+xml":
            points = _xml(archive, member).iter("{*}navPoint")
            entries = [
                (content.get("src", ""), label.findtext("{*}text") or "")
                for point in points
                if (content := point.find("{*}content")) is not None
                and (label := point.find("{*}navLabel")) is not None
            ]
        else:
            continue
        for target, text in entries:
            name = " ".join(text.split())
            if name and len(name) <= LONGEST_NAME:
                names.setdefault(_resolved(member, target), name)
    return names, shown


def _resolved(base: str, reference: str) -> str:
    """The member that a reference of another one leads to, without its fragment."""
    path = unquote(reference.partition("#")[0])
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), path)) if path else base


def _refuse_protection(root: "_Element") -> None:
    methods = {
        method.get("Algorithm", "")
        for data in root.iter("{*}EncryptedData")
        for method in data.iterchildren("{*}EncryptionMethod")
    }
    if methods.difference(GARBLED_FONTS):
        raise FileEncrypted(
            "The e-book is under copy protection, which cannot be opened here; send one without."
        )


def _tree(archive: zipfile.ZipFile, member: str) -> "_Element":
    try:
        return read_tree(archive.read(member))
    except NoText:
        raise KIND.damaged from None


def _xml(archive: zipfile.ZipFile, member: str) -> "_Element":
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    try:
        root = etree.fromstring(archive.read(member), parser)
    except (etree.XMLSyntaxError, ValueError):
        raise KIND.damaged from None
    if root is None:
        raise FileCorrupt(KIND.damaged.message)
    return root
