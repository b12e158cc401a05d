"""Which rows of a table meet what a question asks of them, and how many they are.

"Which meals cost less than £5?", "Which of them are vegetarian?" and "How many electric cars do you
have?" are answered by columns: by a bound on their numbers, by a yes or no, by a word in a cell. To
an embedding one row is as near to such a question as the next.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flotilla.rag.extractive.candidates import Candidate
from flotilla.rag.extractive.conditions import Bound, bound_of
from flotilla.rag.extractive.measures import amount_of, names_it
from flotilla.rag.extractive.superlatives import MOST_SHOWN
from flotilla.rag.extractive.table_rows import Seen, has_term, left_of, narrowed, tables_of, unnamed
from flotilla.rag.text.terms import content_words, stem

_COUNTS = re.compile(r"^\W*(?:(?:and|und)\W+)?(?:how many|wie ?viele)\b", re.IGNORECASE)
# Only these ask for what is there now; "How many did you sell?" asks for what no row tells.
_THERE = re.compile(
    r"\b(?:are there|do you (?:have|offer|sell|stock|keep|list|serve)|have you got|are (?:on offer|"
    r"available|listed)|gibt es|haben sie|habt ihr|bieten sie)\b",
    re.IGNORECASE,
)
_SELECTS = re.compile(
    r"^\W*(?:(?:and|und)\W+)?(?:which|what|how many|are there|do you (?:have|sell|offer)|have you|"
    r"is there|show|list|welche[mnrs]?|wie ?viele|was|gibt es|haben sie)\b",
    re.IGNORECASE,
)
_SPENT_WORDS = """
cost costs priced price weigh weighs weight have has with last lasts take takes long expensive cheap
there are offer sell stock keep serve anything something done driven run kosten kostet wiegen wiegt
haben hat gibt
"""
_SPENT = frozenset(map(stem, _SPENT_WORDS.split()))
# What is of a year is told by a column of years, whatever was done in it.
_OF_YEAR = re.compile(
    r"\b(?:built|made|manufactured|produced|registered|published|founded|released|gebaut|"
    r"hergestellt|erschienen|zugelassen)\b.*?\b(?:in|im jahr|from|since)\s+((?:19|20)\d\d)\b",
    re.IGNORECASE,
)
_A_YEAR = re.compile(r"(?:19|20)\d\d")
_YES = re.compile(r"yes|ja|y|✓|✔|x", re.IGNORECASE)
_YES_OR_NO = re.compile(r"yes|ja|y|✓|✔|x|no|nein|n|✗|✘|[-–—]|", re.IGNORECASE)
_NOT = re.compile(r"\b(?:not?|n['’]t|without|nicht|ohne|keine?[mnrs]?)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Met:
    """Some of the rows that meet what is asked, of how many `equal` ones, and of how many rows that
    were `compared`."""

    rows: tuple[Candidate, ...]
    equal: int
    compared: int

    def note(self, seen: Seen) -> str:
        """What a reader should know: not always all rows of a table were looked at."""
        name = self.rows[0].passage.document_name
        shown = len(self.rows)
        told = {
            Seen.ALL: f"Of all {self.compared} rows of the table in {name}, {self.equal} fit",
            Seen.SOME: f"Of {self.compared} rows in {name}, which may have more, {self.equal} fit",
            Seen.FOUND: f"Of the {self.compared} rows that the search found in {name}, "
            f"{self.equal} fit",
        }[seen]
        return f"{told}, of which {shown} are given." if self.equal > shown else f"{told}."


def asks_of_rows(question: str) -> bool:
    """Whether a question may ask which or how many rows meet something, so that all are needed."""
    bound = bound_of(question) is not None and _SELECTS.search(question)
    of_year = _SELECTS.search(question) and _OF_YEAR.search(question)
    return bool(bound or of_year or (_COUNTS.search(question) and _THERE.search(question)))


def rows_that_meet(question: str, found: Sequence[Candidate]) -> Met | None:
    """The rows that meet a bound, a column of yes and no, or, where they are to be counted, have
    what is asked; None where the question asks for none of these or no table is certain to tell.

    The table's columns, headings or document must name what is asked for, or each row that counts
    must; a word that neither they nor a row have is of something else.
    """
    if not _SELECTS.search(question):
        return None
    bound = bound_of(question)
    counts = bool(_COUNTS.search(question)) and (bound is not None or _THERE.search(question))
    words = bound.without if bound is not None else question
    of_year = _OF_YEAR.search(question)
    year = of_year[1] if of_year is not None and bound is None else ""
    words = _OF_YEAR.sub(" ", words) if year else words
    asked = left_of(words, _SPENT)
    best: tuple[tuple[int, int], Met] | None = None
    for rows in tables_of(found):
        of_that = _of_year(rows, year) if year else rows
        negative = bool(_NOT.search(words)) or not of_that
        met = _meeting(rows, asked, bound, counts=bool(counts), negative=negative, of=of_that)
        near = len(unnamed(rows[0], asked)), min(row.rank for row in rows)
        if met is not None and (best is None or near < best[0]):
            best = near, met
    return best[1] if best is not None else None


def _meeting(
    rows: Sequence[Candidate],
    asked: set[str],
    bound: Bound | None,
    *,
    counts: bool,
    negative: bool,
    of: Sequence[Candidate],
) -> Met | None:
    flags = {t: name for t in asked if (name := _flag_column(rows, t)) is not None}
    left = asked - set(flags)
    named = left - unnamed(rows[0], left)
    kept, missing = narrowed(rows, left - named)
    # What is asked for must be said of the table or of its rows, and something must tell some rows
    # from others.
    dated = of is not rows
    kept = [row for row in kept if row in of] if dated else kept
    if missing or negative or not (bound or flags or dated or (counts and asked)):
        return None
    if not (bound or flags or dated) and len(kept) == len(rows) and not named:
        return None
    for name in flags.values():
        kept = [row for row in kept if _YES.fullmatch(dict(row.sentence.named_cells)[name])]
    if bound is not None:
        column = _bounded_column(rows, bound, words=asked)
        if column is None:
            return None
        kept = [row for row in kept if bound.meets(_value(row, column))]
    if not kept:
        return None
    return Met(tuple(kept[:MOST_SHOWN]), len(kept), len(rows))


def _of_year(rows: Sequence[Candidate], year: str) -> list[Candidate]:
    """The rows whose column of years has a year; none where there is not one such column."""
    columns = [
        place
        for place in range(len(rows[0].sentence.named_cells))
        if all(_A_YEAR.fullmatch(row.sentence.named_cells[place][1]) for row in rows)
    ]
    if len(columns) != 1:
        return []
    return [row for row in rows if row.sentence.named_cells[columns[0]][1] == year]


def _flag_column(rows: Sequence[Candidate], term: str) -> str | None:
    """The column of yes and no that a term names."""
    for place, (name, _) in enumerate(rows[0].sentence.named_cells):
        values = [row.sentence.named_cells[place][1] for row in rows]
        told = all(map(_YES_OR_NO.fullmatch, values)) and any(map(_YES.fullmatch, values))
        if told and has_term({stem(word) for word in content_words(name)}, term):
            return name
    return None


def _bounded_column(rows: Sequence[Candidate], bound: Bound, words: set[str]) -> str | None:
    """The one column whose values are in the bound's unit; of several, the one that is named."""
    fitting = []
    for place, (name, _) in enumerate(rows[0].sentence.named_cells):
        values = [amount_of(row.sentence.named_cells[place][1]) for row in rows]
        there = [value for value in values if value is not None]
        # "More than 6 seats" is told by a column "Seats" of mere numbers.
        own = bool(bound.unit) and names_it(name, [bound.unit])
        fits = all(unit == bound.dimension or (own and not unit) for _, unit in there)
        if fits and 2 * len(there) > len(values):
            fitting.append(name)
    named = [name for name in fitting if names_it(name, sorted(words))]
    chosen = named or fitting
    return chosen[0] if len(chosen) == 1 else None


def _value(row: Candidate, column: str) -> tuple[float, str] | None:
    return amount_of(dict(row.sentence.named_cells)[column])
