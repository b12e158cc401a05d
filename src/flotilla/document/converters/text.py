"""Plain text, as it is."""

from collections.abc import Iterator
from pathlib import Path

from flotilla.document.converters import SourceInfo
from flotilla.document.encoding import decode_text
from flotilla.errors import NoText
from flotilla.models import Page


class TextConverter:
    """One Page with the text as written."""

    def inspect(self, path: Path, *, password: str | None = None) -> SourceInfo:
        """Plain text has neither pages nor a title."""
        return SourceInfo(pages=None, title=None)

    def pages(
        self,
        path: Path,
        *,
        first: int = 1,
        last: int | None = None,
        password: str | None = None,
    ) -> Iterator[Page]:
        """The whole text as one Page.

        Raises:
            InvalidEncoding: the text is neither UTF-8 nor UTF-16 with a byte order mark.
            NoText: there is nothing but white space.
        """
        text = decode_text(path.read_bytes(), "the file")
        if not text.strip():
            raise NoText("The file holds nothing but white space; send one with text.")
        yield Page(number=None, text=text)
