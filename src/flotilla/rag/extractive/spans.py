"""On which side of a span or a day something lies: "within 48 hours" and "after 48 hours"."""

import re
from dataclasses import dataclass
from functools import lru_cache

from flotilla.rag.extractive.measures import amount_of
from flotilla.rag.text.days import dates
from flotilla.rag.text.numerals import numbers

_NUMBER = (
    r"\d+|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fourteen|fifteen|twenty|"
    r"thirty|sixty|ninety|ein(?:e[mnrs]?)?|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|zwölf|"
    r"vierzehn|dreißig"
)
_UNIT = (
    r"hours?|days?|weeks?|months?|years?|minutes?|stunden?|tag(?:en?)?|wochen?|monat(?:en?)?|"
    r"jahr(?:en?)?|minuten?"
)
_INSIDE = r"within|in less than|up to|before|innerhalb(?: von)?|binnen|vor|bis zu|in weniger als"
_OUTSIDE = (
    r"after|later than|more than|longer than|beyond|past|over|nach|später als|mehr als|länger als"
)
_SPAN = re.compile(
    rf"\b(?:(?P<inside>{_INSIDE})|(?P<outside>{_OUTSIDE}))\s+(?:the (?:first )?|den ersten )?"
    rf"(?P<number>{_NUMBER})[\s-]+(?:working |business )?(?P<unit>{_UNIT})\b",
    re.IGNORECASE,
)
_GERMAN_NUMBERS = {
    "zwei": 2, "drei": 3, "vier": 4, "fünf": 5, "sechs": 6, "sieben": 7, "acht": 8, "neun": 9,
    "zehn": 10, "zwölf": 12, "vierzehn": 14, "dreißig": 30,
}  # fmt: skip
_DAY = re.compile(
    r"\b(?:(?P<inside>before|until|till|by|vor dem|bis zum|bis)|(?P<outside>after|since|from|"
    r"nach dem|ab dem|ab))\s+(?P<day>\d{1,2}\.?\s+[^\W\d_]+)",
    re.IGNORECASE,
)
# "48 hours before the start" lies on neither side of those hours' end.
_OF_SOMETHING = re.compile(r"\s+(?:before|after|prior|ahead|old|of age|vor|nach)\b", re.IGNORECASE)
AFTERWARDS = re.compile(
    r"^\W*(?:after that|after this|afterwards|thereafter|later|from then on|danach|später|"
    r"anschließend|ab dann)\b",
    re.IGNORECASE,
)
"""How a sentence opens that tells what holds on the other side of the one before it."""


@dataclass(frozen=True, slots=True)
class _Side:
    """The side of a span in seconds, or of a day of the year."""

    inside: bool
    limit: float
    day: bool = False


def lies_beyond(question: str, sentence: str) -> bool:
    """Whether a question asks for one side of a span or of a day, and a sentence holds for the
    other: "after 48 hours" of one that says what holds within them."""
    asked, told = _sides(question), _sides(sentence)
    if len(asked) != 1 or len(told) != 1 or asked[0].day is not told[0].day:
        return False
    mine, theirs = asked[0], told[0]
    if mine.inside is theirs.inside:
        return False
    # After one day, two days may still not be over; within four days, they may be.
    return mine.limit <= theirs.limit if mine.inside else mine.limit >= theirs.limit


@lru_cache(maxsize=4096)
def _sides(text: str) -> tuple[_Side, ...]:
    found = []
    for match in _SPAN.finditer(text):
        if _OF_SOMETHING.match(text, match.end()):
            continue
        limit = _seconds(match["number"], match["unit"])
        if limit is not None:
            found.append(_Side(bool(match["inside"]), limit))
    for match in _DAY.finditer(text):
        days = dates(match["day"])
        if len(days) == 1:
            found.append(_Side(bool(match["inside"]), float(min(days)), day=True))
    return tuple(found)


def _seconds(number: str, unit: str) -> float | None:
    written = number.casefold()
    if written.startswith("ein"):
        value: float = 1
    elif written in _GERMAN_NUMBERS:
        value = _GERMAN_NUMBERS[written]
    else:
        value = float(min(numbers(written)))
    amount = amount_of(f"{value:g} {unit}")
    return amount[0] if amount is not None else None
