"""Numbers in a text, whether in figures or in words."""

import re

_ONES = {
    "zero": 0,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
}
_TEENS = {
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "thirteen": 13,
    "fourteen": 14,
    "fifteen": 15,
    "sixteen": 16,
    "seventeen": 17,
    "eighteen": 18,
    "nineteen": 19,
}
_TENS = {
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
}
_VALUE = _ONES | _TEENS | _TENS

_NUMBER = re.compile(
    rf"\d+(?:[.,:]\d+)*|\b(?:{'|'.join(_TENS)})(?:-(?:{'|'.join(_ONES)}))?\b|"
    rf"\b(?:{'|'.join(_ONES | _TEENS)})\b",
    re.IGNORECASE,
)
_THOUSANDS = re.compile(r"[.,](?=\d{3}(?!\d))")
_FULL_HOUR = re.compile(r"^(\d{1,2}):00$")
_YEAR = re.compile(r"(?:19|20)\d\d")


def numbers(text: str) -> frozenset[str]:
    """The numbers of a text in figures, without separators of thousands: "thirty-six" is "36".

    Ordinals, numbers beyond 99 in words, and those of other languages in words are not found.
    A full hour is its number, "8:00" is "8"; any other time is one number as a whole.
    """
    found = set()
    for match in _NUMBER.finditer(text):
        written = match.group().casefold()
        if written[0].isdigit():
            found.add(_FULL_HOUR.sub(r"\1", _THOUSANDS.sub("", written)))
        else:
            found.add(str(sum(_VALUE[word] for word in written.split("-"))))
    return frozenset(found)


def years(found: frozenset[str]) -> frozenset[str]:
    """Those of the numbers that may be years of this century or the last."""
    return frozenset(number for number in found if _YEAR.fullmatch(number))
