"""Sections: the stretches of a document's text between its headings, while pages stream in."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from flotilla.models import PAGE_BREAK, Heading, Page, Region

# Longer stretches without a heading are handed on in parts, so that memory stays bounded.
MAX_SECTION_CHARS = 40_000
# The end of a page is not the end of a paragraph: a sentence may go on behind it.
SOFT_BREAK = " \n"
SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’)\]]{0,2}\s+|\n\s*\n")


class PageIndex:
    """Which page a character of the document's text stands on."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._numbers: list[int | None] = []

    def append(self, start: int, number: int | None) -> None:
        self._starts.append(start)
        self._numbers.append(number)

    def number_at(self, offset: int) -> int | None:
        return self._numbers[bisect_right(self._starts, offset) - 1]


@dataclass(frozen=True, slots=True)
class PlacedRegion:
    """A region of a page, or its lines from `first_line` on, at `start:end` of the document's
    text. `text` is all of the region's."""

    start: int
    end: int
    region: Region
    text: str
    first_line: int = 0

    def cut(self, at: int) -> "tuple[PlacedRegion, PlacedRegion]":
        """The parts before and from an offset of the document's text on."""
        begun = len(self.text) - (self.end - self.start)
        line = self.text.count("\n", 0, begun + at - self.start)
        return replace(self, end=at), replace(self, start=at, first_line=line)


@dataclass(frozen=True)
class Section:
    """Text under one heading; or, with `continues`, a further part of it.

    `text` is verbatim the document's from `start` on; its first `title_length` characters are
    the heading, and those before it that had no text of their own. `flow` is as long as `text`,
    with each page's end as a mere line's end. `number` is the same for all parts of a section.
    """

    start: int
    text: str
    flow: str
    title_length: int
    path: tuple[str, ...]
    number: int
    continues: bool
    pages: PageIndex
    regions: tuple[PlacedRegion, ...] = ()


def sections(pages: Iterable[Page]) -> Iterator[Section]:
    """The sections of the pages, in order and without gaps."""
    reader = _Reader()
    for page in pages:
        yield from reader.read(page)
    yield from reader.finish()


class _Reader:
    def __init__(self) -> None:
        self._pages = PageIndex()
        self._length = 0
        self._empty = True
        self._start = 0
        self._text: list[str] = []
        self._flow: list[str] = []
        self._title_end = 0
        self._stack: list[Heading] = []
        self._number = 0
        self._continues = False
        self._regions: list[PlacedRegion] = []

    def read(self, page: Page) -> Iterator[Section]:
        if not self._empty:
            self._add(PAGE_BREAK, PAGE_BREAK if page.number is None else SOFT_BREAK)
        self._empty = False
        page_start = self._length
        self._pages.append(page_start, page.number)
        self._regions += [
            PlacedRegion(
                page_start + each.start,
                page_start + each.end,
                each,
                page.text[each.start : each.end],
            )
            for each in page.regions
        ]
        at = 0
        for heading in page.headings:
            offset = max(at, min(heading.offset, len(page.text)))
            self._add(page.text[at:offset])
            yield from self._open(heading, _title_end(page.text, offset, heading.title))
            at = offset
            yield from self._relieve()
        self._add(page.text[at:])
        yield from self._relieve()

    def finish(self) -> Iterator[Section]:
        yield from self._take(self._length)

    def _add(self, text: str, flow: str | None = None) -> None:
        self._text.append(text)
        self._flow.append(text if flow is None else flow)
        self._length += len(text)

    def _open(self, heading: Heading, title_length: int) -> Iterator[Section]:
        held = "".join(self._text)
        if held[max(0, self._title_end - self._start) :].strip():
            yield from self._take(self._length)
        # Else nothing but headings came before: this one goes on with them.
        if not self._continues:
            self._title_end = self._length + title_length
        while self._stack and self._stack[-1].level >= heading.level:
            self._stack.pop()
        self._stack.append(heading)

    def _take(self, end: int) -> Iterator[Section]:
        """Hand on what is held up to `end`, and begin a new section there."""
        text, flow = "".join(self._text), "".join(self._flow)
        size = end - self._start
        regions = self._take_regions(end)
        if text[:size].strip():
            yield Section(
                start=self._start,
                text=text[:size],
                flow=flow[:size],
                title_length=min(max(0, self._title_end - self._start), size),
                path=tuple(heading.title for heading in self._stack),
                number=self._number,
                continues=self._continues,
                pages=self._pages,
                regions=tuple(regions),
            )
        self._text, self._flow = [text[size:]], [flow[size:]]
        self._start = end
        self._continues = end < self._length
        if not self._continues:
            self._number += 1

    def _take_regions(self, end: int) -> list[PlacedRegion]:
        """Those that begin before `end`; what lies behind it is left for the next section."""
        taken: list[PlacedRegion] = []
        while self._regions and self._regions[0].start < end:
            region = self._regions.pop(0)
            if region.end > end:
                region, rest = region.cut(end)
                self._regions.insert(0, rest)
            taken.append(region)
        return taken

    def _relieve(self) -> Iterator[Section]:
        while self._length - self._start > MAX_SECTION_CHARS:
            flow = "".join(self._flow)
            yield from self._take(self._start + self._part_end(flow))

    def _part_end(self, flow: str) -> int:
        """Where the first part of a long section ends: behind a sentence, or a row of a table."""
        limit = self._start + MAX_SECTION_CHARS
        for region in self._regions:
            if region.start < limit < region.end:
                begin = max(0, region.start - self._start)
                row = flow.rfind("\n", begin, MAX_SECTION_CHARS) + 1
                return row or begin or MAX_SECTION_CHARS
        ends = [found.end() for found in SENTENCE_END.finditer(flow, 0, MAX_SECTION_CHARS)]
        return ends[-1] if ends else MAX_SECTION_CHARS


def _title_end(text: str, offset: int, title: str) -> int:
    """How many characters from `offset` on the heading takes: the lines that hold its title."""
    end = offset
    wanted = len("".join(title.split()))
    seen = 0
    while end < len(text) and (seen < wanted or seen == 0):
        line_end = text.find("\n", end)
        line_end = len(text) if line_end < 0 else line_end + 1
        seen += len("".join(text[end:line_end].split()))
        end = line_end
        if end - offset > 4 * len(title) + 40:
            break
    return end - offset
