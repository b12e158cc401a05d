"""Where the characters of an ingested text stand in the file that it was made of.

Gold spans count characters of the file. What a converter leaves out (Markdown's signs, the blanks
of a table) makes a document's text another; its letters and digits are the same, in the same order.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from flotilla.client import Flotilla

Range = tuple[int, int]

WINDOW = 20_000
"""Letters and digits of the file in which a line's place is looked for, from where the last was."""

LONG_LINE = 40
"""Letters and digits from which on a line is looked for in all that follows."""

SHORTEST_PIECE = 12
"""Letters and digits below which a piece of a line is not looked for by itself."""

WIDEST_GAP = 400
"""Characters of the file between two letters of a text that are still one stretch: an address that
a link had."""

CHARACTERS_AT_ONCE = 50_000


class Alignment:
    """From offsets in a document's text to ranges of its file.

    Args:
        document: the text as it was ingested.
        source: the file's text.
    """

    def __init__(self, document: str, source: str) -> None:
        self._source = source
        self._same = document == source
        self._places = np.empty(0, np.int64)
        self._targets = np.empty(0, np.int64)
        if not self._same:
            self._places = _letters(document)
            self._targets = _targets(document, self._places, source)

    @property
    def share(self) -> float:
        """Which share of the document's letters and digits was found in the file."""
        return 1.0 if self._same or not self._targets.size else float((self._targets >= 0).mean())

    def ranges(self, start: int, end: int) -> list[Range]:
        """The file's ranges that `start:end` of the document is of, in order and apart."""
        if self._same:
            return [(start, end)]
        first, last = np.searchsorted(self._places, (start, end))
        targets = self._targets[first:last]
        targets = targets[targets >= 0]
        if not targets.size:
            return []
        steps = np.diff(targets)
        breaks = np.flatnonzero((steps <= 0) | (steps > WIDEST_GAP)) + 1
        return merged(
            self._with_signs(int(part[0]), int(part[-1]) + 1) for part in np.split(targets, breaks)
        )

    def _with_signs(self, start: int, end: int) -> Range:
        """The range with the full stop and the quotation marks that stand at its ends."""
        text = self._source
        while end < len(text) and not text[end].isalnum() and not text[end].isspace():
            end += 1
        while start > 0 and not text[start - 1].isalnum() and not text[start - 1].isspace():
            start -= 1
        return start, end


def merged(ranges: Iterator[Range] | list[Range]) -> list[Range]:
    """Ranges in order, those that touch or overlap as one."""
    joined: list[Range] = []
    for start, end in sorted(ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def ingested_text(flotilla: Flotilla, document_id: str) -> str:
    """A document's whole text, as offsets count in it."""
    pieces: list[tuple[int, str]] = []
    for entry in flotilla.pages(document_id, limit=500):
        start: int | None = entry.start
        while start is not None:
            part = flotilla.page(document_id, entry.page, start=start, limit=CHARACTERS_AT_ONCE)
            pieces.append((part.start, part.text))
            start = part.next_start
    text = ""
    for place, piece in pieces:
        text += "\n" * (place - len(text)) + piece
    return text


def _letters(text: str) -> NDArray[np.int64]:
    return np.fromiter((i for i, each in enumerate(text) if each.isalnum()), np.int64)


def _targets(document: str, places: NDArray[np.int64], source: str) -> NDArray[np.int64]:
    """The source's offset of each letter of the document, -1 where it was not found."""
    in_source = _letters(source)
    condensed = "".join(source[i] for i in in_source)
    if condensed == "".join(document[i] for i in places):
        return in_source
    targets = np.full(len(places), -1, np.int64)
    cursor = done = 0
    for line in document.splitlines():
        letters = "".join(each for each in line if each.isalnum())
        for start, found, length in _pieces(letters, condensed, cursor):
            place = done + start
            targets[place : place + length] = in_source[found : found + length]
            cursor = found + length
        done += len(letters)
    return targets


def _pieces(letters: str, source: str, cursor: int) -> Iterator[tuple[int, int, int]]:
    """Where a line stands in the source: start in the line, start in the source, and length.

    A line that is not found as a whole, since something stands in its midst that the document has
    not, is looked for by halves, and these by theirs.
    """
    waiting = [(0, len(letters))]
    while waiting:
        start, end = waiting.pop()
        found = _find(letters[start:end], source, cursor)
        if found >= 0:
            yield start, found, end - start
            cursor = found + end - start
        elif end - start >= 2 * SHORTEST_PIECE:
            middle = (start + end) // 2
            waiting += [(middle, end), (start, middle)]


def _find(letters: str, source: str, cursor: int) -> int:
    """The place that is nearest behind the cursor; of many letters any, else -1."""
    if not letters:
        return -1
    found = source.find(letters, cursor, cursor + WINDOW + len(letters))
    if found < 0 and len(letters) >= LONG_LINE:
        found = source.find(letters, cursor)
        if found < 0:
            found = source.find(letters)
    return found
