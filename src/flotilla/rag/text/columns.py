"""The columns of a table that lost them: a PDF keeps a row's words, but not its gaps."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flotilla.rag.text.tables import cells, values_at_end

FEWEST_ROWS = 3
"""Rows from which columns can be told; fewer may look alike by chance."""

_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Columns:
    """A table's columns: `left` of one word each, one of any number of words, then `right` of one
    word each, with a name for every one. Those of `numbered`, counted from the right, have a number
    in every row. Where all of them hold `values`, each may be of several words: "up to £300"."""

    names: tuple[str, ...]
    left: int
    right: int
    numbered: frozenset[int] = frozenset()
    values: bool = False

    def cells(self, row: str) -> list[str] | None:
        """A row's cells; None where it is not of this table's form."""
        if self.values:
            label, values = values_at_end(row)
            return [label, *values] if label and len(values) == self.right else None
        words = row.split()
        if len(words) < len(self.names):
            return None
        if not all(_DIGIT.search(word) for word in words[: self.left]):
            return None
        if not all(_DIGIT.search(words[-place]) for place in self.numbered):
            return None
        end = len(words) - self.right
        return [*words[: self.left], " ".join(words[self.left : end]), *words[end:]]


def columns_of(header: str, rows: Sequence[str]) -> Columns | None:
    """The columns of a table by its header and some of its rows; None where they are uncertain.

    The first words are columns while every row has a number there. As many as the header has
    further names, but for one, are columns at the row's end: the foremost of them has a number in
    every row, each of the others in all or in none. What remains in the middle is the last column.
    Or all but the first column hold values, exactly as many in most rows as the header has further
    names. Where the rows are of neither form nothing is paired: a value under a wrong name is worse
    than none.
    """
    table = list(dict.fromkeys(rows))
    if len(table) < FEWEST_ROWS or len(cells(header)) > 1:
        return None
    names = _names(header)
    return _by_words(names, [row.split() for row in table]) or _by_values(names, table)


def _by_words(names: tuple[str, ...], table: Sequence[Sequence[str]]) -> Columns | None:
    shortest = min(len(words) for words in table)
    left = 0
    while left < shortest and all(_DIGIT.search(words[left]) for words in table):
        left += 1
    right = len(names) - left - 1
    if not 0 < right < shortest - left or not all(_DIGIT.search(words[-right]) for words in table):
        return None
    numbered = {right}
    for place in range(1, right):
        numbers = {bool(_DIGIT.search(words[-place])) for words in table}
        if len(numbers) > 1:
            return None
        if numbers == {True}:
            numbered.add(place)
    return Columns(names, left, right, frozenset(numbered))


def _by_values(names: tuple[str, ...], table: Sequence[str]) -> Columns | None:
    columns = Columns(names, 0, len(names) - 1, values=True)
    exact = sum(1 for row in table if columns.cells(row) is not None)
    # Of a single column "2 3" may be one value or two.
    certain = columns.right > 1 and exact >= FEWEST_ROWS and 2 * exact > len(table)
    return columns if certain else None


def _names(header: str) -> tuple[str, ...]:
    """The names in a header line; a word written small ("Stock no.") belongs to the one before."""
    names: list[str] = []
    for word in header.split():
        if names and word[0].islower():
            names[-1] += f" {word}"
        else:
            names.append(word)
    return tuple(names)
