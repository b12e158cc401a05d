"""A number in a question against the spans of a list: 100 miles are within "76 to 150 miles"."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from flotilla.rag.extractive.candidates import Candidate
from flotilla.rag.extractive.measures import names_it
from flotilla.rag.text.sentences import Kind
from flotilla.rag.text.terms import stem, terms

WITHIN, BEYOND = 1.15, 0.7
"""Factors of the score of a line whose span holds the amount that is asked about, and of one whose
span does not."""

_N = r"[$€£¥]?\s?\d+(?:[.,]\d+)*"
_UNIT = r"\s?(?P<{}>[$€£¥%]|[^\W\d_]+)?"
_SPAN = re.compile(
    rf"(?P<low>{_N}){_UNIT.format('unit')}\s*(?:-|–|—|to|till|until|bis|and|und)\s*(?P<high>{_N})"
    rf"{_UNIT.format('unit2')}|"
    rf"(?:(?P<above>above|over|more than|from|at least|über|mehr als|ab|mindestens)|"
    rf"(?P<below>up to|under|below|less than|at most|bis(?: zu)?|unter|weniger als|höchstens))\s+"
    rf"(?P<limit>{_N}){_UNIT.format('unit3')}",
    re.IGNORECASE,
)
_ASKED = re.compile(rf"(?<![\w.,-])(?P<number>{_N}){_UNIT.format('unit')}", re.IGNORECASE)
_OTHER = re.compile(
    r"\b(?:above|over|more than|at least|up to|under|below|less than|at most|between|about|within|"
    r"beyond|further than|farther than|über|mehr als|bis|unter|weniger als|zwischen|innerhalb)"
    r"\s+[$€£¥]?\d",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Amount:
    value: float
    unit: str
    written: str


def _parsed(written: str, *units: str | None) -> _Amount:
    number = re.sub(r"[^\d.,]", "", written)
    value = float(re.sub(r"[.,](?=\d{3}(?!\d))", "", number).replace(",", ".") or 0)
    sign = re.search(r"[$€£¥]", written)
    unit = sign.group() if sign else next((unit for unit in units if unit), "")
    return _Amount(value, unit if unit in "$€£¥%" else stem(unit), number)


@lru_cache(maxsize=256)
def _asked(question: str) -> tuple[_Amount, ...]:
    """The amounts with a unit that a question is about; none where it asks for a bound."""
    if _OTHER.search(question):
        return ()
    amounts = (_parsed(match["number"], match["unit"]) for match in _ASKED.finditer(question))
    return tuple(amount for amount in amounts if amount.unit)


def span_fit(question: str, candidate: Candidate) -> float:
    """`WITHIN` for a row or an item one of whose spans holds the amount in the question, `BEYOND`
    where its spans of that unit do not, else 1."""
    held = [inside for _, inside in _judged(question, candidate)]
    if not held:
        return 1.0
    return WITHIN if any(held) else BEYOND


def held_terms(question: str, candidate: Candidate) -> list[str]:
    """The numbers of a question that one of a line's spans holds, as terms."""
    return [amount.written for amount, inside in _judged(question, candidate) if inside]


def _judged(question: str, candidate: Candidate) -> Iterator[tuple[_Amount, bool]]:
    """The amounts in a question, each with whether a span of its unit holds it."""
    asked = _asked(question)
    if not asked or candidate.sentence.kind not in (Kind.ROW, Kind.ITEM):
        return
    cells = candidate.sentence.named_cells or [("", candidate.sentence.shown)]
    for name, value in cells:
        # "from £9" is a price that begins there, and no span of what is asked about.
        match = _SPAN.match(value.strip())
        if match is None:
            continue
        for amount in asked:
            told = list(_bounds(match))
            units = {bound.unit for bound in told if bound.unit}
            own = amount.unit in units or (not units and _named(name, amount.unit))
            if own:
                yield amount, _holds(match, amount.value, told)


def _named(name: str, unit: str) -> bool:
    return bool(terms(name)) and names_it(name, [unit])


def _bounds(match: re.Match[str]) -> Iterable[_Amount]:
    units = match["unit2"], match["unit"], match["unit3"]
    for key in ("low", "high", "limit"):
        if match[key]:
            yield _parsed(match[key], *units)


def _holds(match: re.Match[str], value: float, told: list[_Amount]) -> bool:
    if match["low"]:
        return told[0].value <= value <= told[1].value
    return value >= told[0].value if match["above"] else value <= told[0].value
