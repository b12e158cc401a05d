"""The condition under which a sentence holds, and whether it is the one that is asked about.

"For vehicles above £20,000" says nothing of one for £15,000, nor "if we cancel" of what happens if
the customer does. To embeddings both are as near to the question as what does answer it.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from flotilla.rag.extractive.measures import amount_of
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
    that its amount is beyond, or what another party does."""
    return _bound_excludes(question, sentence) or _party_excludes(question, sentence)


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


_IF = r"\b(?:if|when|in case|wenn|falls)\s+"
_REST = r"(?P<deed>[^,;.?!]*)"
_CUSTOMER = r"you|sie|the (?:customer|buyer|tenant|guest|client)"
_ASKED_IF = re.compile(rf"{_IF}(?:(?P<mine>i|we|ich|wir)|you|sie)\s+{_REST}", re.IGNORECASE)
_SAID_IF = re.compile(rf"{_IF}(?:(?P<ours>we|wir)|{_CUSTOMER})\s+{_REST}", re.IGNORECASE)


def _party_excludes(question: str, sentence: str) -> bool:
    """Whether a sentence tells what follows if the one party does what the question says of the
    other: who asks is "you" in the documents, and "you" in his question is "we"."""
    asked, said = _ASKED_IF.search(question), _SAID_IF.search(sentence)
    if asked is None or said is None:
        return False
    same = set(terms(asked["deed"])) & set(terms(said["deed"]))
    return bool(same) and bool(asked["mine"]) == bool(said["ours"])
