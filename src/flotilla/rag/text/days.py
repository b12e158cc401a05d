"""The days that a text names: weekdays and days of the year, in English and German."""

import re
from functools import lru_cache

_ENGLISH = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_GERMAN = ("montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag")
_WEEKDAYS = {name: day for names in (_ENGLISH, _GERMAN) for day, name in enumerate(names)}
_SPANS = {
    "weekday": range(5),
    "werktags": range(5),
    "weekend": range(5, 7),
    "wochenende": range(5, 7),
}
_TO = r"\s*(?:to|until|till|through|bis|[-–—])\s*"
# "Freitagnachmittag" is a day and a part of it in one word.
_PART_OF_DAY = r"s?(?:vormittag|nachmittag|mittag|morgen|abend|nacht|früh)"
_WEEKDAY = re.compile(
    rf"\b({'|'.join([*_WEEKDAYS, 'sonnabend'])})(?:{_PART_OF_DAY})?s?\b({_TO}(?=\w))?",
    re.IGNORECASE,
)
_SPAN = re.compile(rf"\b({'|'.join(_SPANS)})s?\b", re.IGNORECASE)

_MONTHS = (
    ("january", "januar", "jänner"),
    ("february", "februar"),
    ("march", "märz"),
    ("april",),
    ("may", "mai"),
    ("june", "juni"),
    ("july", "juli"),
    ("august",),
    ("september",),
    ("october", "oktober"),
    ("november",),
    ("december", "dezember"),
)
_MONTH = {name: number for number, names in enumerate(_MONTHS, 1) for name in names}
_NAME = "|".join(sorted(_MONTH, key=len, reverse=True))
_DAY = r"(?<![\d.,:])(3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th|\.)?"
# The first day of "24 and 31 December" borrows its month from the second.
_DATE = re.compile(
    rf"\b{_DAY}(?:\s+(?:of\s+)?({_NAME})\b|(?=(?:{_TO}|\s*(?:and|und)\s+(?:am\s+)?){_DAY}\s+"
    rf"(?:of\s+)?({_NAME})\b))|\b({_NAME})\s+{_DAY}(?![\d:])",
    re.IGNORECASE,
)
_MONTH_NAME = re.compile(rf"\b({_NAME})\b", re.IGNORECASE)
_RANGE = re.compile(_TO, re.IGNORECASE)

PUBLIC_HOLIDAY = 0
"""Stands for all public holidays among the days of a year."""

_ANY_HOLIDAY = r"(?:public|bank|national|statutory)\s+holidays?|feiertag(?:e|en|s)?"
# Their days; those that move from year to year are public holidays alone.
_HOLIDAYS: tuple[tuple[str, frozenset[int]], ...] = tuple(
    (pattern, frozenset(days))
    for pattern, days in (
        (r"christmas\s+eve|heilig(?:er\s+|en\s+)?abend", {1224}),
        (r"christmas\s+day|(?:erste[rn]?|1\.)\s+weihnachts(?:feier)?tag", {1225, PUBLIC_HOLIDAY}),
        (r"boxing\s+day|(?:zweite[rn]?|2\.)\s+weihnachts(?:feier)?tag", {1226, PUBLIC_HOLIDAY}),
        (r"new\s+year['’]?s\s+eve|silvester", {1231}),
        (r"new\s+year(?:['’]?s\s+day)?|neujahr(?:stag)?", {101, PUBLIC_HOLIDAY}),
        (r"christmas|weihnachten", {1224, 1225, 1226}),
        (r"labou?r\s+day|tag\s+der\s+arbeit", {501, PUBLIC_HOLIDAY}),
        (r"good\s+friday|easter\s+monday|whit\s+monday", {PUBLIC_HOLIDAY}),
        (r"karfreitag|(?:oster|pfingst)montag|himmelfahrt", {PUBLIC_HOLIDAY}),
        (_ANY_HOLIDAY, {PUBLIC_HOLIDAY}),
    )
)
_HOLIDAY = re.compile(
    rf"\b(?:{'|'.join(f'({pattern})' for pattern, _ in _HOLIDAYS)})\b", re.IGNORECASE
)


@lru_cache(maxsize=1024)
def weekdays(text: str) -> frozenset[int]:
    """The weekdays that a text names, from 0 for Monday, those inside a range included.

    Those in the name of a holiday, as in "Easter Monday", are none.
    """
    text = _HOLIDAY.sub(" ", text)
    days: set[int] = set()
    for match in _SPAN.finditer(text):
        days.update(_SPANS[match[1].casefold()])
    begun: tuple[int, int] | None = None  # a range's first day, and where its last must stand
    for match in _WEEKDAY.finditer(text):
        day = _WEEKDAYS.get(match[1].casefold(), 5)
        if begun is not None and begun[1] == match.start():
            days.update((begun[0] + i) % 7 for i in range((day - begun[0]) % 7))
        days.add(day)
        begun = (day, match.end()) if match[2] else None
    return frozenset(days)


@lru_cache(maxsize=1024)
def dates(text: str) -> frozenset[int]:
    """The days of a year that a text names, as month times 100 plus day, those inside a range and
    those of holidays included; `PUBLIC_HOLIDAY` among them for any public one."""
    days: set[int] = set()
    for match in _HOLIDAY.finditer(text):
        days |= _HOLIDAYS[(match.lastindex or 1) - 1][1]
    begun: tuple[int, int] | None = None
    for match in _DATE.finditer(text):
        first, month, _, later, named, second = match.groups()
        day = 100 * _MONTH[(month or later or named).casefold()] + int(first or second)
        if begun is not None and _RANGE.fullmatch(text, begun[1], match.start()):
            days |= _between(begun[0], day)
        days.add(day)
        begun = day, match.end()
    return frozenset(days)


@lru_cache(maxsize=1024)
def months(text: str) -> frozenset[int]:
    """All days of the months that a text names, as `dates` gives them."""
    named = {_MONTH[match.casefold()] for match in _MONTH_NAME.findall(text)}
    return frozenset(100 * month + day for month in named for day in range(1, 32))


def _between(first: int, last: int) -> set[int]:
    """The days from one to another, over the turn of the year where the last comes first."""
    year = [100 * month + day for month in range(1, 13) for day in range(1, 32)]
    start, end = year.index(first), year.index(last)
    return set(year[start : end + 1] if start <= end else year[start:] + year[: end + 1])


def day_names(text: str) -> str:
    """What a text says of days of a year, and nothing else: "Christmas Eve"."""
    return " ".join(match.group() for found in (_HOLIDAY, _DATE) for match in found.finditer(text))


def without_days(text: str) -> str:
    """A text without what it says of days."""
    for pattern in (_HOLIDAY, _DATE, _WEEKDAY, _SPAN):
        text = pattern.sub(" ", text)
    return text
