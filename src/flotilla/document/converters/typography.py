"""Which lines of a PDF are headings: by size and weight against the body's text."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from flotilla.models import Heading

MAX_HEADING_CHARS = 120
NO_HEADING_END = (".", ",", ";")
# A heading stands out by at least this much over the body.
SIZE_STEP = 1.12
BOLD_WEIGHT = 600
BOLDER_BY = 150
LEVELS = 4
NUMBERED = re.compile(
    r"(?:\d{1,2}(?:\.\d{1,3}){0,4}[.)]?|[IVX]{1,5}\.|[A-Z][.)]|§+ ?\d+\w*|"
    r"(?i:article|section|chapter|part|annex|appendix|schedule) \w{1,5}[.:]?)\s+\S"
)
# So many lines at the top and at the foot of a page may be running titles.
EDGE_LINES = 2
# Running titles without a page number are set smaller than the body by at least this.
RUNNING_SIZE = 0.95


class Line(NamedTuple):
    """A line of a page. `size` is in points, `weight` as in CSS; 0 where it is not known."""

    text: str
    size: float
    weight: int


class Typography:
    """The body's size and weight, the sizes of headings and the running titles of a document.

    Args:
        pages: the lines of a sample of its pages, by the page's index.
    """

    def __init__(self, pages: Mapping[int, Sequence[Line]]) -> None:
        sizes: Counter[float] = Counter()
        weights: Counter[int] = Counter()
        for line in (line for page in pages.values() for line in page if line.size):
            sizes[line.size] += len(line.text)
            weights[line.weight] += len(line.text)
        self.body_size = sizes.most_common(1)[0][0] if sizes else 0.0
        self.body_weight = weights.most_common(1)[0][0] if weights else 0
        self._learn_running_titles(pages)
        larger = {
            line.size
            for page in pages.values()
            for line in page
            if self._is_larger(line) and self._fits(line)
        }
        self._ladder = sorted(larger, reverse=True)[: LEVELS - 1]

    def _learn_running_titles(self, pages: Mapping[int, Sequence[Line]]) -> None:
        least = max(2, len(pages) // 2)
        same: Counter[str] = Counter()
        numbered: Counter[tuple[str, int]] = Counter()
        for index, page in pages.items():
            edges = [page[at] for at in _edges(page)]
            same.update({_squeezed(line) for line in edges if line.size})
            numbered.update({key for line in edges for key in _numbered(line, index)})
        self._same = {text for text, count in same.items() if count >= least}
        self._numbered = {key for key, count in numbered.items() if count >= least}

    def without_running_titles(self, lines: Sequence[Line], index: int) -> list[Line]:
        """The page's lines but for page numbers and for titles that recur from page to page.

        A line counts as such where it stands at the edge of at least half of the sampled pages:
        with a number that goes up as the pages do, or in the same words and smaller than the
        body. The head of a table that goes on over pages is neither.
        """
        running = {
            at
            for at in _edges(lines)
            if not self._numbered.isdisjoint(_numbered(lines[at], index))
            or (
                _squeezed(lines[at]) in self._same
                and 0 < lines[at].size < RUNNING_SIZE * self.body_size
            )
        }
        return [line for at, line in enumerate(lines) if at not in running]

    def headings(self, lines: Iterable[Line], offsets: Iterable[int]) -> list[Heading]:
        """The headings among a page's lines; each line's offset in the page's text is given.

        Lines of one size that follow one another are one heading.
        """
        found: list[Heading] = []
        before: Line | None = None
        for line, offset in zip(lines, offsets, strict=True):
            level = self._level(line)
            if level is None:
                before = None
                continue
            if before is not None and before.size == line.size and self._is_larger(line):
                last = found.pop()
                title = f"{last.title} {line.text.strip()}"
                found.append(Heading(offset=last.offset, level=last.level, title=title))
            else:
                found.append(Heading(offset=offset, level=level, title=line.text.strip()))
            before = line
        return found

    def _level(self, line: Line) -> int | None:
        if self._is_larger(line):
            return 1 + sum(size > line.size for size in self._ladder) if self._fits(line) else None
        bold = line.weight >= max(BOLD_WEIGHT, self.body_weight + BOLDER_BY)
        # Bold alone may be a table's head or an emphasis.
        if not bold or line.size < self.body_size or not NUMBERED.match(line.text.strip()):
            return None
        return 1 + len(self._ladder) if self._fits(line) else None

    def _is_larger(self, line: Line) -> bool:
        return self.body_size > 0 and line.size >= SIZE_STEP * self.body_size

    def _fits(self, line: Line) -> bool:
        text = line.text.strip()
        return (
            2 < len(text) <= MAX_HEADING_CHARS
            and sum(char.isalpha() for char in text) * 2 >= len(text) - text.count(" ")
            and not text.endswith(NO_HEADING_END)
        )


def _edges(page: Sequence[Line]) -> list[int]:
    """Where the first and the last lines with text stand."""
    shown = [at for at, line in enumerate(page) if line.text.strip()]
    return sorted({*shown[:EDGE_LINES], *shown[-EDGE_LINES:]})


def _squeezed(line: Line) -> str:
    return " ".join(line.text.split())


def _numbered(line: Line, index: int) -> set[tuple[str, int]]:
    """For each number in the line: the line without its numbers, and how far the number is
    from the page's index. The same on many pages, it is the page's number."""
    shape = re.sub(r"\d+", "#", _squeezed(line))
    return {(shape, int(number) - index) for number in re.findall(r"\d{1,5}", line.text)}
