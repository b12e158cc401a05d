"""Word documents: headings, paragraphs, lists and tables."""

import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from flotilla.document.converters import SourceInfo
from flotilla.document.converters.blocks import structured_page
from flotilla.errors import ArchiveTooLarge, FileCorrupt, FileEncrypted, NoText
from flotilla.models import Page

if TYPE_CHECKING:
    from lxml.etree import _Element

# XML of real documents packs 5 to 30 times; beyond this only a bomb does, or a tiny file.
MAX_RATIO = 200
RATIO_FLOOR = 32 * 1024 * 1024
BLOCK = 64 * 1024
STYLES = """
p[style-name='Title'] => h1:fresh
p[style-name='Subtitle'] => p:fresh
"""
MATH = "http://schemas.openxmlformats.org/officeDocument/2006/math"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
DAMAGED = "The Word document is damaged; save it again as DOCX and send that."


class DocxConverter:
    """One Page with the document's text; Word decides its pages only when it prints.

    Args:
        max_unpacked_bytes: most bytes that the archive may unpack to.
    """

    def __init__(self, *, max_unpacked_bytes: int) -> None:
        self._max_unpacked_bytes = max_unpacked_bytes

    def inspect(self, path: Path, *, password: str | None = None) -> SourceInfo:
        """The title is that of the document's properties."""
        from lxml import etree

        with zipfile.ZipFile(self._unpack(path)) as parts:
            if "docProps/core.xml" not in parts.namelist():
                return SourceInfo(pages=None, title=None)
            try:
                core = etree.fromstring(
                    parts.read("docProps/core.xml"), etree.XMLParser(resolve_entities=False)
                )
            except etree.XMLSyntaxError:
                return SourceInfo(pages=None, title=None)
        title = core.findtext("{http://purl.org/dc/elements/1.1/}title") or ""
        return SourceInfo(pages=None, title=" ".join(title.split()) or None)

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

        parts = self._unpack(path)
        try:
            converted = mammoth.convert_to_html(
                parts, style_map=STYLES, convert_image=_no_image, include_embedded_style_map=False
            ).value
        except Exception:  # noqa: BLE001  its XML readers raise whatever bad XML leads them to
            raise FileCorrupt(DAMAGED) from None
        page = structured_page(html.fragment_fromstring(converted, create_parent="div"))
        if not page.text:
            raise NoText("The Word document holds no text, only pictures or nothing.")
        yield page

    def _unpack(self, path: Path) -> io.BytesIO:
        """The archive's XML parts, copied block by block into an archive that tells the truth.

        Sizes in an archive are claims. Pictures are never unpacked.
        """
        safe = io.BytesIO()
        try:
            with zipfile.ZipFile(path) as archive, zipfile.ZipFile(safe, "w") as copy:
                members = archive.infolist()
                self._refuse_bombs(members)
                left = self._max_unpacked_bytes
                for member in members:
                    if not member.filename.endswith((".xml", ".rels")):
                        continue
                    if member.flag_bits & 0x1:
                        raise FileEncrypted(
                            "The Word document is locked; save it without a password."
                        )
                    content = io.BytesIO()
                    with archive.open(member) as source:
                        while block := source.read(BLOCK):
                            left -= len(block)
                            if left < 0:
                                raise self._too_large()
                            content.write(block)
                    copy.writestr(member.filename, _spell_out_math(content.getvalue()))
        except (
            zipfile.BadZipFile,
            zipfile.LargeZipFile,
            zlib.error,
            lzma.LZMAError,
            EOFError,
            OSError,
            ValueError,
        ):
            raise FileCorrupt(DAMAGED) from None
        except NotImplementedError:
            raise FileCorrupt("The Word document is packed in a way that is unknown.") from None
        safe.seek(0)
        return safe

    def _refuse_bombs(self, members: list[zipfile.ZipInfo]) -> None:
        unpacked = sum(member.file_size for member in members)
        packed = sum(member.compress_size for member in members)
        if unpacked > self._max_unpacked_bytes:
            raise self._too_large()
        if unpacked > RATIO_FLOOR and unpacked > MAX_RATIO * max(packed, 1):
            raise ArchiveTooLarge(
                f"The Word document unpacks to {unpacked // max(packed, 1)} times its size, "
                "which no real document does; save it again and send that."
            )

    def _too_large(self) -> ArchiveTooLarge:
        return ArchiveTooLarge(
            f"The Word document unpacks to more than {self._max_unpacked_bytes:,} bytes; "
            "split it or take its pictures out."
        )


def _spell_out_math(xml: bytes) -> bytes:
    """The part with its formulas as plain runs, which the converter would leave out.

    `a/b` for fractions, `^` and `_` for scripts; other structure is read from left to right.
    """
    if MATH.encode() not in xml or b":oMath" not in xml:
        return xml
    from lxml import etree

    try:
        root = etree.fromstring(xml, etree.XMLParser(resolve_entities=False))
    except etree.XMLSyntaxError:
        return xml  # whoever reads the part says what is wrong
    for formula in list(root.iter(f"{{{MATH}}}oMath")):
        run = etree.Element(f"{{{WORD}}}r")
        text = etree.SubElement(run, f"{{{WORD}}}t")
        text.text = _linear(formula)
        text.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
        run.tail = formula.tail
        parent = formula.getparent()
        if parent is not None:
            parent.replace(formula, run)
    # The wrapper of a formula on a line of its own is unknown to the converter too.
    etree.strip_tags(root, f"{{{MATH}}}oMathPara")
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)
    return written


def _linear(element: "_Element") -> str:
    kind = _local_name(element)
    if kind == "t":
        return element.text or ""
    # Each is made once: of formulas within formulas there may be hundreds of levels.
    children = [(_local_name(child), _linear(child)) for child in element]
    parts = dict(children)
    match kind:
        case "f":
            return f"{_grouped(parts.get('num', ''))}/{_grouped(parts.get('den', ''))}"
        case "sSup":
            return f"{parts.get('e', '')}^{_grouped(parts.get('sup', ''))}"
        case "sSub":
            return f"{parts.get('e', '')}_{_grouped(parts.get('sub', ''))}"
        case "rad":
            return f"√{_grouped(parts.get('e', ''))}"
        case "d":
            return f"({parts.get('e', '')})"
    return "".join(text for _, text in children)


def _local_name(element: "_Element") -> str:
    """The element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def _grouped(text: str) -> str:
    return text if len(text) <= 1 or text.isalnum() else f"({text})"


def _no_image(_: object) -> list[object]:
    return []
