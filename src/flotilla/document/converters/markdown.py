"""Markdown, as written but for HTML within it, with its headings."""

import re
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path

from flotilla.document.converters import SourceInfo
from flotilla.document.converters.unseen import shown_markdown
from flotilla.document.encoding import decode_text
from flotilla.errors import NoText
from flotilla.models import Heading, Page

# YAML or TOML between two fences at the very start, as static site generators read it.
FRONT_MATTER = re.compile(r"\A(---|\+\+\+)[ \t]*\n(.*?\n)?\1[ \t]*(?:\n|\Z)", re.DOTALL)
TITLE = re.compile(r"^title[ \t]*[:=][ \t]*(.+?)[ \t]*$", re.MULTILINE | re.IGNORECASE)


class MarkdownConverter:
    """One Page with the Markdown as written; front matter, tags and what is hidden are left out."""

    def inspect(self, path: Path, *, password: str | None = None) -> SourceInfo:
        """The title is that of the front matter, else the first heading of level 1."""
        front, text = _split_front_matter(decode_text(path.read_bytes(), "the file"))
        if found := TITLE.search(front):
            return SourceInfo(pages=None, title=found[1].strip("'\"") or None)
        first = next((h for h in find_headings(text) if h.level == 1), None)
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
        text = shown_markdown(text)
        if not text.strip():
            raise NoText("The file holds no text below its front matter; send one with text.")
        yield Page(number=None, text=text, headings=find_headings(text))


def _split_front_matter(text: str) -> tuple[str, str]:
    found = FRONT_MATTER.match(text)
    # Two horizontal rules around prose are no front matter.
    if found and re.search(r"^\w[\w-]*[ \t]*[:=]", found[2] or "", re.MULTILINE):
        return found[2] or "", text[found.end() :]
    return "", text


def find_headings(text: str) -> tuple[Heading, ...]:
    """The headings of a Markdown text; what only looks like one inside code is none."""
    from markdown_it import MarkdownIt

    starts = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]
    tokens = MarkdownIt("commonmark").parse(text)
    headings = []
    for token, inline in pairwise(tokens):
        if token.type != "heading_open" or token.map is None:
            continue
        title = "".join(
            child.content
            for child in inline.children or ()
            if child.type in ("text", "code_inline")
        )
        if title.strip():
            headings.append(
                Heading(offset=starts[token.map[0]], level=int(token.tag[1]), title=title.strip())
            )
    return tuple(headings)
