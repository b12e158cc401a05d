"""The row that a superlative asks for: the cheapest, the newest, the one with the most miles.

To embeddings every row of a price list is as near to "the cheapest car" as any other, so that the
column is looked up which the superlative measures, and its values are compared.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from flotilla.rag.extractive.candidates import Candidate
from flotilla.rag.extractive.measures import MONEY, Measured, measured, names_it
from flotilla.rag.refusals import function_words
from flotilla.rag.text.sentences import Kind
from flotilla.rag.text.terms import content_words, stem, terms

FEWEST_ROWS = 2
"""Rows from which one can be the cheapest."""

LONG = 4
"""Letters from which the beginning of a word tells it."""

MOST_TIES = 1 / 3
"""Share of rows with the same value up to which it tells some from the others."""

MOST_SHOWN = 4
"""Of rows with the same value, so many are given."""

_PRICE = "price cost fee charge rate rent fare preis kosten gebühr miete"
_DATE = "year date built founded opened registered baujahr jahr datum erbaut gegründet"
_AGE = "age alter"
_SIZE = "size area floor capacity volume größe fläche inhalt"
_LENGTH = "length duration period term länge dauer frist"
_WEIGHT = "weight mass gewicht masse"

# What a word asks for: its pattern, the columns that tell it, whether the largest value is meant.
# Where a second row has the same word, its columns are tried next.
_WORDS: tuple[tuple[str, str, bool], ...] = (
    (r"cheapest|least expensive|lowest[- ]priced|(?:günstigste|billigste|preiswerteste)\w*",
     _PRICE, False),
    (r"dearest|most expensive|priciest|costliest|teuerste\w*", _PRICE, True),
    (r"newest|latest|youngest|most recent|most modern|(?:neue|jüng|modern)ste\w*", _DATE, True),
    (r"newest|youngest|(?:neue|jüng)ste\w*", _AGE, False),
    (r"oldest|earliest|(?:älte|frühe)ste\w*", _DATE, False),
    (r"oldest|älteste\w*", _AGE, True),
    (r"largest|biggest|roomiest|größte\w*", _SIZE, True),
    (r"smallest|kleinste\w*", _SIZE, False),
    (r"longest|längste\w*", _LENGTH, True),
    (r"shortest|kürzeste\w*", _LENGTH, False),
    (r"heaviest|schwerste\w*", _WEIGHT, True),
    (r"lightest|leichteste\w*", _WEIGHT, False),
    (r"tallest|highest|höchste\w*", "height altitude höhe", True),
    (r"lowest|niedrigste\w*", "height altitude höhe", False),
    (r"widest|breiteste\w*", "width breite", True),
    (r"narrowest|schmalste\w*", "width breite", False),
    (r"deepest|tiefste\w*", "depth tiefe", True),
    (r"fastest|quickest|schnellste\w*", "speed geschwindigkeit", True),
    (r"slowest|langsamste\w*", "speed geschwindigkeit", False),
    (r"nearest|closest|nächste\w*", "distance entfernung", False),
    (r"farthest|furthest", "distance entfernung", True),
)  # fmt: skip
_WORD = tuple(
    (re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), [stem(w) for w in columns.split()], largest)
    for pattern, columns, largest in _WORDS
)
# Those that measure whatever they stand before: "the most miles", "the lowest deposit".
_OF_NOUN = re.compile(
    r"\b(?:(most|highest|largest|biggest|greatest|longest|meisten|höchste[nmrs]?|größte[nmrs]?|"
    r"längste[nmrs]?)|(?:fewest|least|lowest|smallest|shortest|wenigsten|niedrigste[nmrs]?|"
    r"kleinste[nmrs]?|kürzeste[nmrs]?))\s+((?:[^\W\d_]+[\s?.,!]*){1,3})",
    re.IGNORECASE,
)
# "Which do you have the most of?" measures how many there are.
_OF_STOCK = re.compile(
    r"\b(?:have|has|got|keep|stock|haben|hat|habt)\b.*\b(?:the\s+(?:(most)|fewest|least)|"
    r"am\s+(?:(meisten)|wenigsten))(?:\s+of)?(?:\s+in stock)?\W*$",
    re.IGNORECASE,
)
_STOCK = "stock quantity number available bestand vorrat anzahl menge"
# How a question is put that asks for one; not "at least" or "is it at most".
_NO_SUPERLATIVE = re.compile(
    r"\b(?:at (?:least|most|the latest)|most of(?=\s+\w))\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Found:
    """The rows that a superlative asks for, of how many `equal` ones, and with how many they were
    `compared`."""

    rows: tuple[Candidate, ...]
    equal: int
    compared: int

    @property
    def note(self) -> str:
        """What a reader should know: a search does not always find all rows of a table."""
        name = self.rows[0].passage.document_name
        told = f"The {self.compared} rows that the search found in {name} were compared"
        shown = len(self.rows)
        if self.equal > shown:
            return f"{told}; {self.equal} have the same value, of which {shown} are given."
        return f"{told}."


@dataclass(frozen=True, slots=True)
class Superlative:
    """What a question asks for the most or the least of.

    `columns` are the stemmed words for it with whether the largest value is meant, those that the
    question names itself first; `words` are the question's stems that are spent on this.
    """

    columns: tuple[tuple[tuple[str, ...], bool], ...]
    words: frozenset[str]
    money: bool


@lru_cache(maxsize=256)
def superlative(question: str) -> Superlative | None:
    """The superlative of a question; None where there is none."""
    text = _NO_SUPERLATIVE.sub(" ", question)
    columns: list[tuple[tuple[str, ...], bool]] = []
    spent: set[str] = set()
    money = False
    of_noun = _OF_NOUN.search(text)
    if of_noun is not None:
        nouns = terms(of_noun[2])
        columns.append((tuple(nouns), of_noun[1] is not None))
        spent.update(terms(of_noun.group().split()[0]))
    of_stock = _OF_STOCK.search(text)
    if of_stock is not None:
        stock = tuple(stem(word) for word in _STOCK.split())
        columns.append((stock, bool(of_stock[1] or of_stock[2])))
        spent.update((*terms("meisten wenigsten fewest least"), stem("stock")))
    for pattern, words, largest in _WORD:
        match = pattern.search(text)
        if match is not None:
            columns.append((tuple(words), largest))
            spent.update(terms(match.group()))
            money = money or words[0] == stem("price")
    if not any(words for words, _ in columns):
        return None
    return Superlative(tuple(columns), frozenset(spent), money)


def extreme_rows(asked: Superlative, question: str, found: Sequence[Candidate]) -> Found | None:
    """The rows with the value that is asked for; None where no column is certain to tell it.

    Where the question says more ("the cheapest electric car"), only rows that have it are
    compared, and a word that no row of a table has, nor its headings, is of another table. A table
    whose columns or headings name what is asked for comes before one with the word in some cell.
    """
    left = left_of(question, asked.words)
    # "What does the cheapest one cost?" names the column in another word.
    columns = {word for words, _ in asked.columns for word in words}
    best: list[Candidate] = []
    nearest: tuple[int, int] | None = None
    for rows in tables_of(found):
        kept, missing = narrowed(rows, left)
        near = (len(unnamed(rows[0], left)), _rank(kept))
        nearer = nearest is None or near < nearest
        if nearer and missing <= columns and _winners(asked, kept, left):
            best, nearest = kept, near
    winners = _winners(asked, best, left)
    if winners is None:
        return None
    return Found(tuple(winners[:MOST_SHOWN]), len(winners), len(best))


def left_of(question: str, spent: Collection[str]) -> set[str]:
    """The terms of what a question names but for those that are `spent`: on a superlative."""
    light = _LIGHT | function_words(question)
    words = [word for word in content_words(question) if word not in light]
    numbers = {term for term in terms(question) if term[0].isdigit()}
    return {term for word in words if (term := stem(word)) not in spent} | numbers


def _few(number: int, rows: Sequence[Candidate]) -> bool:
    return number == 1 or number <= MOST_TIES * len(rows)


def _rank(rows: Sequence[Candidate]) -> int:
    return min((row.rank for row in rows), default=0)


# What a question is put with in English; it names nothing that a row could have.
_LIGHT_WORDS = """
available currently done find have item kind list name offer one product sell show sort stock tell
thing things
"""
_LIGHT = frozenset(_LIGHT_WORDS.split())


def tables_of(found: Sequence[Candidate]) -> list[list[Candidate]]:
    """The rows of each table whose cells are known, each once and in reading order."""
    tables: dict[tuple[str, str], dict[int, Candidate]] = {}
    for candidate in found:
        if candidate.sentence.kind is Kind.ROW and candidate.sentence.named_cells:
            key = candidate.passage.version_id, candidate.sentence.header
            tables.setdefault(key, {}).setdefault(candidate.start, candidate)
    return [
        [rows[start] for start in sorted(rows)]
        for rows in tables.values()
        if len(rows) >= FEWEST_ROWS
    ]


def narrowed(rows: Sequence[Candidate], asked: Collection[str]) -> tuple[list[Candidate], set[str]]:
    """The rows that have what is asked where some have it, and the terms that none has."""
    missing: set[str] = set()
    kept = list(rows)
    for term in sorted(asked):
        having = [c for c in rows if has_term(_about(c), term)]
        if not having:
            missing.add(term)
        else:
            kept = [c for c in kept if c in having]
    return kept, missing


def unnamed(row: Candidate, asked: Collection[str]) -> set[str]:
    """The terms that neither a table's columns nor its headings nor its document's name have."""
    columns = terms(" ".join(name for name, _ in row.sentence.named_cells))
    named = {*columns, *_above(row)}
    return {term for term in asked if not has_term(named, term)}


def _above(row: Candidate) -> list[str]:
    """The terms of a row's headings and of its document's name."""
    passage = row.passage
    return terms(" ".join((row.sentence.heading, *passage.heading_path, passage.document_name)))


def _about(candidate: Candidate) -> set[str]:
    """The terms of a row, but for its units, of its headings and of its document's name."""
    return {*candidate.terms, *_above(candidate)}


def has_term(about: Collection[str], term: str) -> bool:
    """Whether a term is among those; "mileage" has "mile"."""
    return term in about or (len(term) >= LONG and any(t.startswith(term) for t in about))


def _winners(
    asked: Superlative, rows: Sequence[Candidate], left: Collection[str]
) -> list[Candidate] | None:
    """The rows with the most or the least of the column that tells."""
    if len(rows) < FEWEST_ROWS:
        return None
    columns = _measured(rows)
    for words, largest in asked.columns:
        fitting = [name for name in columns if names_it(name, words)]
        if not fitting and asked.money:
            fitting = [name for name, column in columns.items() if column.dimension == MONEY]
        # Of "Price per day" and "Price per week", that which the question names.
        named = [name for name in fitting if set(terms(name)) <= {*left, *words}]
        winners = {columns[name].extreme(largest=largest) for name in named or fitting}
        if len(winners) == 1 and _few(len(chosen := winners.pop()), rows):
            return [rows[i] for i in sorted(chosen)]
    return None


def _measured(rows: Sequence[Candidate]) -> dict[str, Measured]:
    """The columns whose values can be compared, by their names."""
    table = [row.sentence.named_cells for row in rows]
    found = {}
    for place, (name, _) in enumerate(table[0]):
        column = measured([cells[place][1] for cells in table])
        if column is not None and name:
            found[name] = column
    return found
