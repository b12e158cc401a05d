"""Markdown as it is read: headings, lists, tables and code, without the marks that make them."""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from flotilla.document.converters import SourceInfo
from flotilla.document.converters.blocks import structured_page
from flotilla.document.converters.unseen import TABLE_MARKS, shown_markdown
from flotilla.document.encoding import decode_text
from flotilla.errors import NoText
from flotilla.models import Page

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock

# YAML or TOML between two fences at the very start, as static site generators read it.
FRONT_MATTER = re.compile(r"\A(---|\+\+\+)[ \t]*\n(.*?\n)?\1[ \t]*(?:\n|\Z)", re.DOTALL)
TITLE = re.compile(r"^title[ \t]*[:=][ \t]*(.+?)[ \t]*$", re.MULTILINE | re.IGNORECASE)
TABLE_PLACE = re.compile(f"<p>{TABLE_MARKS[0]}([0-9]+){TABLE_MARKS[1]}</p>")
# Deeper than that, lists and quotes within one another are not read by the library, which calls
# itself for each level.
MAX_NESTING = 90


class MarkdownConverter:
    """One Page with the text that Markdown's readers are shown; front matter is left out.

    Lines stay as they are written, links are their texts, pictures what is said in their place.
    """

    def inspect(self, path: Path, *, password: str | None = None) -> SourceInfo:
        """The title is that of the front matter, else the first heading of level 1."""
        front, text = _split_front_matter(decode_text(path.read_bytes(), "the file"))
        if found := TITLE.search(front):
            return SourceInfo(pages=None, title=found[1].strip("'\"") or None)
        headings = markdown_page(text).headings
        first = next((heading for heading in headings if heading.level == 1), None)
        return SourceInfo(pages=None, title=first.title if first else None)

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
            NoText: there is nothing but front matter and white space.
        """
        _, text = _split_front_matter(decode_text(path.read_bytes(), "the file"))
        page = markdown_page(text)
        if not page.text:
            raise NoText("The file holds no text below its front matter; send one with text.")
        yield page


def markdown_page(text: str) -> Page:
    """One Page without number, of all that a Markdown text shows."""
    from lxml import html

    shown, tables = shown_markdown(text)

    def placed(found: re.Match[str]) -> str:
        number = int(found[1])
        return tables[number] if number < len(tables) else ""

    reader = _reader()
    tokens = reader.parse(shown)
    if any(token.level >= MAX_NESTING - 1 for token in tokens):
        # What lies deeper is not among the tokens: as it is written, nothing is lost.
        return Page(number=None, text=shown.strip())
    written = TABLE_PLACE.sub(placed, reader.renderer.render(tokens, reader.options, {}))
    if not written.strip():
        return Page(number=None, text="")
    return structured_page(
        html.fragment_fromstring(
            written, create_parent="div", parser=html.HTMLParser(encoding=None, huge_tree=True)
        )
    )


def _split_front_matter(text: str) -> tuple[str, str]:
    found = FRONT_MATTER.match(text)
    # Two horizontal rules around prose are no front matter.
    if found and re.search(r"^\w[\w-]*[ \t]*[:=]", found[2] or "", re.MULTILINE):
        return found[2] or "", text[found.end() :]
    return "", text


@lru_cache(maxsize=1)
def _reader() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    # Tags are taken out before; what looks like one then is text, such as "<name>" in a command.
    options = {"html": False, "breaks": True, "maxNesting": MAX_NESTING}
    reader = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    reader.block.ruler.at("reference", _reference, {"alt": []})
    return reader


def _reference(state: "StateBlock", first: int, last: int, silent: bool) -> bool:
    """A link's address, which is not shown; the text of a footnote is."""
    from markdown_it.rules_block import reference

    at = state.bMarks[first] + state.tShift[first]
    return not state.src.startswith("[^", at) and reference(state, first, last, silent)
