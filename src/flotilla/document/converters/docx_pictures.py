"""The pictures of a Word document: where they stand in its text, and what they look like."""

import hashlib
import posixpath
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from billiard.exceptions import SoftTimeLimitExceeded

from flotilla.document.converters.image import opened, pixels_of
from flotilla.document.converters.picture_texts import Picture
from flotilla.errors import FileCorrupt

if TYPE_CHECKING:
    import numpy as np
    from lxml.etree import _Element

    Pixels = np.ndarray[Any, np.dtype[np.uint8]]

DOCUMENT = "word/document.xml"
RELATIONS = "word/_rels/document.xml.rels"
LARGEST_XML = 32 * 1024 * 1024
"""Bytes of the document's own part, unpacked: text of 10,000 pages has a third of that."""
LARGEST_PICTURE = 32 * 1024 * 1024
"""Bytes of a picture, unpacked."""
ANCHORS = 3
"""Paragraphs above a picture that its place may be told by."""


class DocxPictures:
    """The pictures of a document's body, in the order of the text. A context manager.

    What is linked to and not in the file is never fetched. Vector pictures (EMF, WMF, SVG) are
    not shown.

    Raises:
        zipfile.BadZipFile, OSError: the file is none of Word's.
    """

    def __init__(self, path: Path, password: str | None = None) -> None:
        self._parts = zipfile.ZipFile(path)
        self._above: dict[str, list[str]] = {}
        self._data: dict[str, str] = {}

    def __enter__(self) -> "DocxPictures":
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.close()

    def pictures(self, *, min_pixels: int) -> list[Picture]:
        """Those whose shorter side has at least so many pixels, each once."""
        found: dict[str, Picture] = {}
        for part, above in self._placed():
            data = self._read(part, LARGEST_PICTURE)
            if data is None:
                continue
            digest = hashlib.sha256(data).hexdigest()
            if digest in found:
                continue
            try:
                with opened(data) as image:
                    size = image.size
            except FileCorrupt:  # of a kind that is not shown, or damaged
                continue
            if min(size) >= min_pixels:
                share = float(size[0] * size[1])  # how large it is shown, nobody knows here
                found[digest] = Picture(page=1, digest=digest, pixels=size, share=share, part=part)
                self._above[digest] = above
        return list(found.values())

    def seen(self, picture: Picture, max_side: int) -> "Pixels | None":
        """A picture of shape (height, width, 3), blue first; None where it cannot be shown."""
        data = self._read(picture.part or "", LARGEST_PICTURE)
        if data is None:
            return None
        try:
            with opened(data) as image:
                return pixels_of(image, max_side)
        except FileCorrupt:
            return None

    def lines_above(self, picture: Picture) -> list[str]:
        """The paragraphs above a picture, the nearest first."""
        if picture.digest not in self._above:
            self.pictures(min_pixels=1)
        return self._above.get(picture.digest, [])

    def _placed(self) -> list[tuple[str, list[str]]]:
        """The part of each picture, with the paragraphs above it."""
        body, targets = self._tree(DOCUMENT), self._targets()
        if body is None or not targets:
            return []
        found: list[tuple[str, list[str]]] = []
        above: list[str] = []
        for element in body.iter():
            if not isinstance(element.tag, str):
                continue
            name = element.tag.rpartition("}")[2]
            if name in ("blip", "imagedata"):
                part = next((targets[v] for v in element.attrib.values() if v in targets), None)
                if part is not None:
                    found.append((part, above[::-1][:ANCHORS]))
            elif name == "p" and element.tag.startswith("{http") and (line := _text(element)):
                above.append(line)
        return found

    def _targets(self) -> dict[str, str]:
        """The parts that the document's relations lead to, by their ids."""
        tree = self._tree(RELATIONS)
        if tree is None:
            return {}
        return {
            relation.get("Id", ""): posixpath.normpath(
                posixpath.join("word", relation.get("Target", ""))
            )
            for relation in tree
            if isinstance(relation.tag, str)
            and relation.get("TargetMode") != "External"
            and relation.get("Type", "").endswith("/image")
        }

    def _tree(self, part: str) -> "_Element | None":
        from lxml import etree

        data = self._read(part, LARGEST_XML)
        if data is None:
            return None
        parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
        try:
            return etree.fromstring(data, parser)
        except etree.XMLSyntaxError:
            return None

    def _read(self, part: str, largest: int) -> bytes | None:
        try:
            if self._parts.getinfo(part).file_size > largest:
                return None
            return self._parts.read(part)
        except SoftTimeLimitExceeded:
            raise
        except Exception:  # noqa: BLE001 - whatever a damaged member leads its unpacker to
            return None


def _text(paragraph: "_Element") -> str:
    """What a paragraph says."""
    words = []
    for node in paragraph.iter():
        name = str(node.tag).rpartition("}")[2]
        if name == "t":
            words.append(node.text or "")
        elif name in ("tab", "br", "cr"):
            words.append(" ")
    return " ".join("".join(words).split())
