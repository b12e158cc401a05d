"""The blocks of a passage: paragraphs, list items, table rows, contact lines and headings."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from flotilla.rag.text.contacts import address, is_contact
from flotilla.rag.text.tables import figures, is_row, is_row_beside, same_shape

LONGEST_LINE = 80
"""Lines longer than this were not wrapped for a page, so nothing is learnt from their length."""

LONGEST_HEADING = 80
"""Characters above which a line without a full stop is taken for text and not for a heading."""

LONGEST_QUESTION = 200
"""Characters of a question that stands alone, as in a list of frequent questions."""

MOST_UNLIKE = 4
"""Lines in a row that may stand between two rows of a table and look like none."""


class Kind(StrEnum):
    """What a stretch of text is."""

    SENTENCE = "sentence"
    ITEM = "item"  # a sentence of a list item
    LIST = "list"  # the line that announces a list, with its items
    ROW = "row"  # a table's row below its header
    CONTACT = "contact"  # a postal address, or a line with a telephone number or the like
    HEADING = "heading"


BULLET = re.compile(r"[ \t]*(?:[-*+•◦▪●–·o]|\(?\d{1,3}[.)]|\(?[a-z][.)])[ \t]+")
_MARKED_HEADING = re.compile(r"[ \t]*(?:#{1,6}[ \t]+\S|(={1,6})[ \t].*[ \t]\1[ \t]*$)")
CLOSED = re.compile(r"[.!?…:;。！？][\"'”’»)\]*_]*\s*$")
_ENDED = re.compile(r"[.!?…。！？][\"'”’»)\]*_]*\s*$")
ENDED_INSIDE = re.compile(r"[.!?…]\s+\S")
LABELLED = re.compile(r"[^.!?:]{1,40}:\s+\S")


@dataclass(slots=True)
class Block:
    """A stretch of a passage, in characters of it."""

    start: int
    end: int
    kind: Kind


def _lines(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of every line, line breaks and outer blanks left out."""
    place = 0
    for line in text.splitlines(keepends=True):
        start = place + len(line) - len(line.lstrip())
        yield start, max(start, place + len(line.rstrip()))
        place += len(line)


def blocks(text: str, titles: Collection[str]) -> Iterator[Block]:
    """Paragraphs, list items, table rows and headings in reading order."""
    lines = list(_lines(text))
    width = min(max((end - start for start, end in lines), default=0), LONGEST_LINE)
    block: Block | None = None
    gap = True  # whether an empty line, or nothing, stands above
    above = ""
    found: tuple[int, int] | None = None
    starts = -1
    kinds = _kinds(text, lines, titles)
    within = 0  # where an address ends that was taken as a whole
    for number, (start, end) in enumerate(lines):
        if number < within:
            continue
        line = text[start:end]
        if gap or (block is not None and block.kind is Kind.CONTACT):
            found = address([text[_margin(text, s) : e] for s, e in lines[number : number + 8]])
            starts = number + found[0] if found else -1
        if number == starts and found is not None:
            if block is not None:
                yield _judged(text, block)
            within = number + found[1] - found[0]
            block = Block(start, lines[within - 1][1], Kind.CONTACT)
            above, gap = "", False
            continue
        below = text[slice(*lines[number + 1])] if number + 1 < len(lines) else ""
        if not line:
            above, gap = "", True
            continue
        kind = kinds[number] or Kind.SENTENCE
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
            block = Block(start, end, kind)
        above, gap = line, False
    if block is not None:
        yield _judged(text, block)


def _kinds(
    text: str, lines: Sequence[tuple[int, int]], titles: Collection[str]
) -> list[Kind | None]:
    """What each line is by itself, or because rows are next to it; None for an empty one."""
    shown = [text[start:end] for start, end in lines]
    kinds = [
        (Kind.HEADING if line in titles else _kind_of(line)) if line else None for line in shown
    ]
    if Kind.ROW not in kinds:
        return kinds
    # From above, then from below, so that a row that was told tells the next one.
    for order in (range(len(lines)), reversed(range(len(lines)))):
        for number in order:
            if kinds[number] is Kind.SENTENCE:
                above = shown[number - 1] if kinds[max(0, number - 1)] is Kind.ROW else ""
                below = ""
                for place in range(number + 1, min(number + 1 + MOST_UNLIKE, len(lines))):
                    if kinds[place] is not Kind.SENTENCE:
                        below = shown[place] if kinds[place] is Kind.ROW else ""
                        break
                if is_row_beside(shown[number], above, below):
                    kinds[number] = Kind.ROW
    return kinds


def _margin(text: str, start: int) -> int:
    """Where the line begins whose first character that is no blank is at `start`."""
    return text.rfind("\n", 0, start) + 1


def _kind_of(line: str) -> Kind:
    if len(line) <= LONGEST_LINE and not _ENDED.search(line) and is_contact(line):
        return Kind.CONTACT
    if _MARKED_HEADING.match(line):
        return Kind.HEADING
    bullet = bool(BULLET.match(line))
    if is_row(line, prose=bullet or bool(_ENDED.search(line))):
        return Kind.ROW
    return Kind.ITEM if bullet else Kind.SENTENCE


def _is_wrapped(text: str, block: Block, line: str, width: int) -> bool:
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
    if last.endswith("?") or (LABELLED.match(last) and LABELLED.match(line)):
        return False
    if len(last) >= 0.6 * width:
        return True
    return last[-1:] in ",-–(" and not LABELLED.match(line)


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


def _judged(text: str, block: Block) -> Block:
    """The block, as a heading where it looks like one: a short open line, a line that ends with
    a colon, or a single question, with text below."""
    raw = text[block.start : block.end]
    if block.kind is not Kind.SENTENCE or not text[block.end :].strip():
        return block
    # A line of several figures says something itself, and so does one of a series; a heading
    # announces.
    line = "\n" not in raw and len(raw) <= LONGEST_HEADING and figures(raw) < 3
    line = line and not same_shape(raw, text[block.end :].lstrip().split("\n", 1)[0])
    open_line = not CLOSED.search(raw) and not LABELLED.match(raw)
    begins = raw[0].isupper() or raw[0].isdigit() or raw[0] in '*"“'
    question = raw.rstrip("* ").endswith("?") and not ENDED_INSIDE.search(raw)
    if (line and begins and (open_line or raw.endswith(":"))) or (
        question and len(raw) <= LONGEST_QUESTION
    ):
        block.kind = Kind.HEADING
    return block
