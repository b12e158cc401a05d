"""An open PDF: PDFium's, or pypdf's where PDFium refuses the file."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from flotilla.document.converters.pdf_layout import reading_order
from flotilla.document.converters.pdf_pages import Content
from flotilla.document.converters.pdf_rows import rows_of
from flotilla.document.converters.pdf_rulings import rulings_of
from flotilla.document.converters.pdf_tables import Table
from flotilla.document.converters.pdf_words import Segment, is_doubtful, placed_text
from flotilla.document.converters.typography import Line
from flotilla.errors import FileCorrupt, FileEncrypted, WrongPassword

if TYPE_CHECKING:
    from pypdf import PdfReader
    from pypdfium2 import PdfDocument, PdfPage

# PDFium is not thread-safe, whatever the document.
PDFIUM = threading.Lock()
# Codes of FPDF_GetLastError in PDFium's public fpdfview.h.
PDFIUM_PASSWORD = 4
# Bookmarks beyond these are not read: an outline of such a size is no table of contents.
MAX_BOOKMARKS = 5000
# Links are annotations too; a form's fields are among the first of them.
MAX_ANNOTATIONS = 500


class PdfSource(Protocol):
    """An open PDF, whichever library reads it."""

    title: str | None

    def __len__(self) -> int: ...
    def content(self, index: int) -> Content | None:
        """What a page counted from 0 shows; None where the page cannot be read."""
        ...

    def bookmarks(self) -> dict[int, list[tuple[int, str]]]:
        """Of each page's index the bookmarks that lead to it: level from 1, and title."""
        ...

    def close(self) -> None: ...


def open_pdf(path: Path, password: str | None) -> PdfSource:
    """Open a file with the library that can.

    Raises:
        FileEncrypted: a password is needed and none is given.
        WrongPassword: the password does not open the file.
        FileCorrupt: neither library can open it.
    """
    from pypdfium2 import PdfDocument, PdfiumError

    try:
        with PDFIUM:
            return _Pdfium(PdfDocument(path, password=password), path, password)
    except PdfiumError as error:
        locked = error.err_code == PDFIUM_PASSWORD
    # PDFium knows passwords in UTF-8 only; older files have them in Latin-1.
    if locked and (password is None or password.isascii()):
        raise _refused(password)
    return _Pypdf(_open_with_pypdf(path, password))


def _refused(password: str | None) -> FileEncrypted | WrongPassword:
    if password is None:
        return FileEncrypted("The PDF is encrypted; send it again with its password.")
    return WrongPassword("The password does not open the PDF; send the right one.")


class _Pdfium:
    def __init__(self, document: "PdfDocument", path: Path, password: str | None) -> None:
        self._document = document
        self._path, self._password = path, password
        self._other: _Pypdf | None = None
        self._count = len(document)
        try:
            title = document.get_metadata_value("Title")
        except UnicodeDecodeError:  # a title is not worth a failure
            title = ""
        self.title = " ".join(title.replace("\0", "").split()) or None

    def __len__(self) -> int:
        return self._count

    def content(self, index: int) -> Content | None:
        from pypdfium2 import PdfiumError

        with PDFIUM:
            try:
                page = self._document[index]
            except PdfiumError:
                return None
            try:
                if _is_filled_in(page):
                    page = _flattened(self._document, index, page)
                content, doubtful = _content(page)
            except PdfiumError:
                return None
            finally:
                page.close()
        return (self._by_pypdf(index) or content) if doubtful else content

    def _by_pypdf(self, index: int) -> Content | None:
        """What pypdf reads of a page, where that is characters: it reads some fonts' own tables
        which PDFium does not."""
        if self._other is None:
            try:
                self._other = _Pypdf(_open_with_pypdf(self._path, self._password))
            except (FileCorrupt, FileEncrypted, WrongPassword):
                return None
        content = self._other.content(index)
        text = "".join(line.text for line in content.lines) if content else ""
        return content if text.strip() and not is_doubtful(text) else None

    def bookmarks(self) -> dict[int, list[tuple[int, str]]]:
        found: dict[int, list[tuple[int, str]]] = {}
        with PDFIUM:
            for number, bookmark in enumerate(self._document.get_toc()):
                if number >= MAX_BOOKMARKS:
                    break
                destination = bookmark.get_dest()
                index = destination.get_index() if destination else None
                try:
                    title = " ".join(bookmark.get_title().replace("\0", "").split())
                except UnicodeDecodeError:
                    continue
                if index is not None and title:
                    found.setdefault(index, []).append((bookmark.level + 1, title))
        return found

    def close(self) -> None:
        if self._other is not None:
            self._other.close()
        with PDFIUM:
            self._document.close()


def _is_filled_in(page: "PdfPage") -> bool:
    """Whether a page has fields of a form, or text written onto it, which PDFium's text leaves
    out."""
    from pypdfium2 import raw

    for at in range(min(raw.FPDFPage_GetAnnotCount(page), MAX_ANNOTATIONS)):
        annotation = raw.FPDFPage_GetAnnot(page, at)
        if annotation:
            kind = raw.FPDFAnnot_GetSubtype(annotation)
            raw.FPDFPage_CloseAnnot(annotation)
            if kind in (raw.FPDF_ANNOT_WIDGET, raw.FPDF_ANNOT_FREETEXT):
                return True
    return False


def _flattened(document: "PdfDocument", index: int, page: "PdfPage") -> "PdfPage":
    """The page with what stands in its fields as part of it, in memory alone."""
    from pypdfium2 import raw

    raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY)
    page.close()
    return document[index]


def _content(page: "PdfPage") -> tuple[Content, bool]:
    """What a page shows, and whether much of it stands for no character."""
    text_page = page.get_textpage()
    try:
        text = placed_text(page, text_page)
    finally:
        text_page.close()
    rows = rows_of(text.segments)
    if all(len(row) == 1 for row in rows):
        # What has nothing beside it anywhere has neither columns nor tables.
        ordered: list[Segment | Table] = [row[0] for row in rows]
    else:
        ordered = reading_order(text.segments, rulings_of(page, text.frame))
    items = [item if isinstance(item, Table) else _line(item) for item in ordered]
    items += [Line(turned, 0.0, 0) for turned in text.turned]
    return Content(items, text.frame), text.doubtful


def _line(segment: Segment) -> Line:
    box = (segment.left, segment.top, segment.right, segment.bottom)
    return Line(segment.text, segment.size, segment.weight, box)


def _open_with_pypdf(path: Path, password: str | None) -> "PdfReader":
    from pypdf import PasswordType, PdfReader

    try:
        reader = PdfReader(path, strict=False)
        encrypted = reader.is_encrypted
        if encrypted and reader.decrypt(password or "") is PasswordType.NOT_DECRYPTED:
            raise _refused(password)
        if len(reader.pages) == 0:
            raise ValueError
    except (FileEncrypted, WrongPassword):
        raise
    except Exception:  # noqa: BLE001  whatever a damaged file leads its parser to
        raise FileCorrupt(
            "The PDF is damaged or cut off and cannot be opened; export it again and send that."
        ) from None
    return reader


class _Pypdf:
    def __init__(self, reader: "PdfReader") -> None:
        self._reader = reader
        try:
            title = reader.metadata.title if reader.metadata else None
        except Exception:  # noqa: BLE001  a title is not worth a failure
            title = None
        # A damaged file may have something else in its place.
        self.title = (" ".join(title.split()) if isinstance(title, str) else "") or None

    def __len__(self) -> int:
        return len(self._reader.pages)

    def content(self, index: int) -> Content | None:
        try:
            text = self._reader.pages[index].extract_text()
        except Exception:  # noqa: BLE001  one bad page must not cost the others
            return None
        return Content([Line(line, 0.0, 0) for line in text.split("\n")])

    def bookmarks(self) -> dict[int, list[tuple[int, str]]]:
        return {}

    def close(self) -> None:
        self._reader.close()
