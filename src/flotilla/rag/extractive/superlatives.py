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
from flotilla.rag.extractive.table_rows import (
    FEWEST_ROWS,
    Seen,
    left_of,
    narrowed,
    tables_of,
    unnamed,
)
from flotilla.rag.text.terms import stem, terms

MOST_TIES = 1 / 3
"""Share of rows with the same value up to which it tells some from the others."""

MOST_SHOWN = 4
"""Of rows with the same value, so many are given. Where these are all of them and no more than half
of the rows, they are told from the others, too."""

# "The fewest miles on the clock" are those that it has run.
_ON_THE_CLOCK = re.compile(r"\bon the (?:clock|odometer)\b|\bauf dem tacho\b", re.IGNORECASE)
# What is paid besides the price, and what a price is for.
_BESIDE_PRICE_WORDS = "joining admin administration booking deposit excess late delivery setup"
_BESIDE_PRICE = frozenset(map(stem, _BESIDE_PRICE_WORDS.split()))
_PER_TIME_WORDS = """
year month week day night hour annual monthly yearly weekly daily nightly hourly
jahr monat woche tag nacht stunde jährlich monatlich
"""
_PER_TIME = frozenset(map(stem, _PER_TIME_WORDS.split()))
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
_NO_MOST = (
    r"(?:inter|for|ar|un)?rest|interest|(?:re|in|con)?quest|guest|(?:mid)?west|invest|suggest|"
    r"harvest|honest|modest|(?:con|pro)?test|chest|nest|pest|vest"
)
_SAYS_MOST = re.compile(
    r"\b(?:most|least|only|first|last|max(?:imum)?|min(?:imum)?|limit(?:ed)?|sole|none|up to|"
    rf"(?!(?:{_NO_MOST})\b)\w+est|"
    r"(?:no|not) (?:more|less|fewer|longer|later|earlier) than|starts? (?:at|from)|from [$€£]?\d|"
    r"within|until|till|nur|spätestens|frühestens|höchstens|mindestens|maximal|minimal|bis zu|"
    r"\w{3,}ste[nmrs]?)\b",
    re.IGNORECASE,
)
# Of what has the most of something: "Which one lets me bring the most guests?"
_HAVING_WORDS = "allow bring come contain cover get give include let offer pay"
_HAVING = frozenset(map(stem, _HAVING_WORDS.split()))
_STOCK = "stock quantity number available bestand vorrat anzahl menge"
_FEE = re.compile(
    r"\b(?:fee|charge|surcharge|deposit|excess)s?\b|gebühr|zuschlag|kaution", re.IGNORECASE
)
_NO_FEE = re.compile(r"^\s*(?:none|no|nil|keine?[rs]?)\s*$", re.IGNORECASE)
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

    def note(self, seen: Seen) -> str:
        """What a reader should know: not always all rows of a table were looked at."""
        name = self.rows[0].passage.document_name
        told = {
            Seen.ALL: f"All {self.compared} such rows in {name} were compared",
            Seen.SOME: f"{self.compared} such rows in {name}, which may have more, were compared",
            Seen.FOUND: f"The {self.compared} rows that the search found in {name} were compared",
        }[seen]
        shown = len(self.rows)
        if self.equal > shown:
            return f"{told}; {self.equal} have the same value, of which {shown} are given."
        return f"{told}."


@dataclass(frozen=True, slots=True)
class Superlative:
    """What a question asks for the most or the least of.

    `columns` are the stemmed words for it with whether the largest value is meant, those that the
    question names itself first; `words` are the question's stems that are spent on this, and
    `nouns` those of what it measures itself, "the most miles".
    """

    columns: tuple[tuple[tuple[str, ...], bool], ...]
    words: frozenset[str]
    money: bool
    nouns: frozenset[str] = frozenset()


@lru_cache(maxsize=256)
def superlative(question: str) -> Superlative | None:
    """The superlative of a question; None where there is none."""
    text = _ON_THE_CLOCK.sub(" ", _NO_SUPERLATIVE.sub(" ", question))
    columns: list[tuple[tuple[str, ...], bool]] = []
    spent: set[str] = set()
    nouns: list[str] = []
    money = False
    of_noun = _OF_NOUN.search(text)
    # "The most expensive van" has no most of expense.
    told = [m for p, _, _ in _WORD if of_noun and (m := p.match(text, of_noun.start()))]
    if of_noun is not None and not any(" " in match.group() for match in told):
        nouns = terms(of_noun[2])
        columns.append((tuple(nouns), of_noun[1] is not None))
        spent.update(terms(of_noun.group().split()[0]), _HAVING)
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
    return Superlative(tuple(columns), frozenset(spent), money, frozenset(nouns))


def extreme_rows(asked: Superlative, question: str, found: Sequence[Candidate]) -> Found | None:
    """The rows with the value that is asked for; None where no column is certain to tell it.

    Where the question says more ("the cheapest electric car"), only rows that have it are
    compared, and a word that no row of a table has, nor its headings, is of another table. A table
    whose columns or headings name what is asked for comes before one with the word in some cell.
    """
    left = left_of(_ON_THE_CLOCK.sub(" ", question), asked.words)
    # "What does the cheapest one cost?" names the column in another word.
    columns = {word for words, _ in asked.columns for word in words}
    columns -= asked.nouns - frozenset(map(stem, _PRICE.split()))
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


def says_most(text: str) -> bool:
    """Whether a sentence may tell the most or the least of something: it has a superlative, or a
    word for a bound. A figure alone does not tell that there is none beyond it."""
    return bool(_SAYS_MOST.search(text))


def _few(number: int, rows: Sequence[Candidate]) -> bool:
    few = MOST_TIES if number > MOST_SHOWN else 1 / 2
    return number == 1 or number <= few * len(rows)


def _rank(rows: Sequence[Candidate]) -> int:
    return min((row.rank for row in rows), default=0)


def _winners(
    asked: Superlative, rows: Sequence[Candidate], left: Collection[str]
) -> list[Candidate] | None:
    """The rows with the most or the least of the column that tells."""
    if len(rows) < FEWEST_ROWS:
        return None
    columns = _measured(rows)
    label = rows[0].sentence.named_cells[0][0]
    for words, largest in asked.columns:
        fitting = [name for name in columns if names_it(name, words)]
        if not fitting and asked.money:
            fitting = [name for name, column in columns.items() if column.dimension == MONEY]
        # Of "Price per day" and "Price per week", that which the question names.
        named = [name for name in fitting if set(terms(name)) <= {*left, *words}]
        if asked.money and not named and not set(words) <= {*left, *asked.nouns}:
            money = [name for name, c in columns.items() if c.dimension == MONEY]
            of_rows = not {*left, *asked.nouns}.isdisjoint(terms(label))
            fitting = _prices(money, words, of_rows=of_rows)
        winners = {columns[name].extreme(largest=largest) for name in named or fitting}
        if len(winners) == 1 and _few(len(chosen := winners.pop()), rows):
            return [rows[i] for i in sorted(chosen)]
    return None


def _prices(columns: Sequence[str], words: Sequence[str], *, of_rows: bool) -> list[str]:
    """Of columns of money those that tell what something costs by itself: first those for a time or
    with a word for a price, which is not of something else that is paid once."""
    proper = [name for name in columns if not _BESIDE_PRICE.intersection(terms(name))]
    told = [n for n in proper if _PER_TIME.intersection(terms(n)) or names_it(n, words)]
    # The columns of a table may be things, each with its prices. Where what is asked for is told to
    # be its rows, all columns have to agree.
    return told or (proper if of_rows or len(proper) == 1 else [])


def _measured(rows: Sequence[Candidate]) -> dict[str, Measured]:
    """The columns whose values can be compared, by their names."""
    table = [row.sentence.named_cells for row in rows]
    found = {}
    for place, (name, _) in enumerate(table[0]):
        values = [cells[place][1] for cells in table]
        if _FEE.search(name):
            # "None" is no fee, but no price either.
            values = [_NO_FEE.sub("0", value) for value in values]
        column = measured(values, MONEY if _FEE.search(name) else None)
        if column is not None and name:
            found[name] = column
    return found
