"""The condition under which a sentence holds, and whether it is the one that is asked about.

"For vehicles above £20,000" says nothing of one for £15,000, nor "if we cancel" of what happens if
the customer does. To embeddings both are as near to the question as what does answer it.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from flotilla.rag.extractive.measures import amount_of
from flotilla.rag.extractive.parties import done_by_another, is_certain
from flotilla.rag.extractive.spans import lies_beyond
from flotilla.rag.text.antonyms import tells_opposite
from flotilla.rag.text.terms import stem, terms

EXCLUDED = 0.65
"""Factor of a sentence's score whose condition excludes what is asked about."""

RULE = 1.4
"""The same for the rule to which such a sentence is the exception: the sentence before it."""

_AMOUNT = r"(?P<sign>[$€£¥])?\s?(?P<number>\d+(?:[.,]\d+)*)\s?(?P<unit>€|%|[^\W\d_]+)?"
_ABOVE = (
    r"above|over|more than|exceeding|greater than|older than|longer than|über|mehr als|älter als"
)
_FROM = r"at least|from|no less than|not less than|ab|mindestens"
_BELOW = r"below|under|(?:less|fewer|younger|shorter) than|unter|weniger als|jünger als"
_UP_TO = r"up to|at most|no more than|not more than|not older than|bis zu|höchstens"
_BOUND = re.compile(
    rf"\b(?:(?P<up_to>{_UP_TO})|(?P<floor>{_FROM})|(?P<above>{_ABOVE})|(?P<below>{_BELOW}))\s+"
    rf"(?:(?:the age of|einem Preis von)\s+)?{_AMOUNT}",
    re.IGNORECASE,
)
# In a question also by a comparative: "cheaper than £5".
_ASKED_BOUND = re.compile(
    _BOUND.pattern.replace(
        _ABOVE, rf"{_ABOVE}|(?:heavier|bigger|larger|dearer|taller) than"
    ).replace(
        _BELOW, rf"{_BELOW}|(?:cheaper|lighter|smaller|lower) than|(?:billiger|leichter) als"
    ),
    re.IGNORECASE,
)
_ASKED = re.compile(rf"(?<![\w.,-]){_AMOUNT}", re.IGNORECASE)
# A condition that opens a sentence is one for all that it says.
_OPENS = re.compile(r"\W*(?:(?:for|on|in|with|at|if|orders?|bei|für|wenn)\b[^,;]*)?", re.IGNORECASE)
_YEARS = frozenset({"year", "years", "jahr", "jahre", "jahren", "yo"})


@dataclass(frozen=True, slots=True)
class _Amount:
    """A number in its unit: a sign of money, a stem, or nothing."""

    value: float
    unit: str


def _amount(match: re.Match[str]) -> _Amount:
    written = re.sub(r"[.,](?=\d{3}(?!\d))", "", match["number"])
    unit = match["sign"] or match["unit"] or ""
    if unit.casefold() in ("eur", "euro", "euros"):
        unit = "€"
    of_age = unit.casefold() in _YEARS
    return _Amount(
        float(written.replace(",", ".", 1)) if written.count(",") + written.count(".") < 2 else 0.0,
        "year" if of_age else unit if unit in "$€£¥%" else "".join(terms(unit)[:1]),
    )


@lru_cache(maxsize=256)
def _asked(question: str) -> tuple[_Amount, ...]:
    """The amounts that a question is about; none where it asks for a bound itself."""
    if _BOUND.search(question):
        return ()
    return tuple(_amount(match) for match in _ASKED.finditer(question))


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound that a question sets on an amount in units of its dimension; `number` and `unit` are
    as it is written, and `without` is the question without it."""

    limit: float
    dimension: str
    number: float
    unit: str
    without: str
    _match: re.Match[str]

    def meets(self, value: tuple[float, str] | None) -> bool:
        """Whether a value with its dimension is within the bound; without one it is in the bound's
        own unit."""
        if value is None:
            return False
        return _meets(self._match, value[0], self.limit if value[1] else self.number)


def bound_of(question: str) -> Bound | None:
    """The one bound that a question sets on an amount with a unit: "less than £5"."""
    found = list(_ASKED_BOUND.finditer(question))
    if len(found) != 1:
        return None
    match = found[0]
    amount = amount_of(f"{match['sign'] or ''}{match['number']} {match['unit'] or ''}".strip())
    if amount is None or not amount[1]:
        return None
    number, unit = _amount(match).value, stem(match["unit"] or "")
    return Bound(*amount, number, unit, _ASKED_BOUND.sub(" ", question), match)


def excludes(question: str, sentence: str) -> bool:
    """Whether a sentence holds under a condition that what is asked about does not meet: a bound
    that its amount is beyond, the other side of a span, what another party does, or the opposite
    of it."""
    return (
        _bound_excludes(question, sentence)
        or lies_beyond(question, sentence)
        or done_by_another(question, sentence)
        or tells_opposite(question, sentence)
    )


def is_other_matter(question: str, sentence: str) -> bool:
    """Whether a sentence answers the contrary of a question, so that none is better: it tells of
    the other side of a span, what another party does, or the opposite of what is asked."""
    return (
        lies_beyond(question, sentence)
        or (is_certain(question) and done_by_another(question, sentence))
        or tells_opposite(question, sentence)
    )


def _bound_excludes(question: str, sentence: str) -> bool:
    """Whether the one bound at a sentence's beginning excludes the amount in the question."""
    amounts = _asked(question)
    if not amounts:
        return False
    bounds = list(_BOUND.finditer(sentence))
    # Of several bounds another one may hold: "£5 up to £50, £9 above".
    if len(bounds) != 1 or not _OPENS.fullmatch(sentence[: bounds[0].start()]):
        return False
    bound, limit = bounds[0], _amount(bounds[0])
    alike = [amount.value for amount in amounts if limit.unit and amount.unit == limit.unit]
    return bool(alike) and not any(_meets(bound, value, limit.value) for value in alike)


def _meets(bound: re.Match[str], value: float, limit: float) -> bool:
    if bound["above"]:
        return value > limit
    if bound["floor"]:
        return value >= limit
    return value < limit if bound["below"] else value <= limit
