"""A document's stored chunks, put together again and compared with what was written into it."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, Protocol

SHOWN = 12  # words of what differs


class Passage(Protocol):
    """A chunk as the API gives it."""

    @property
    def position(self) -> int: ...
    @property
    def text(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


class Compared(NamedTuple):
    """What of a document is not there, and what is there too often."""

    missing: list[str]
    surplus: list[str]


def compare(chunks: Sequence[Passage], text: str) -> Compared:
    """Compare chunks with the text of their document, word by word.

    Neighbours may share what overlaps; apart from that each word has to be there, in its place and
    once.
    """
    whole, missing, surplus = _put_together(chunks)
    found, written = whole.split(), text.split()
    less = Counter(written) - Counter(found)
    more = Counter(found) - Counter(written)
    if less:
        missing.append(f"{less.total()} of its {len(written)} words, {_sample(written, less)!r}")
    if more:
        surplus.append(f"{more.total()} words too many, {_sample(found, more)!r}")
    if not (less or more) and found != written:
        at = next(
            at for at, pair in enumerate(zip(found, written, strict=True)) if len({*pair}) > 1
        )
        order = " ".join(found[at : at + SHOWN])
        missing.append(f"the order of its words, from {order!r} on")
    return Compared(missing, surplus)


def _put_together(chunks: Sequence[Passage]) -> tuple[str, list[str], list[str]]:
    """The text that the chunks make up by their offsets, and what is wrong with them."""
    missing: list[str] = []
    surplus: list[str] = []
    positions = [chunk.position for chunk in chunks]
    if positions != list(range(len(chunks))):
        missing.append(f"chunks in their order: they are numbered {positions}")
    whole = ""  # what stands before the first chunk, and between two, is space
    before: Passage | None = None
    for chunk in chunks:
        name = f"chunk {chunk.position}"
        if chunk.end - chunk.start != len(chunk.text):
            missing.append(f"the length of {name}: {chunk.start} to {chunk.end} is not its text")
        if before is not None and (chunk.start <= before.start or chunk.end <= before.end):
            surplus.append(f"{name} says again what chunk {before.position} says")
        whole = whole.ljust(chunk.start)
        shared = whole[chunk.start :]
        if not chunk.text.startswith(shared):
            missing.append(f"the overlap of {name}: it begins with {chunk.text[:60]!r}")
        whole = whole[: chunk.start] + chunk.text
        before = chunk
    return whole, missing, surplus


def _sample(words: Sequence[str], wanted: Counter[str]) -> str:
    """Some of them, as they follow one another."""
    return " ".join([word for word in words if word in wanted][:SHOWN])
