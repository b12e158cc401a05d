"""The headers of tables whose rows stand in several chunks."""

from collections.abc import Sequence
from itertools import pairwise

from flotilla.models import Passage
from flotilla.rag.text.columns import Columns, columns_of
from flotilla.rag.text.sentences import Kind, Sentence

_Place = tuple[str, tuple[str, ...] | None]


def section(passage: Passage) -> _Place:
    """The section of its version that a passage is of."""
    return passage.version_id, passage.heading_path


def version(passage: Passage) -> _Place:
    """The version that a passage is of, whatever its section."""
    return passage.version_id, None


def headers_of(
    passages: Sequence[Passage], parts: Sequence[Sequence[Sentence]]
) -> dict[_Place, str]:
    """The header of each section's table, and of each version's tables where they share one, for
    rows that stand in a later chunk than it.

    A section with more than one table is left out, since nothing says whose the rows are.
    """
    found: dict[_Place, set[str]] = {}
    for passage, sentences in zip(passages, parts, strict=True):
        headers = {s.header for s in sentences if s.kind is Kind.ROW and s.header}
        for place in (section(passage), version(passage)):
            found.setdefault(place, set()).update(headers)
    return {place: headers.pop() for place, headers in found.items() if len(headers) == 1}


def going_on_headers(
    passages: Sequence[Passage], parts: Sequence[Sequence[Sentence]]
) -> dict[str, str]:
    """The header of the table that goes on at the beginning of a chunk, by the chunk: that of the
    row with which the chunk before ends."""
    order = sorted(
        zip(passages, parts, strict=True), key=lambda each: (each[0].version_id, each[0].position)
    )
    found: dict[str, str] = {}
    for (before, above), (passage, sentences) in pairwise(order):
        follows = (before.version_id, before.position + 1) == (passage.version_id, passage.position)
        rows = above and sentences and above[-1].kind is sentences[0].kind is Kind.ROW
        if follows and rows and before.heading_path == passage.heading_path:
            header = above[-1].header or found.get(before.chunk_id, "")
            if header and not sentences[0].header:
                found[passage.chunk_id] = header
    return found


def columns_by_header(parts: Sequence[Sequence[Sentence]]) -> dict[str, Columns]:
    """The columns of the tables that lost them, by their headers."""
    rows: dict[str, list[str]] = {}
    for sentence in (sentence for sentences in parts for sentence in sentences):
        if sentence.kind is Kind.ROW and sentence.header:
            rows.setdefault(sentence.header, []).append(sentence.text)
    columns = {header: columns_of(header, texts) for header, texts in rows.items()}
    return {header: found for header, found in columns.items() if found is not None}
