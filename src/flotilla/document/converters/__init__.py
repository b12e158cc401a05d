"""Converters: a file of a known type to pages of text."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from flotilla.document.detect import MediaType
from flotilla.errors import UnsupportedType
from flotilla.models import Page, Value


class SourceInfo(Value):
    """What can be told of a file without converting it.

    `pages` is None for formats that have no pages; such a file converts to Pages without numbers,
    most often one.
    """

    pages: int | None
    title: str | None


class Converter(Protocol):
    """Reads one format."""

    def inspect(self, path: Path, *, password: str | None = None) -> SourceInfo:
        """Count the pages and read the title.

        Raises:
            FileEncrypted, WrongPassword: the file needs a password, or another one.
            FileCorrupt: the file cannot be opened.
            ArchiveTooLarge: a zipped file unpacks to more than is allowed.
        """
        ...

    def pages(
        self, path: Path, *, first: int = 1, last: int | None = None, password: str | None = None
    ) -> Iterator[Page]:
        """The pages `first` to `last`, counted from 1, both included; all by default.

        A page without text is yielded with an empty text, so that numbers stay right. A format
        without pages looks at neither `first` nor `last`; it yields one Page, or several where a
        file is made of parts (sheets, chapters) or is too long to be held.

        Raises:
            NoText: the whole file was asked for and no page of it has text. Whoever converts
                in ranges asks for the ranges' sum.
            The same errors as `inspect`; and InvalidEncoding for a text.
        """
        ...


def converter_for(media_type: MediaType, *, max_unpacked_bytes: int) -> Converter:
    """The converter of a type, but for pictures, which `ImageConverter` reads. Its libraries are
    imported only now.

    Args:
        media_type: what `detect` said.
        max_unpacked_bytes: most bytes that a zipped file may unpack to.

    Raises:
        UnsupportedType: it is a picture.
    """
    match media_type:
        case MediaType.PDF:
            from flotilla.document.converters.pdf import PdfConverter

            return PdfConverter()
        case MediaType.DOCX:
            from flotilla.document.converters.docx import DocxConverter

            return DocxConverter(max_unpacked_bytes=max_unpacked_bytes)
        case MediaType.HTML:
            from flotilla.document.converters.html import HtmlConverter

            return HtmlConverter()
        case MediaType.MARKDOWN:
            from flotilla.document.converters.markdown import MarkdownConverter

            return MarkdownConverter()
        case MediaType.TEXT:
            from flotilla.document.converters.text import TextConverter

            return TextConverter()
        case MediaType.PPTX:
            from flotilla.document.converters.pptx import PptxConverter

            return PptxConverter(max_unpacked_bytes=max_unpacked_bytes)
        case MediaType.XLSX:
            from flotilla.document.converters.xlsx import XlsxConverter

            return XlsxConverter(max_unpacked_bytes=max_unpacked_bytes)
        case MediaType.CSV | MediaType.TSV:
            from flotilla.document.converters.delimited import DelimitedConverter

            return DelimitedConverter("\t" if media_type is MediaType.TSV else None)
        case MediaType.EPUB:
            from flotilla.document.converters.epub import EpubConverter

            return EpubConverter(max_unpacked_bytes=max_unpacked_bytes)
        case MediaType.EML:
            from flotilla.document.converters.eml import EmlConverter

            return EmlConverter()
        case _:
            raise UnsupportedType(
                f"A {media_type.upper()} image holds no text of its own: it is read by OCR or "
                "described by a model."
            )
