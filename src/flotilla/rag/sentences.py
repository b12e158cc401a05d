"""Sentences of a passage, at their exact places.

Text from PDFs breaks lines inside sentences, and text from tables has no sentences at all. The
passage is therefore read line by line into paragraphs, list items, table rows and headings first;
only paragraphs and items are then cut into sentences.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

from flotilla.rag.columns import Columns
from flotilla.rag.tables import (
    FEWEST_NAMES,
    RULE,
    cells,
    figures,
    is_header,
    is_row,
    paired,
    same_shape,
)

LONGEST_LINE = 80
"""Lines longer than this were not wrapped for a page, so nothing is learnt from their length."""

LONGEST_HEADING = 80
"""Characters above which a line without a full stop is taken for text and not for a heading."""

LONGEST_QUESTION = 200
"""Characters of a question that stands alone, as in a list of frequent questions."""

LONGEST_LIST = 800
"""Characters of a list that are quoted as one; it is cut between items."""


class Kind(StrEnum):
    """What a stretch of text is."""

    SENTENCE = "sentence"
    ITEM = "item"  # a sentence of a list item
    LIST = "list"  # the line that announces a list, with its items
    ROW = "row"  # a table's row below its header
    HEADING = "heading"


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, list, table row or heading.

    `text` is verbatim `passage[start:end]`, line breaks included; `whole` is False where the
    passage begins inside the sentence or ends before it does. `header` is the header line of a
    row's table, empty where the table has none, and `columns` those that its rows show where their
    gaps are lost; `heading` is the nearest heading above.
    """

    text: str
    start: int
    end: int
    kind: Kind
    whole: bool = True
    header: str = ""
    heading: str = ""
    columns: Columns | None = None

    @property
    def named_cells(self) -> list[tuple[str, str]]:
        """A row's cells, each with its column's name; none where that is not certain."""
        found = self.columns.cells(self.text) if self.columns is not None else None
        if self.columns is not None and found is not None:
            return list(zip(self.columns.names, found, strict=True))
        names, values = cells(self.header), cells(self.text)
        return list(zip(names, values, strict=True)) if len(names) == len(values) > 1 else []

    @property
    def shown(self) -> str:
        """The text as it is read in an answer: no line breaks, no bullet, no table bars."""
        if self.kind is Kind.ROW:
            named = self.named_cells
            if named:
                return paired([name for name, _ in named], [value for _, value in named])
            return paired(cells(self.header), cells(self.text))
        if self.kind is Kind.LIST:
            items = re.split(rf"\n(?={_BULLET.pattern})", self.text)
            return "\n".join(_unmarked(" ".join(item.split())) for item in items)
        bullet = _BULLET.match(self.text) if self.kind is Kind.ITEM else None
        return " ".join(_unmarked(self.text[bullet.end() if bullet else 0 :]).split())


def _unmarked(text: str) -> str:
    """A text without Markdown's marks of headings and of bold words."""
    return text.lstrip("#").replace("**", "").lstrip(" ")


@dataclass(slots=True)
class _Block:
    start: int
    end: int
    kind: Kind


_BULLET = re.compile(r"[ \t]*(?:[-*+•◦▪●–·o]|\(?\d{1,3}[.)]|\(?[a-z][.)])[ \t]+")
_MARKED_HEADING = re.compile(r"[ \t]*(?:#{1,6}[ \t]+\S|(={1,6})[ \t].*[ \t]\1[ \t]*$)")
_CLOSED = re.compile(r"[.!?…:;。！？][\"'”’»)\]*_]*\s*$")
_ENDED = re.compile(r"[.!?…。！？][\"'”’»)\]*_]*\s*$")
_ENDED_INSIDE = re.compile(r"[.!?…]\s+\S")
_ORDINAL = re.compile(r"(?<![\d.,])\d{1,2}\.\s*$")
_MONTH = re.compile(
    r"(?:Jan|Jän|Feb|Mär|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez)[a-zäöü]*\b"  # German dates: "3. Mai"
)
_LABELLED = re.compile(r"[^.!?:]{1,40}:\s+\S")


def split(text: str, titles: Collection[str] = ()) -> list[Sentence]:
    """The sentences of a passage in reading order; `titles` are lines known to be headings.

    A list is given as a whole, with the line that announces it by a colon, and item by item as
    well, since either may be what answers.
    """
    sentences: list[Sentence] = []
    heading = header = titled = ""
    previous: _Block | None = None
    blocks = list(_blocks(text, titles))
    for index, block in enumerate(blocks):
        raw = text[block.start : block.end]
        following = blocks[index + 1] if index + 1 < len(blocks) else None
        announces = following is not None and following.kind is Kind.ITEM
        row_below = following is not None and following.kind is Kind.ROW
        below = text[following.start : following.end] if following and row_below else None
        if block.kind is Kind.HEADING:
            titled = heading if previous is not None and previous.kind is Kind.HEADING else ""
            heading = raw.lstrip("#").strip(" \t*=")
            sentences.append(Sentence(raw, block.start, block.end, Kind.HEADING, heading=heading))
        elif block.kind is Kind.ROW:
            first = previous is None or previous.kind is not Kind.ROW
            if first:
                header = heading if previous and previous.kind is Kind.HEADING else ""
                # Two headings above a table are its title and the names of its columns.
                if titled and len(header.split()) >= FEWEST_NAMES:
                    heading = titled
            if RULE.fullmatch(raw):
                pass
            elif first and below is not None and is_header(raw, below):
                header = raw
            else:
                sentences.append(
                    Sentence(raw, block.start, block.end, Kind.ROW, header=header, heading=heading)
                )
        else:
            sentences += _sentences(text, block, heading, last=following is None)
            announces = announces and raw.endswith(":")
        if announces and block.kind in (Kind.HEADING, Kind.SENTENCE):
            assert following is not None  # noqa: S101 - what is announced follows
            # A line that ends with a colon is read with its list, and a title stands above it.
            titles_it = block.kind is Kind.HEADING and not raw.rstrip("*_ ").endswith(":")
            start = following.start if titles_it else sentences[-1].start
            end = _end_of_list(blocks, index + 1, start + LONGEST_LIST)
            whole = Sentence(text[start:end], start, end, Kind.LIST, heading=heading)
            if block.kind is Kind.SENTENCE:
                sentences.pop()
            sentences.append(whole)
        previous = block
    return sentences


def _end_of_list(blocks: list[_Block], index: int, limit: int) -> int:
    """Where the list that begins with block `index` ends, or its last item before `limit`."""
    while (
        index + 1 < len(blocks)
        and blocks[index + 1].kind is Kind.ITEM
        and blocks[index + 1].end <= limit
    ):
        index += 1
    return blocks[index].end


def _lines(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of every line, line breaks and outer blanks left out."""
    place = 0
    for line in text.splitlines(keepends=True):
        start = place + len(line) - len(line.lstrip())
        yield start, max(start, place + len(line.rstrip()))
        place += len(line)


def _blocks(text: str, titles: Collection[str]) -> Iterator[_Block]:
    """Paragraphs, list items, table rows and headings in reading order."""
    lines = list(_lines(text))
    width = min(max((end - start for start, end in lines), default=0), LONGEST_LINE)
    block: _Block | None = None
    gap = True  # whether an empty line, or nothing, stands above
    above = ""
    for number, (start, end) in enumerate(lines):
        line = text[start:end]
        below = text[slice(*lines[number + 1])] if number + 1 < len(lines) else ""
        if not line:
            above, gap = "", True
            continue
        kind = Kind.HEADING if line in titles else _kind_of(line)
        if kind is Kind.SENTENCE and any(
            same_shape(line, near) and figures(line) >= 2 for near in (above, below)
        ):
            kind = Kind.ROW
        joins = not gap and kind is Kind.SENTENCE
        if block is not None and joins and _is_wrapped(text, block, line, width):
            block.end = end
        else:
            if block is not None:
                yield _judged(text, block)
            block = _Block(start, end, kind)
        above, gap = line, False
    if block is not None:
        yield _judged(text, block)


def _kind_of(line: str) -> Kind:
    if _MARKED_HEADING.match(line):
        return Kind.HEADING
    bullet = bool(_BULLET.match(line))
    if is_row(line, prose=bullet or bool(_ENDED.search(line))):
        return Kind.ROW
    return Kind.ITEM if bullet else Kind.SENTENCE


def _is_wrapped(text: str, block: _Block, line: str, width: int) -> bool:
    """Whether a line goes on with the block above instead of starting anew.

    A line break that comes early for the page's width is meant; any other one is where the
    width ended.
    """
    if block.kind not in (Kind.SENTENCE, Kind.ITEM):
        return False
    last = text[block.start : block.end].rsplit("\n", 1)[-1].strip()
    if line[0].islower():
        return not _ENDED.search(last)
    # The title of what follows, which a PDF sets without a gap.
    if "\n" not in text[block.start : block.end] and _titled(last) and not _titled(line):
        return False
    # A question may be the title of what follows; a label begins another entry.
    if last.endswith("?") or (_LABELLED.match(last) and _LABELLED.match(line)):
        return False
    if len(last) >= 0.6 * width:
        return True
    return last[-1:] in ",-–(" and not _LABELLED.match(line)


def _titled(line: str) -> bool:
    """Whether a line is written like an English title: open, and every word large that is no
    small one."""
    words = re.findall(r"[^\W\d_]{4,}", line)
    return (
        len(words) >= 2
        and len(line) <= LONGEST_HEADING
        and not _ENDED.search(line)
        and all(word[0].isupper() for word in words)
    )


def _judged(text: str, block: _Block) -> _Block:
    """The block, as a heading where it looks like one: a short open line, a line that ends with
    a colon, or a single question, with text below."""
    raw = text[block.start : block.end]
    if block.kind is not Kind.SENTENCE or not text[block.end :].strip():
        return block
    # A line of several figures says something itself, and so does one of a series; a heading
    # announces.
    line = "\n" not in raw and len(raw) <= LONGEST_HEADING and figures(raw) < 3
    line = line and not same_shape(raw, text[block.end :].lstrip().split("\n", 1)[0])
    open_line = not _CLOSED.search(raw) and not _LABELLED.match(raw)
    begins = raw[0].isupper() or raw[0].isdigit() or raw[0] in '*"“'
    question = raw.rstrip("* ").endswith("?") and not _ENDED_INSIDE.search(raw)
    if (line and begins and (open_line or raw.endswith(":"))) or (
        question and len(raw) <= LONGEST_QUESTION
    ):
        block.kind = Kind.HEADING
    return block


def _sentences(text: str, block: _Block, heading: str, *, last: bool) -> list[Sentence]:
    """The sentences of one paragraph or list item."""
    # Imported here: a gateway that lists answers must not load the splitter.
    from sentencex import segment

    raw = text[block.start : block.end]
    # Same length, so that offsets hold; a line break would end a sentence.
    pieces: list[str] = []
    for piece in segment("en", raw.replace("\r", " ").replace("\n", " ")):
        ordinal = bool(pieces) and bool(_ORDINAL.search(pieces[-1]))
        # A bullet's "1." is one with its text.
        if pieces and (
            not pieces[-1].strip()
            or (ordinal and (_MONTH.match(piece) or _ORDINAL.fullmatch(pieces[-1])))
        ):
            pieces[-1] += piece
        else:
            pieces.append(piece)
    kind = Kind.ITEM if block.kind is Kind.ITEM else Kind.SENTENCE
    found: list[Sentence] = []
    place = block.start
    for piece in pieces:
        start = place + len(piece) - len(piece.lstrip())
        end = place + len(piece.rstrip())
        place += len(piece)
        if start >= end:
            continue
        at_edge = last and place >= block.start + len(raw)
        cut = (start == 0 and text[0].islower()) or (
            at_edge and kind is Kind.SENTENCE and not _CLOSED.search(text[start:end])
        )
        found.append(Sentence(text[start:end], start, end, kind, whole=not cut, heading=heading))
    return found
