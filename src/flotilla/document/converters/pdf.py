"""PDF: PDFium first, pypdf where PDFium refuses the file."""

from collections.abc import Iterator
from pathlib import Path

from flotilla.document.converters import SourceInfo
from flotilla.document.converters.pdf_pages import Content, assemble, without_false_header
from flotilla.document.converters.pdf_sources import PDFIUM, PdfSource, open_pdf
from flotilla.document.converters.pdf_text import Vocabulary
from flotilla.document.converters.running_titles import REACH, PageEdges, running_titles
from flotilla.document.converters.typography import Typography
from flotilla.errors import FileCorrupt, NoText
from flotilla.models import Page

__all__ = ("PDFIUM", "PdfConverter")

# Pages looked at to learn a document's typography, spread evenly over it.
SAMPLE_PAGES = 8


class PdfConverter:
    """A Page for each page of the PDF, numbered from 1.

    Columns are read one after another; tables are regions of their page. Headings are those of
    the outline; without one, lines that stand out by their size or weight. Page numbers and
    running titles are left out, so that a sentence goes on from page to page.

    A page is the same whichever range it is asked for in: what it is compared with are a sample
    of the whole document, and the pages around it, read for that where they are outside the range.
    """

    def inspect(self, path: Path, *, password: str | None = None) -> SourceInfo:
        """Count the pages; the title is that of the document's information.

        Raises:
            FileEncrypted: a password is needed and none is given.
            WrongPassword: the password does not open the file.
            FileCorrupt: neither library can open it.
        """
        source = open_pdf(path, password)
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
        source = open_pdf(path, password)
        try:
            count = len(source)
            document = _Document(source)
            final = min(last or count, count)
            readable = shown = 0
            for index in range(first - 1, final):
                page, could_be_read = document.page(index)
                readable += could_be_read
                shown += bool(page.text)
                yield page
            if first == 1 and final == count and not readable:
                raise FileCorrupt("No page of the PDF can be read; export it again and send that.")
            if first == 1 and final == count and not shown:
                none = "The PDF's only page has no" if count == 1 else "No page of the PDF has"
                raise NoText(
                    f"{none} text, so it looks scanned; "
                    "run text recognition (OCR) over it and send the result."
                )
        finally:
            source.close()


class _Document:
    """A PDF whose pages are read one after another, with a few of them in memory."""

    def __init__(self, source: PdfSource) -> None:
        self._source = source
        self._sampled = self._sample()
        sample = [line for content in self._sampled.values() if content for line in content.lines]
        self._typography = Typography(sample)
        self._words = Vocabulary(line.text for line in sample)
        self._bookmarks = source.bookmarks()
        self._contents: dict[int, Content | None] = {}
        self._edges: dict[int, PageEdges] = {}

    def _sample(self) -> dict[int, Content | None]:
        count = len(self._source)
        indexes = {i * (count - 1) // max(1, SAMPLE_PAGES - 1) for i in range(SAMPLE_PAGES)}
        return {i: self._source.content(i) for i in sorted(indexes) if i < count}

    def page(self, index: int) -> tuple[Page, bool]:
        """The page at an index, and whether it can be read; indexes only go up."""
        last = min(index + REACH, len(self._source) - 1)
        for at in range(max(0, index - REACH), last + 1):
            if at not in self._contents:
                sampled = at in self._sampled
                content = self._sampled.pop(at) if sampled else self._source.content(at)
                self._contents[at] = content
                known = content or Content([])
                height = known.frame.height if known.frame else 0.0
                self._edges[at] = PageEdges(known.lines, height)
        self._contents.pop(index - REACH - 1, None)
        self._edges.pop(index - REACH - 1, None)
        content = self._contents[index]
        running = running_titles(index, self._edges, self._typography.body_size)
        shown = (content or Content([])).without_lines(running)
        page = assemble(
            index + 1,
            without_false_header(shown, self._contents.get(index - 1)),
            self._typography,
            self._words,
            outlined=bool(self._bookmarks),
            bookmarks=self._bookmarks.get(index, ()),
        )
        return page, content is not None
