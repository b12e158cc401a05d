"""What a PDF's page shows, put together: lines and tables in order to a Page."""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from flotilla.document.converters.pdf_frame import Frame
from flotilla.document.converters.pdf_tables import Table
from flotilla.document.converters.pdf_text import (
    Vocabulary,
    clean_text,
    join_split_words,
    locate,
)
from flotilla.document.converters.typography import Line, Typography
from flotilla.models import DataType, Heading, Page, Region

# A line stands apart where the step from the one above is this much more than the usual step.
APART = 1.3
# The usual step is that of a third of a page's lines: where most lines are paragraphs of their own,
# those within one are still the closest.
USUAL = 0.35
CAPTION = re.compile(
    r"(?i:table|tab\.|tabelle|tableau|tabla|tabella|tabela|tabel|taulukko|exhibit|schedule|表)"
    r"\s*(?:(?:[A-Z]{1,2}[.-]?)?\d{1,3}(?:[.\-–]\d{1,3})*[a-z]?|[IVXLC]{1,6}|[A-Z])"
    # A sentence that says what a table shows goes on in small letters.
    r"(?:\s*[:.|–—-]|\s*$|\s+[^\Wa-z_]|\s+[(\"“])"
)
# A caption is this many lines at most, and stands within so many of its heights of the table.
CAPTION_LINES = 3
CAPTION_SPACE = 2.5
FULL_LINE = 0.8
# A table that goes on over pages keeps its sides, by so many points; what stands between its parts
# is in these shares of the page's height at the top and the foot.
SAME_SIDES = 6.0
PAGE_MARGIN = 0.12
Bookmarks = Sequence[tuple[int, str]]


class Content(NamedTuple):
    """A page before it is text. `frame` is None where nothing tells where its lines stand."""

    items: list[Line | Table]
    frame: Frame | None = None

    @property
    def lines(self) -> list[Line]:
        """Without the tables."""
        return [item for item in self.items if isinstance(item, Line)]

    def without_lines(self, places: set[int]) -> "Content":
        """The content but for some of its lines, given by their place among these."""
        kept: list[Line | Table] = []
        at = 0
        for item in self.items:
            if isinstance(item, Line):
                if at not in places:
                    kept.append(item)
                at += 1
            else:
                kept.append(item)
        return self._replace(items=kept)


def without_false_header(content: Content, before: Content | None) -> Content:
    """The content, where a table that goes on from the page before has no header of its own.

    Its first row is one of many then, though it stands where a header does. Where the header is
    said again on the page, it is one.
    """
    table = next(iter(_inside(content)), None)
    above = next(iter(reversed(_inside(before))), None) if before else None
    if (
        not isinstance(table, Table)
        or not isinstance(above, Table)
        or not table.header_rows
        or table.columns != above.columns
        or abs(table.box[0] - above.box[0]) > SAME_SIDES
        or abs(table.box[2] - above.box[2]) > SAME_SIDES
        or table.lines()[0] == above.lines()[0]
    ):
        return content
    items = [item._replace(header_rows=0) if item is table else item for item in content.items]
    return content._replace(items=items)


def _inside(content: Content) -> list[Line | Table]:
    """A page's items but for the lines in its margins."""
    height = content.frame.height if content.frame else 0.0
    return [
        item
        for item in content.items
        if isinstance(item, Table)
        or (
            item.box is not None
            and item.box[3] > PAGE_MARGIN * height
            and item.box[1] < (1 - PAGE_MARGIN) * height
        )
    ]


def _spaced(items: Iterable[Line | Table]) -> list[Line | Table]:
    """The lines, each said to stand apart or not."""
    known = list(items)
    steps = [_step(one, two) for one, two in pairwise(known)]
    usual = sorted(step for step in steps if step is not None)
    limit = APART * usual[int(USUAL * (len(usual) - 1))] if usual else 0.0
    for at, item in enumerate(known):
        if isinstance(item, Line):
            step = steps[at - 1] if at else None
            before = known[at - 1] if at else None
            apart = (
                at == 0
                or isinstance(before, Table)
                or (step is not None and step > limit)
                or (step is None and _is_higher(before, item))
            )
            if apart:
                known[at] = item._replace(apart=True)
    return known


def _step(one: Line | Table, two: Line | Table) -> float | None:
    """How many of its own heights a line's foot stands below that of the line above it."""
    if isinstance(one, Table) or isinstance(two, Table) or one.box is None or two.box is None:
        return None
    height = max(one.box[3] - one.box[1], two.box[3] - two.box[1])
    step = two.box[3] - one.box[3]
    return step / height if step > 0 and height > 0 else None


def _is_higher(one: Line | Table | None, two: Line) -> bool:
    """Whether a line begins another column with type of its own: its sentence did not begin in
    the column before."""
    return isinstance(one, Line) and (one.size, one.weight) != (two.size, two.weight)


def assemble(
    number: int,
    content: Content,
    typography: Typography,
    vocabulary: Vocabulary,
    *,
    outlined: bool,
    bookmarks: Bookmarks,
) -> Page:
    """The Page of a content.

    Args:
        number: the page's, from 1.
        content: without running titles.
        typography: the document's.
        vocabulary: words of the document.
        outlined: whether the document has an outline, whose bookmarks are its headings.
        bookmarks: those that lead to the page: level from 1, and title.
    """
    items = _mended(_spaced(content.items), vocabulary)
    writer = _Writer(vocabulary)
    for at, item in enumerate(items):
        if isinstance(item, Table):
            writer.table(item, _caption(items, at), content.frame)
        else:
            writer.line(item)
    text = writer.text
    if outlined:
        headings = [
            Heading(offset=locate(title, text), level=level, title=title)
            for level, title in bookmarks
        ]
        headings.sort(key=lambda heading: heading.offset)
    else:
        headings = typography.headings(writer.lines, writer.offsets)
    return Page(number=number, text=text, headings=tuple(headings), regions=tuple(writer.regions))


def _mended(items: Sequence[Line | Table], vocabulary: Vocabulary) -> list[Line | Table]:
    """The items with words whole and texts clean; lines that hold nothing are left out."""
    tables = iter([item for item in items if isinstance(item, Table)])
    lines = join_split_words(
        (None if isinstance(item, Table) else item for item in items), vocabulary
    )
    mended: list[Line | Table] = []
    apart = False
    for line in lines:
        if line is None:
            mended.append(next(tables))
            continue
        text = clean_text(line.text, vocabulary)
        apart = apart or line.apart or not text
        if text:
            if text != line.text or apart != line.apart:
                mended.append(line._replace(text=text, apart=apart))
            else:
                mended.append(line)
            apart = False
    return mended


def _caption(items: Sequence[Line | Table], at: int) -> str | None:
    """What names the table: lines just above it or just below that begin as captions do."""
    widest = max((item.box[2] for item in items if item.box is not None), default=0.0)
    for step in (-1, 1):
        lines: list[str] = []
        edge = items[at]
        for place in range(at + step, at + step * (CAPTION_LINES + 1), step):
            item = items[place] if 0 <= place < len(items) else None
            if not isinstance(item, Line) or not _is_near(edge, item, step):
                break
            if step > 0 and isinstance(edge, Line) and not _is_full(edge, widest):
                break
            if step > 0 and not lines and not CAPTION.match(item.text):
                break
            lines.insert(0 if step < 0 else len(lines), item.text)
            if step < 0 and CAPTION.match(item.text):
                return " ".join(lines)
            edge = item
        if step > 0 and lines:
            return " ".join(lines)
    return None


def _is_full(line: Line, widest: float) -> bool:
    """Whether a line goes so far to the right that a sentence may go on in the next."""
    return line.box is not None and line.box[2] >= FULL_LINE * widest


def _is_near(one: Line | Table, two: Line, step: int) -> bool:
    if one.box is None or two.box is None:
        return False
    space = one.box[1] - two.box[3] if step < 0 else two.box[1] - one.box[3]
    return space <= CAPTION_SPACE * (two.box[3] - two.box[1])


class _Writer:
    """Writes lines and tables below one another, and knows where each begins."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._after_table = False
        self._vocabulary = vocabulary
        self.lines: list[Line | None] = []
        self.offsets: list[int] = []
        self.regions: list[Region] = []

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def line(self, line: Line) -> None:
        self._write(line.text, apart=line.apart or self._after_table)
        self._after_table = False
        self.lines.append(line)
        self.offsets.append(self._length - len(line.text))

    def table(self, table: Table, caption: str | None, frame: Frame | None) -> None:
        clean = table._replace(
            cells=[
                cell._replace(text=clean_text(cell.text, self._vocabulary)) for cell in table.cells
            ]
        )
        text = "\n".join(clean.lines())
        self._write(text, apart=True)
        self._after_table = True
        self.lines.append(None)
        self.offsets.append(self._length - len(text))
        self.regions.append(
            Region(
                data_type=DataType.TABLE,
                start=self._length - len(text),
                end=self._length,
                html=clean.html(),
                header_rows=clean.header_rows,
                caption=caption,
                box=frame.show(clean.box) if frame else None,
            )
        )

    def _write(self, text: str, *, apart: bool) -> None:
        gap = ("\n\n" if apart else "\n") if self._parts else ""
        self._parts += (gap, text)
        self._length += len(gap) + len(text)
