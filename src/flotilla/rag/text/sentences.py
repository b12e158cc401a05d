"""Sentences of a passage, at their exact places.

Text from PDFs breaks lines inside sentences, and text from tables has no sentences at all. The
passage is therefore read line by line into paragraphs, list items, table rows and headings first;
only paragraphs and items are then cut into sentences.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from flotilla.rag.text.blocks import (
    BULLET,
    CLOSED,
    ENDED_INSIDE,
    LABELLED,
    LONGEST_HEADING,
    Block,
    Kind,
    blocks,
)
from flotilla.rag.text.columns import Columns
from flotilla.rag.text.signatures import office_of
from flotilla.rag.text.tables import FEWEST_NAMES, RULE, cells, is_header, paired

__all__ = ["Kind", "Sentence", "split"]

LONGEST_LIST = 800
"""Characters of a list that are quoted as one; it is cut between items."""


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
        if self.kind is Kind.CONTACT:
            return _contact(self.text)
        if self.kind is Kind.LIST:
            items = re.split(rf"\n(?={BULLET.pattern})", self.text)
            return "\n".join(_unmarked(" ".join(item.split())) for item in items)
        bullet = BULLET.match(self.text) if self.kind is Kind.ITEM else None
        return " ".join(_unmarked(self.text[bullet.end() if bullet else 0 :]).split())


def _contact(text: str) -> str:
    """An address on one line, or a line with the gap behind its label closed."""
    if "\n" in text:
        return ", ".join(" ".join(line.split()).rstrip(",") for line in text.splitlines())
    return " ".join(_GAP.sub(": ", text, count=1).split())


def _unmarked(text: str) -> str:
    """A text without Markdown's marks of headings and of bold words."""
    return text.lstrip("#").replace("**", "").lstrip(" ")


_GAP = re.compile(r"(?<=[^\W\d_])(?:\t+| {2,})(?=\S)")
_ORDINAL = re.compile(r"(?<![\d.,])\d{1,2}\.\s*$")
# Behind an ordinal, as in German dates: "3. Mai", "am 24. und am 31. Dezember".
_GOES_ON = re.compile(
    r"(?:Jan|Jän|Feb|Mär|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez)[a-zäöü]*\b|[a-zäöüß]+\b|[-–—]"
)


def split(text: str, titles: Collection[str] = ()) -> list[Sentence]:
    """The sentences of a passage in reading order; `titles` are lines known to be headings.

    A list is given as a whole, with the line that announces it by a colon, and item by item as
    well, since either may be what answers.
    """
    sentences: list[Sentence] = []
    heading = header = titled = ""
    previous: Block | None = None
    found = list(blocks(text, titles))
    for index, block in enumerate(found):
        raw = text[block.start : block.end]
        following = found[index + 1] if index + 1 < len(found) else None
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
                titled_by = previous is not None and previous.kind is Kind.HEADING
                # What holds a figure is a title at most, or a row that was taken for one.
                header = heading if titled_by and not re.search(r"\d", heading) else ""
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
        elif block.kind is Kind.CONTACT:
            sentences.append(Sentence(raw, block.start, block.end, block.kind, heading=heading))
        else:
            sentences += _sentences(text, block, heading, last=following is None)
            announces = announces and raw.endswith(":")
        # A line that ends with a colon is read with its list, and a title stands above it.
        titles_it = block.kind is Kind.HEADING and not raw.rstrip("*_ ").endswith(":")
        if announces and titles_it:
            announces = not _are_paragraphs(text, found, index + 1)
        if announces and block.kind in (Kind.HEADING, Kind.SENTENCE):
            assert following is not None  # noqa: S101 - what is announced follows
            start = following.start if titles_it else sentences[-1].start
            end = _end_of_list(found, index + 1, start + LONGEST_LIST)
            whole = Sentence(text[start:end], start, end, Kind.LIST, heading=heading)
            if block.kind is Kind.SENTENCE:
                sentences.pop()
            sentences.append(whole)
        previous = block
    return sentences


def _are_paragraphs(text: str, found: list[Block], index: int) -> bool:
    """Whether the items from block `index` on are a text's paragraphs, "(1)" and "(2)", one of them
    of several sentences, and no list or steps that are read as one."""
    several = False
    for block in found[index:]:
        raw = text[block.start : block.end]
        bullet = BULLET.match(raw)
        if block.kind is not Kind.ITEM or bullet is None:
            break
        if not bullet.group().lstrip().startswith("("):
            return False
        several = several or bool(ENDED_INSIDE.search(raw, bullet.end()))
    return several


def _end_of_list(found: list[Block], index: int, limit: int) -> int:
    """Where the list that begins with block `index` ends, or its last item before `limit`."""
    while (
        index + 1 < len(found)
        and found[index + 1].kind is Kind.ITEM
        and found[index + 1].end <= limit
    ):
        index += 1
    return found[index].end


def _sentences(text: str, block: Block, heading: str, *, last: bool) -> list[Sentence]:
    """The sentences of one paragraph or list item."""
    # Imported here: a gateway that lists answers must not load the splitter.
    from sentencex import segment

    raw = text[block.start : block.end]
    # Same length, so that offsets hold; a line break would end a sentence.
    flat = raw.replace("\r", " ").replace("\n", " ")
    # Behind a number in brackets nothing would be cut.
    bullet = BULLET.match(flat) if block.kind is Kind.ITEM else None
    marked = bullet.end() if bullet else 0
    pieces: list[str] = [flat[:marked]] if marked else []
    for piece in segment("en", flat[marked:]):
        ordinal = bool(pieces) and bool(_ORDINAL.search(pieces[-1]))
        # A bullet is one with its text.
        if pieces and (
            not pieces[-1].strip()
            or (marked and len(pieces) == 1 and len(pieces[0]) == marked)
            or (ordinal and (_GOES_ON.match(piece) or _ORDINAL.fullmatch(pieces[-1])))
        ):
            pieces[-1] += piece
        else:
            pieces.append(piece)
    kind = Kind.ITEM if block.kind is Kind.ITEM else Kind.SENTENCE
    # "Warden: I. Prendergast" ends with its line, whatever comes below, and so does a signature.
    line = len(raw) <= LONGEST_HEADING and "\n" not in raw
    labelled = line and bool(LABELLED.match(raw) or office_of(raw))
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
            at_edge
            and kind is Kind.SENTENCE
            and not labelled
            and not CLOSED.search(text[start:end])
        )
        found.append(Sentence(text[start:end], start, end, kind, whole=not cut, heading=heading))
    return found
