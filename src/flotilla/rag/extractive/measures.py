"""What is measured in the columns of a table, and which of its values is the largest."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flotilla.rag.text.terms import stem, terms

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:[.,]\d{3})+")
_ISO_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_ASIDE = re.compile(r"\([^)]*\)")
_FREE = re.compile(r"(?:free|free of charge|kostenlos|kostenfrei|gratis|frei)", re.IGNORECASE)
_NO_VALUE = re.compile(r"\W*|n/?a|none|no|nein|keine?[rs]?", re.IGNORECASE)
_SIGN = re.compile(r"[$€£¥]|\b(?:EUR|USD|GBP|CHF)\b")
_UNIT = re.compile(r"[^\W\d_]+[²³]?|%|[\"″]")

MONEY = "money"

# Units of one dimension, with the size of each; a unit that is not here is compared with its like.
_DIMENSIONS: dict[str, dict[str, float]] = {
    "time": {
        "second": 1, "sekunde": 1, "sec": 1, "min": 60, "minute": 60, "hour": 3600, "stunde": 3600,
        "day": 86_400, "tag": 86_400, "week": 604_800, "woche": 604_800, "month": 2_629_800,
        "monat": 2_629_800, "year": 31_557_600, "jahr": 31_557_600,
    },
    "mass": {"g": 1, "kg": 1e3, "t": 1e6, "tonne": 1e6, "oz": 28.35, "lb": 453.6},
    "length": {"mm": 1, "cm": 10, "m": 1e3, "km": 1e6, "mile": 1_609_344, "inch": 25.4},
    "area": {"m²": 1, "sqm": 1, "ha": 1e4},
    "volume": {"ml": 1, "l": 1e3, "litre": 1e3, "liter": 1e3},
}  # fmt: skip
_OF_UNIT = {
    stem(unit): (dimension, size)
    for dimension, units in _DIMENSIONS.items()
    for unit, size in units.items()
}


@dataclass(frozen=True, slots=True)
class Measured:
    """A column's values by row, None where a row has none, in units of one `dimension`."""

    values: tuple[float | None, ...]
    dimension: str

    def extreme(self, *, largest: bool) -> frozenset[int]:
        """The rows with the largest or the smallest value."""
        there = [value for value in self.values if value is not None]
        best = max(there) if largest else min(there)
        return frozenset(i for i, value in enumerate(self.values) if value == best)


def measured(cells: Sequence[str], dimension: str | None = None) -> Measured | None:
    """A column's values; None where they cannot be compared with certainty.

    A 0 without a unit is of the `dimension`, where one is given.

    That is so where a cell has several numbers or a text, where units are of unlike kinds, and
    where more than half of the cells have nothing.
    """
    found = [
        (0.0, dimension) if dimension and cell.strip() == "0" else _value(cell) for cell in cells
    ]
    there = [value for value in found if value is not None]
    if len(there) < 2 or 2 * len(there) < len(found):
        return None
    dimensions = {dimension for _, dimension in there if dimension is not None}
    if len(dimensions) > 1 or not any(number for number, _ in there):
        return None
    dimension = next(iter(dimensions), None)
    # Free is a price; of what has no unit it may be anything.
    if any(known is None for _, known in there) and dimension != MONEY:
        return None
    if any(number != number for number, _ in there):
        return None
    return Measured(tuple(value[0] if value else None for value in found), dimension or "")


def measured_as(cell: str) -> str:
    """The dimension of a cell's number; empty where it has none."""
    value = _value(cell)
    return (value[1] if value is not None else None) or ""


def amount_of(cell: str) -> tuple[float, str] | None:
    """A cell's number in units of its dimension, and that; None where it has none that can be
    compared. What is free costs nothing."""
    value = _value(cell)
    if value is None or value[0] != value[0]:
        return None
    return value[0], MONEY if value[1] is None else value[1]


def _value(cell: str) -> tuple[float, str | None] | None:
    """A cell's number and dimension; None where it is empty, NaN where it cannot be compared."""
    text = _ASIDE.sub("", cell).strip()
    if _NO_VALUE.fullmatch(text):
        return None
    if _FREE.fullmatch(text):
        return 0.0, None
    date = _ISO_DATE.fullmatch(text)
    if date is not None:
        return float("".join(date.groups())), "date"
    numbers = _NUMBER.findall(text)
    if len(numbers) != 1:
        return float("nan"), ""
    number = _parsed(numbers[0])
    if _SIGN.search(text):
        return number, MONEY
    unit = _UNIT.search(text, text.index(numbers[0]) + len(numbers[0]))
    if unit is None:
        # A word before the number makes a name of it: "Room 3".
        named = bool(_UNIT.search(text))
        return (float("nan"), "") if named else (number, "")
    dimension, size = _OF_UNIT.get(stem(unit.group()), (stem(unit.group()), 1.0))
    return number * size, dimension


def _parsed(written: str) -> float:
    """A number as it is written in English or in German."""
    if _THOUSANDS.fullmatch(written):
        return float(re.sub(r"[.,]", "", written))
    whole, _, part = written.replace(",", ".").rpartition(".")
    return float(f"{whole.replace('.', '')}.{part}") if whole else float(part)


def names_it(header: str, words: Sequence[str]) -> bool:
    """Whether a column's header has one of some stemmed words; "Mileage" has "mile"."""
    return any(term.startswith(word) for term in terms(header) for word in words)
