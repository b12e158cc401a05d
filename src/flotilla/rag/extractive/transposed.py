"""The column that a superlative asks for, where a table has the things in its columns.

"Which plan has the lowest excess?" is told by the row of the excess, with a plan in each cell.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from flotilla.rag.extractive.candidates import Candidate
from flotilla.rag.extractive.measures import measured, names_it
from flotilla.rag.extractive.superlatives import Superlative
from flotilla.rag.extractive.table_rows import Seen, has_term, left_of, tables_of, unnamed
from flotilla.rag.text.terms import terms

FEWEST_VALUES = 2
"""Values of a row from which one can be the lowest."""


@dataclass(frozen=True, slots=True)
class FoundColumn:
    """The row that measures what is asked for, and the column with the most or the least of it."""

    rows: tuple[Candidate, ...]
    column: str
    largest: bool

    def note(self, _seen: Seen) -> str:
        """Which of the row's values it is; all of them are in the answer."""
        which = "highest" if self.largest else "lowest"
        return f"The {which} value of the row is that of {self.column}."


def extreme_column(
    asked: Superlative, question: str, found: Sequence[Candidate]
) -> FoundColumn | None:
    """The one row that measures what is asked for, where a single cell of it has the most or the
    least; None where several rows may be meant, or a cell cannot be compared."""
    left = left_of(question, asked.words)
    for words, largest in asked.columns:
        rows = [
            row
            for table in tables_of(found)
            for row in table
            if _measures(row, words, left, own=asked.nouns)
        ]
        # Of "Price, cat" and "Price, dog", the one that the question names.
        fit = [len(left.intersection(terms(r.sentence.named_cells[0][1]))) for r in rows]
        rows = [row for row, shared in zip(rows, fit, strict=True) if shared == max(fit)]
        if len(rows) != 1:
            continue
        cells = rows[0].sentence.named_cells[1:]
        column = measured([value for _, value in cells])
        if column is None or None in column.values:
            continue
        best = column.extreme(largest=largest)
        if len(best) == 1:
            return FoundColumn((rows[0],), cells[min(best)][0], largest)
    return None


def _measures(
    row: Candidate, words: Sequence[str], left: Collection[str], own: Collection[str]
) -> bool:
    """Whether a row is named by what is measured, and stands below all else that is named."""
    cells = row.sentence.named_cells
    label = cells[0][1]
    told = set(terms(label))
    # What the question names itself is named in full.
    named = set(words) <= told if set(words) == set(own) else names_it(label, words)
    rest = {term for term in unnamed(row, left) if not has_term(told, term)} - set(words)
    return len(cells) > FEWEST_VALUES and named and not rest
