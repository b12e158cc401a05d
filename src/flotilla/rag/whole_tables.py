"""All rows of the tables that a search has found a part of.

Which is the cheapest of several hundred rows is told by all of them, and a search brings a few
chunks: the others are read by their version, in the order of the document.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flotilla.models import Passage
from flotilla.rag.extractive.filters import asks_of_rows
from flotilla.rag.extractive.stock import asked_stock
from flotilla.rag.extractive.superlatives import superlative
from flotilla.rag.text.blocks import Kind, blocks

MOST_DOCUMENTS = 3
"""Documents whose tables are read as a whole for one question: those that were found foremost."""

MOST_CHUNKS = 200
"""Chunks of a document up to which that is done."""

ReadVersion = Callable[[Passage], list[Passage] | None]
"""Reads all passages of the version that a passage is of; None where they are more than
`MOST_CHUNKS`, or are being replaced."""


@dataclass(frozen=True, slots=True)
class WholeTables:
    """The passages with rows of the `versions` that were read as a whole, and the versions that
    have rows and were not."""

    passages: tuple[Passage, ...] = ()
    versions: frozenset[str] = frozenset()
    in_part: frozenset[str] = frozenset()


def needs_all_rows(question: str) -> bool:
    """Whether a question is answered by comparing or counting the rows of a table."""
    return (
        superlative(question) is not None
        or asked_stock(question) is not None
        or asks_of_rows(question)
    )


def whole_tables(found: Sequence[Passage], read: ReadVersion) -> WholeTables:
    """The tables of which a search has found rows, each read as a whole where that can be done."""
    of_version = {p.version_id: p for p in reversed(found) if _has_rows(p)}
    foremost = sorted(of_version.values(), key=found.index)
    passages: list[Passage] = []
    versions: set[str] = set()
    for passage in foremost[:MOST_DOCUMENTS]:
        every = read(passage)
        if every is not None:
            versions.add(passage.version_id)
            passages += [each for each in every if _has_rows(each)]
    return WholeTables(
        tuple(sorted(passages, key=lambda p: (p.version_id, p.position))),
        frozenset(versions),
        frozenset(of_version.keys() - versions),
    )


def _has_rows(passage: Passage) -> bool:
    return any(block.kind is Kind.ROW for block in blocks(passage.text, passage.heading_path))
