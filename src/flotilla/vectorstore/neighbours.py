"""Passages that grow by the chunks around them, until a number of tokens is spent.

What was found stays first: in each round every passage, the best first, may take the chunk behind
it and the one before it, as long as they are of its section and fit into what is left; once all
sections are read as far as that goes, what is left is spent on what stands around them. Passages
that meet become one. Only running text grows: a table or the summary of a picture is a whole.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from flotilla.models import DataType, Part, Passage, chunk_id

REACH = 8
"""Chunks on either side of a passage, at most."""

MOST_CHUNKS = 256
"""Chunks that are read for one question, at most: those around the best passages."""

MOST_GAP = 64
"""Characters of white space between two chunks, at most; where more is missing they are not put
together."""

Read = Callable[[Sequence[str]], dict[str, Passage]]
"""Reads chunks by their ids; those that are not there are left out."""

Count = Callable[[Sequence[str]], list[int]]
"""Counts each text's tokens."""


@dataclass(eq=False)
class _Window:
    """Chunks of one document that follow one another, around the one that was found."""

    found: Passage
    chunks: dict[int, Passage] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chunks[self.found.position] = self.found

    @property
    def first(self) -> int:
        return min(self.chunks)

    @property
    def last(self) -> int:
        return max(self.chunks)

    @property
    def grows(self) -> bool:
        return self.found.data_type is DataType.TEXT and self.found.url is None

    def is_followed(self, chunk: Passage) -> bool:
        """Whether the text goes on with a chunk at either end."""
        before, after = (
            (chunk, self.chunks[self.first])
            if chunk.position < self.first
            else (self.chunks[self.last], chunk)
        )
        return before.start <= after.start <= before.end + MOST_GAP

    def is_of_section(self, chunk: Passage) -> bool:
        """Whether a chunk stands under the same headings."""
        return chunk.heading_path == self.found.heading_path


def grown(passages: Sequence[Passage], budget: int, read: Read, count: Count) -> list[Passage]:
    """The passages with what stands around them, in their order; fewer where some have met.

    Args:
        passages: the best first, none of which has grown yet.
        budget: tokens by which all of them together may grow.
        read: gives the chunks around them, asked once.
        count: the embedding model's tokens, asked once.
    """
    windows = [_Window(passage) for passage in passages]
    taken = {(each.version_id, each.position): each for each in passages}
    around = _around(windows)
    chunks = {(each.version_id, each.position): each for each in read(around).values()}
    ordered = sorted(chunks)
    tokens = dict(zip(ordered, count([chunks[each].text for each in ordered]), strict=True))
    left = budget

    def grow(*, within_section: bool) -> bool:
        """One round; whether any passage has grown."""
        nonlocal left
        grew = False
        for window in windows:
            for place in (window.last + 1, window.first - 1) if window.grows else ():
                at = (window.found.version_id, place)
                chunk = chunks.get(at)
                if chunk is None or at in taken or not window.is_followed(chunk):
                    continue
                cost = _cost(window, chunk, tokens[at])
                if cost <= left and (window.is_of_section(chunk) or not within_section):
                    left -= cost
                    window.chunks[place] = taken[at] = chunk
                    grew = True
        return grew

    for within_section in (True, False):
        while grow(within_section=within_section):
            pass
    return [_passage(window) for window in _met(windows)]


def _around(windows: Sequence[_Window]) -> list[str]:
    """The ids of the chunks that may be taken, those next to the best passages first."""
    ids: dict[str, None] = {}
    for distance in range(1, REACH + 1):
        for window in windows:
            if not window.grows:
                continue
            found = window.found
            for place in (found.position + distance, found.position - distance):
                if place >= 0:
                    ids.setdefault(chunk_id(found.document_id, found.version_id, place))
    return list(ids)[:MOST_CHUNKS]


def _cost(window: _Window, chunk: Passage, tokens: int) -> int:
    """The tokens of what a chunk adds: without what it shares with the chunk that it follows."""
    if chunk.position > window.last:
        fresh = chunk.end - max(chunk.start, window.chunks[window.last].end)
    else:
        fresh = min(chunk.end, window.chunks[window.first].start) - chunk.start
    return max(0, -(-tokens * fresh // max(1, len(chunk.text))))


def _met(windows: Sequence[_Window]) -> Iterator[_Window]:
    """The windows, of those that follow one another the better one with the other's chunks."""
    kept: list[_Window] = []
    for window in windows:
        best, *others = [*(each for each in kept if _meet(each, window)), window]
        for other in others:
            best.chunks |= other.chunks
            if other is not window:
                kept.remove(other)
        if best is window:
            kept.append(window)
    return iter(kept)


def _meet(one: _Window, other: _Window) -> bool:
    if one.found.version_id != other.found.version_id or not (one.grows and other.grows):
        return False
    low, high = (one, other) if one.first < other.first else (other, one)
    if high.first != low.last + 1 or not low.is_followed(high.chunks[high.first]):
        return False
    # Two that were found side by side stay apart where a heading parts them.
    side_by_side = (low.last, high.first) == (low.found.position, high.found.position)
    return not side_by_side or low.is_of_section(high.found)


def _passage(window: _Window) -> Passage:
    if len(window.chunks) == 1:
        return window.found
    chunks = [window.chunks[place] for place in sorted(window.chunks)]
    text, end = chunks[0].text, chunks[0].end
    for chunk in chunks[1:]:
        if chunk.end > end:
            text += "\n" * (chunk.start - end) + chunk.text[max(0, end - chunk.start) :]
            end = chunk.end
    return window.found.model_copy(
        update={
            "text": text,
            "start": chunks[0].start,
            "end": end,
            "page_start": chunks[0].page_start,
            "page_end": chunks[-1].page_end,
            "parts": tuple(_part(chunk) for chunk in chunks),
        }
    )


def _part(chunk: Passage) -> Part:
    return Part(
        chunk_id=chunk.chunk_id,
        start=chunk.start,
        end=chunk.end,
        page_start=chunk.page_start,
        page_end=chunk.page_end,
        heading_path=chunk.heading_path,
    )
