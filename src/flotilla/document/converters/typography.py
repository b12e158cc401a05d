"""Which lines of a PDF are headings: by size and weight against the body's text."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from flotilla.models import Box, Heading

MAX_HEADING_CHARS = 120
# A heading in bold type of the body's size is no longer than this.
MAX_BOLD_CHARS = 90
# Bold lines that follow one another are a heading up to this many.
MAX_BOLD_LINES = 2
NO_HEADING_END = (".", ",", ";")
# A heading stands out by at least this much over the body.
SIZE_STEP = 1.12
BOLD_WEIGHT = 600
BOLDER_BY = 150
LEVELS = 4
# What opens an item of a list: on a slide they are larger than most of the text.
ITEM = re.compile("[•‣◦▪▫■□●○◆◇➢➤✓✔\uf0b7\uf0a7\uf0d8\uf076–—*·-]\\s")
NUMBERED = re.compile(
    r"(?:(?P<number>\d{1,2}(?:\.\d{1,3}){0,4})[.)]?|[IVX]{1,5}\.|[A-Z][.)]|§+ ?\d+\w*|"
    r"(?i:article|section|chapter|part|annex|appendix|schedule) \w{1,5}[.:]?)\s+\S"
)


class Line(NamedTuple):
    """A line of a page. `size` is in points, `weight` as in CSS; 0 where it is not known.

    `box` is where it stands, in the direction in which the page is read; None where that is not
    known. It stands `apart` where there is more space above it than between a paragraph's lines.
    """

    text: str
    size: float
    weight: int
    box: Box | None = None
    apart: bool = False


class Typography:
    """The body's size and weight and the sizes of headings.

    Args:
        lines: those of a sample of its pages.
    """

    def __init__(self, lines: Sequence[Line]) -> None:
        sizes: Counter[float] = Counter()
        weights: Counter[int] = Counter()
        for line in lines:
            if line.size:
                sizes[line.size] += len(line.text)
                weights[line.weight] += len(line.text)
        self.body_size = max(sizes, key=lambda size: (sizes[size], -size)) if sizes else 0.0
        self.body_weight = max(weights, key=lambda each: (weights[each], -each)) if weights else 0
        larger = {line.size for line in lines if self._is_larger(line) and _fits(line)}
        self._ladder = sorted(larger, reverse=True)[: LEVELS - 1]
        # Larger type may have the first numbers: "1" is large then, and "1.1" bold.
        self._shallowest = min(
            (
                found["number"].count(".")
                for line in lines
                if self._is_bold(line) and not self._is_larger(line)
                if (found := NUMBERED.match(line.text.strip())) and found["number"]
            ),
            default=0,
        )

    def headings(self, lines: Iterable[Line | None], offsets: Iterable[int]) -> list[Heading]:
        """The headings among a page's lines; each line's offset in the page's text is given.

        Lines of one size and weight that follow one another are one heading. None stands for
        what is no line, a table.
        """
        found: list[Heading] = []
        group: list[tuple[Line, int]] = []
        for line, offset in [*zip(lines, offsets, strict=True), (None, 0)]:
            if group and (line is None or not self._goes_on(group[-1][0], line)):
                found += self._heading(group)
                group = []
            if line is not None and (self._is_larger(line) or self._is_bold(line)):
                group.append((line, offset))
        return found

    def _heading(self, group: list[tuple[Line, int]]) -> list[Heading]:
        first = group[0][0]
        title = " ".join(line.text.strip() for line, _ in group)
        whole = first._replace(text=title)
        level = 1 + sum(size > first.size for size in self._ladder)
        if not self._is_larger(first):
            numbered = NUMBERED.match(title)
            # Bold alone may be an emphasis, or the label of what stands beside it.
            alone = len(group) <= MAX_BOLD_LINES and first.apart and len(title) <= MAX_BOLD_CHARS
            if not numbered and not alone:
                return []
            if numbered and numbered["number"]:
                level += max(0, numbered["number"].count(".") - self._shallowest)
        if not all(_fits(line) for line, _ in group[:-1]) or not _fits(whole):
            return [
                heading
                for line in group[: len(group) > 1 and len(group)]
                for heading in self._heading([line])
            ]
        return [Heading(offset=group[0][1], level=level, title=title)]

    def _goes_on(self, before: Line, line: Line) -> bool:
        return (
            before.size == line.size
            and not (line.apart or NUMBERED.match(line.text.strip()))
            and (self._is_larger(line) or before.weight == line.weight)
        )

    def _is_bold(self, line: Line) -> bool:
        bold = line.weight >= max(BOLD_WEIGHT, self.body_weight + BOLDER_BY)
        return bold and line.size >= self.body_size

    def _is_larger(self, line: Line) -> bool:
        return self.body_size > 0 and line.size >= SIZE_STEP * self.body_size


def _fits(line: Line) -> bool:
    text = line.text.strip()
    return (
        2 < len(text) <= MAX_HEADING_CHARS
        and sum(char.isalpha() for char in text) * 2 >= len(text) - text.count(" ")
        and not text.endswith(NO_HEADING_END)
        and not ITEM.match(text)
    )
