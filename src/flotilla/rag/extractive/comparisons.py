"""Questions that the rows of a table answer together: the most and the least, stock, bounds and
counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flotilla.models import Passage
from flotilla.rag.extractive.candidates import Candidate, candidates
from flotilla.rag.extractive.filters import Met, rows_that_meet
from flotilla.rag.extractive.identifiers import of_what_is_named
from flotilla.rag.extractive.other_forms import add_forms
from flotilla.rag.extractive.stock import Stocked, stocked_rows
from flotilla.rag.extractive.superlatives import Found, extreme_rows, superlative
from flotilla.rag.extractive.table_rows import seen
from flotilla.rag.extractive.transposed import FoundColumn, extreme_column

if TYPE_CHECKING:
    from flotilla.rag.whole_tables import WholeTables


@dataclass(frozen=True, slots=True)
class Compared:
    """The rows that answer, none where no row does, and what a reader should know of them."""

    rows: tuple[Candidate, ...]
    note: str = ""


def candidates_for(question: str, passages: Sequence[Passage]) -> list[Candidate]:
    """The sentences that may answer a question, each with what of it they say otherwise."""
    found = of_what_is_named(question, candidates(passages))
    add_forms(question, found)
    return found


def compared(
    question: str,
    whole: str,
    found: Sequence[Candidate],
    passages: Sequence[Passage],
    tables: "WholeTables | None",
) -> Compared | None:
    """What comparing rows tells; None where the question asks for no such thing, or no table is
    certain to tell it.

    Args:
        question: what was asked.
        whole: the same with the words that were brought to it.
        found: the sentences of the passages.
        passages: what the search found.
        tables: all chunks of the tables that may tell, where they were read.
    """
    rows = found
    if tables is not None and tables.passages:
        known = {passage.chunk_id for passage in passages}
        rest = [each for each in tables.passages if each.chunk_id not in known]
        rows = candidates_for(question, [*passages, *rest])
    asked = superlative(question)
    told: Found | FoundColumn | Stocked | Met | None = None
    if asked is not None:
        told = extreme_rows(asked, whole, rows) or extreme_column(asked, whole, rows)
    told = told or stocked_rows(question, rows) or rows_that_meet(question, rows)
    if told is None:
        return None
    if not told.rows:
        return Compared(())
    return Compared(tuple(told.rows), told.note(seen(told.rows[0], rows, tables)))
