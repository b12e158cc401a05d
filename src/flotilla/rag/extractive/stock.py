"""Which rows of a table are out of stock, and which are in stock.

A column says it by a number or by a word, to which no embedding of the question is near.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from flotilla.rag.extractive.candidates import Candidate
from flotilla.rag.extractive.measures import names_it
from flotilla.rag.extractive.superlatives import MOST_SHOWN
from flotilla.rag.extractive.table_rows import Seen, left_of, narrowed, tables_of
from flotilla.rag.text.terms import content_words, stem

_WHICH = re.compile(
    r"^\W*(?:which|what|are (?:any|there any)|do you have any|welche[mnrs]?|was|sind)\b",
    re.IGNORECASE,
)
_OUT = re.compile(
    r"\b(?:out of stock|sold out|(?:not|no longer|n['’]t) (?:in stock|available)|unavailable|"
    r"ausverkauft|vergriffen|nicht (?:mehr )?(?:vorrätig|verfügbar|lieferbar|auf lager))\b",
    re.IGNORECASE,
)
_IN = re.compile(r"\b(?:in stock|vorrätig|lieferbar|auf lager)\b", re.IGNORECASE)
_COLUMNS = "stock availability available bestand vorrat vorrätig lager"
_NAMES = tuple(stem(word) for word in _COLUMNS.split())

_NONE = re.compile(
    r"0|no|none|nil|nein|keine?[rs]?|out(?: of stock)?|sold out|not available|unavailable|"
    r"ausverkauft|vergriffen|nicht (?:vorrätig|verfügbar|lieferbar)",
    re.IGNORECASE,
)
_SOME = re.compile(
    r"[1-9][\d.,]*\+?|yes|ja|in stock|available|vorrätig|verfügbar|lieferbar", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Stocked:
    """The rows that are in stock or out of it, of how many `equal` ones, and of how many they were
    told apart (`compared`); no rows where none of those is."""

    rows: tuple[Candidate, ...]
    equal: int
    compared: int

    def note(self, seen: Seen) -> str:
        """What a reader should know: not always all rows of a table were looked at."""
        told = {
            Seen.ALL: f"The stock of all {self.compared} such rows was looked at",
            Seen.SOME: f"The stock of {self.compared} rows, but not of all, was looked at",
            Seen.FOUND: f"The stock of {self.compared} rows that the search found was looked at",
        }[seen]
        shown = len(self.rows)
        return (
            f"{told}; of {self.equal} such rows {shown} are given."
            if self.equal > shown
            else f"{told}."
        )


@lru_cache(maxsize=256)
def asked_stock(question: str) -> bool | None:
    """Whether a question asks which of several things are in stock, True, or out of it, False;
    None where it asks for neither."""
    if not _WHICH.search(question):
        return None
    if _OUT.search(question):
        return False
    return True if _IN.search(question) else None


def stocked_rows(question: str, found: Sequence[Candidate]) -> Stocked | None:
    """The rows of what is asked for that are in stock, or out of it; None where a question does
    not ask for them, or no table has a column that tells."""
    there = asked_stock(question)
    if there is None:
        return None
    asked = left_of(_IN.sub(" ", _OUT.sub(" ", question)), ())
    asked -= {stem(word) for word in content_words("currently moment now right today derzeit")}
    for rows in tables_of(found):
        kept, missing = narrowed(rows, asked)
        stock = [_in_stock(row) for row in kept]
        if missing or None in stock or not stock:
            continue
        chosen = [row for row, some in zip(kept, stock, strict=True) if some is there]
        return Stocked(tuple(chosen[:MOST_SHOWN]), len(chosen), len(kept))
    return None


def _in_stock(row: Candidate) -> bool | None:
    """Whether a row's column of stock has some; None where it has no such column or value."""
    for name, value in row.sentence.named_cells:
        if not names_it(name, _NAMES):
            continue
        if _NONE.fullmatch(value):
            return False
        if _SOME.fullmatch(value):
            return True
    return None
