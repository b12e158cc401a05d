"""How lists number their items: in digits, letters or Roman numerals."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.etree import _Element

# The `type` of an ordered list (HTML Living Standard, 4.4.5).
OF_HTML = {"a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l")),
    *((40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)
MOST_ROMAN = 3999
MOST_LETTERS = 30
"""Times that a letter is repeated: past z, Word counts aa, bb, cc."""


class ListNumbers:
    """Numbers the items of an HTML list as a browser does.

    Args:
        element: the `ol` or `ul`; the items of the latter have a dash.
    """

    def __init__(self, element: "_Element") -> None:
        self._format = OF_HTML.get(element.get("type", ""), "decimal")
        self._numbered = element.tag == "ol"
        self._step = 1 if element.get("reversed") is None else -1
        self._next = _integer(element.get("start"), len(element) if self._step < 0 else 1)

    def marker(self, item: "_Element") -> str:
        """What stands ahead of the next item."""
        if not self._numbered:
            return "-"
        number = _integer(item.get("value"), self._next)
        self._next = number + self._step
        return f"{number_text(number, self._format)}."


def _integer(value: str | None, default: int) -> int:
    found = re.fullmatch(r"\s*([+-]?[0-9]{1,9})\s*", value or "")
    return int(found[1]) if found else default


def number_text(number: int, number_format: str) -> str:
    """The number as it is written in a format of Word (ECMA-376, 17.18.59); digits for formats
    that are not known, and for numbers that a format has no writing for."""
    match number_format:
        case "lowerLetter" | "upperLetter" if 0 < number <= 26 * MOST_LETTERS:
            text = chr(ord("a") + (number - 1) % 26) * (1 + (number - 1) // 26)
        case "lowerRoman" | "upperRoman" if 0 < number <= MOST_ROMAN:
            text = _roman(number)
        case "decimalZero":
            text = f"{number:02}"
        case "ordinal":
            text = f"{number}{_ordinal(number)}"
        case _:
            text = str(number)
    return text.upper() if number_format.startswith("upper") else text


def _roman(number: int) -> str:
    text = ""
    for value, letters in ROMAN:
        while number >= value:
            text += letters
            number -= value
    return text


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
