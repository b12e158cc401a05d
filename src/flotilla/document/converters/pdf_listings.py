"""What stands in rows and columns on a PDF's page and is no table: contents, code, dumps."""

import re
from collections.abc import Sequence
from statistics import median

from flotilla.document.converters.pdf_rows import Row
from flotilla.document.converters.pdf_tables import is_year

# Fewer rows or pieces than this tell nothing.
LEAST = 3
LEADER_RUN = re.compile(r"(?:[.·…_]\s?){5,}")
LEADER_SHARE = 0.4
# In type whose letters are all of one width, a segment's width over its length is the same.
SAME_PITCH = 0.02


def is_contents(filled: list[list[str]], columns: int) -> bool:
    """Whether it is a table of contents: titles, and pages that only go up."""
    pages = filled[-1]
    if columns > 3 or len(pages) < LEAST or not all(map(str.isdecimal, pages)):
        return False
    numbers = [int(page) for page in pages]
    return numbers == sorted(numbers) and not all(is_year(page) for page in pages)


def has_leaders(rows: Sequence[Row]) -> bool:
    """Whether many rows have dots that lead from a title to its page."""
    leading = sum(any(LEADER_RUN.search(part.text) for part in row) for row in rows)
    return leading > LEADER_SHARE * len(rows)


def is_monospaced(rows: Sequence[Row]) -> bool:
    """Whether the rows are code, a listing or a dump: type whose letters are of one width."""
    pitches = sorted(
        part.width / len(part.text) for row in rows for part in row if len(part.text) > LEAST
    )
    if len(pitches) < LEAST:
        return False
    usual = median(pitches)
    near = sum(abs(pitch - usual) <= SAME_PITCH * usual for pitch in pitches)
    return near >= 0.9 * len(pitches)
