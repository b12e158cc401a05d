"""PDF: PDFium first, pypdf where PDFium refuses the file."""

import re
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from flotilla.document.converters import SourceInfo
from flotilla.document.converters.pdf_text import clean_lines, locate
from flotilla.document.converters.typography import (
    MAX_HEADING_CHARS,
    Line,
    Typography,
)
from flotilla.errors import FileCorrupt, FileEncrypted, NoText, WrongPassword
from flotilla.models import Heading, Page

if TYPE_CHECKING:
    from pypdf import PdfReader
    from pypdfium2 import PdfDocument, PdfTextPage

# PDFium is not thread-safe, whatever the document.
PDFIUM = threading.Lock()
# Codes of FPDF_GetLastError in PDFium's public fpdfview.h.
PDFIUM_PASSWORD = 4
# Pages looked at to learn a document's typography, spread evenly over it.
SAMPLE_PAGES = 8
# Bookmarks beyond these are not read: an outline of such a size is no table of contents.
MAX_BOOKMARKS = 5000


class _Source(Protocol):
    """An open PDF, whichever library reads it."""

    title: str | None

    def __len__(self) -> int: ...
    def lines(self, index: int) -> list[Line] | None:
        """The lines of a page counted from 0; None where the page cannot be read."""
        ...

    def bookmarks(self) -> dict[int, list[tuple[int, str]]]:
        """Of each page's index the bookmarks that lead to it: level from 1, and title."""
        ...

    def close(self) -> None: ...


class PdfConverter:
    """A Page for each page of the PDF, numbered from 1.

    Headings are those of the outline; without one, lines that stand out by their size. Page
    numbers and running titles are left out, so that a sentence goes on from page to page.
    """

    def inspect(self, path: Path, *, password: str | None = None) -> SourceInfo:
        """Count the pages; the title is that of the document's information.

        Raises:
            FileEncrypted: a password is needed and none is given.
            WrongPassword: the password does not open the file.
            FileCorrupt: neither library can open it.
        """
        source = _open(path, password)
        try:
            return SourceInfo(pages=len(source), title=source.title)
        finally:
            source.close()

    def pages(
        self, path: Path, *, first: int = 1, last: int | None = None, password: str | None = None
    ) -> Iterator[Page]:
        """The pages from `first` to `last`, both included.

        A page that cannot be read is empty, as long as another one can.

        Raises:
            FileEncrypted, WrongPassword, FileCorrupt: as `inspect`.
            FileCorrupt: no page can be read.
            NoText: the whole file was asked for, and no page has text.
        """
        source = _open(path, password)
        try:
            count = len(source)
            sample = _sample(source)
            typography = Typography(sample)
            compounds = _compounds(sample.values())
            bookmarks = source.bookmarks()
            final = min(last or count, count)
            readable = shown = 0
            for index in range(first - 1, final):
                lines = source.lines(index)
                readable += lines is not None
                page = _page(
                    index + 1, lines or [], typography, compounds, bookmarks, bookmarks.get(index)
                )
                shown += bool(page.text)
                yield page
            if first == 1 and final == count and not readable:
                raise FileCorrupt("No page of the PDF can be read; export it again and send that.")
            if first == 1 and final == count and not shown:
                raise NoText(
                    f"None of the PDF's {count} pages has text, so it looks scanned; "
                    "run text recognition (OCR) over it and send the result."
                )
        finally:
            source.close()


def _page(
    number: int,
    raw: list[Line],
    typography: Typography,
    compounds: frozenset[str],
    outline: dict[int, list[tuple[int, str]]],
    bookmarks: list[tuple[int, str]] | None,
) -> Page:
    lines = clean_lines(typography.without_running_titles(raw, number - 1), compounds)
    text = "\n".join(line.text for line in lines)
    if outline:
        headings = [
            Heading(offset=locate(title, text), level=level, title=title)
            for level, title in bookmarks or ()
        ]
        headings.sort(key=lambda heading: heading.offset)
    else:
        offsets, offset = [], 0
        for line in lines:
            offsets.append(offset)
            offset += len(line.text) + 1
        headings = typography.headings(lines, offsets)
    return Page(number=number, text=text, headings=tuple(headings))


def _sample(source: _Source) -> dict[int, list[Line]]:
    count = len(source)
    indexes = sorted({i * (count - 1) // max(1, SAMPLE_PAGES - 1) for i in range(SAMPLE_PAGES)})
    return {i: lines for i in indexes if i < count and (lines := source.lines(i))}


def _compounds(pages: Iterable[list[Line]]) -> frozenset[str]:
    """The words that the sample writes with a hyphen in the middle of a line."""
    return frozenset(
        word.lower()
        for page in pages
        for line in page
        for word in re.findall(r"\w+-\w+", line.text)
    )


def _open(path: Path, password: str | None) -> _Source:
    from pypdfium2 import PdfDocument, PdfiumError

    try:
        with PDFIUM:
            return _Pdfium(PdfDocument(path, password=password))
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
    def __init__(self, document: "PdfDocument") -> None:
        self._document = document
        self._count = len(document)
        title = document.get_metadata_value("Title")
        self.title = " ".join(title.replace("\0", "").split()) or None

    def __len__(self) -> int:
        return self._count

    def lines(self, index: int) -> list[Line] | None:
        from pypdfium2 import PdfiumError

        with PDFIUM:
            try:
                page = self._document[index]
            except PdfiumError:
                return None
            try:
                text_page = page.get_textpage()
                try:
                    return _measured_lines(text_page)
                finally:
                    text_page.close()
            except PdfiumError:
                return None
            finally:
                page.close()

    def bookmarks(self) -> dict[int, list[tuple[int, str]]]:
        found: dict[int, list[tuple[int, str]]] = {}
        with PDFIUM:
            for number, bookmark in enumerate(self._document.get_toc()):
                if number >= MAX_BOOKMARKS:
                    break
                destination = bookmark.get_dest()
                index = destination.get_index() if destination else None
                title = " ".join(bookmark.get_title().replace("\0", "").split())
                if index is not None and title:
                    found.setdefault(index, []).append((bookmark.level + 1, title))
        return found

    def close(self) -> None:
        with PDFIUM:
            self._document.close()


def _measured_lines(text_page: "PdfTextPage") -> list[Line]:
    """A page's lines with the size and weight that both their first and last letter have."""
    from pypdfium2 import raw

    lines = []
    position = 0
    before = (0.0, 0)
    matrix = raw.FS_MATRIX()
    for text in text_page.get_text_range().split("\n"):
        stripped = text.strip()
        size, weight = 0.0, 0
        if stripped:
            start = position + text.index(stripped[0])
            size, weight = _measure(text_page, start, matrix)
            # A second look takes as long as the first: where the type changes, it is worth it.
            if (size, weight) != before and 1 < len(stripped) <= MAX_HEADING_CHARS:
                end = start + len(stripped) - 1
                end_size, end_weight = _measure(text_page, end, matrix)
                size, weight = min(size, end_size or size), min(weight, end_weight or weight)
            before = (size, weight)
        lines.append(Line(text, size, weight))
        position += len(text) + 1
        if not text.isascii():
            # PDFium counts in UTF-16 units.
            position += sum(char > "\uffff" for char in text)
    return lines


def _measure(text_page: "PdfTextPage", position: int, matrix: Any) -> tuple[float, int]:
    """The size in points and the weight of the character at a position of the text.

    `matrix` is where PDFium puts the character's text matrix.
    """
    from pypdfium2 import raw

    index = raw.FPDFText_GetCharIndexFromTextIndex(text_page, position)
    if index < 0 or not raw.FPDFText_GetMatrix(text_page, index, matrix):
        return 0.0, 0
    # The font's size goes through the text matrix, which many writers use for the scale.
    scale = float(matrix.c**2 + matrix.d**2) ** 0.5
    size = abs(raw.FPDFText_GetFontSize(text_page, index)) * scale
    weight = int(raw.FPDFText_GetFontWeight(text_page, index))
    return round(2 * size) / 2, max(0, weight)


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
        self.title = " ".join((title or "").split()) or None

    def __len__(self) -> int:
        return len(self._reader.pages)

    def lines(self, index: int) -> list[Line] | None:
        try:
            text = self._reader.pages[index].extract_text()
        except Exception:  # noqa: BLE001  one bad page must not cost the others
            return None
        return [Line(line, 0.0, 0) for line in text.split("\n")]

    def bookmarks(self) -> dict[int, list[tuple[int, str]]]:
        return {}

    def close(self) -> None:
        self._reader.close()
