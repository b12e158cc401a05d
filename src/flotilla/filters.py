"""The grammar of metadata filters, free of any store.

A filter is a JSON object; a passage is found if all of its members hold:

    {"year": 2024}                          equal
    {"year": [2023, 2024]}                  equal to any of these
    {"year": {"gte": 2020, "lt": 2025}}     a range of numbers
    {"filed": {"gte": "2024-01-31"}}        a range of ISO 8601 dates
    {"state": {"not": "draft"}}             not equal, or not any of a list

A dot in a key leads into nested metadata: `author.name`. A date without a time stands for its
midnight, one without a zone for UTC. A passage without the key never meets an equality or a
range, and always meets a `not`.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flotilla.errors import InvalidRequest

Scalar = str | int | float | bool

MAX_CONDITIONS = 32
MAX_VALUES = 100
MAX_CHARS = 1000
MAX_KEY_CHARS = 128

RANGE_OPERATORS = ("gt", "gte", "lt", "lte")

# A key is a path of parts; what has a meaning of its own in such a path stays out.
_KEY = re.compile(r"[^\s.\"\\\[\]][^.\"\\\[\]\x00-\x1f]*(\.[^\s.\"\\\[\]][^.\"\\\[\]\x00-\x1f]*)*")


@dataclass(frozen=True)
class AnyOf:
    """The value at `key` equals one of `values`."""

    key: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True)
class NoneOf:
    """The value at `key` equals none of `values`, or there is no value."""

    key: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True)
class NumberRange:
    """The value at `key` is a number within the bounds; None is no bound."""

    key: str
    gt: float | None = None
    gte: float | None = None
    lt: float | None = None
    lte: float | None = None


@dataclass(frozen=True)
class DateRange:
    """The value at `key` is a date within the bounds, which have a time zone; None is no bound."""

    key: str
    gt: datetime | None = None
    gte: datetime | None = None
    lt: datetime | None = None
    lte: datetime | None = None


Condition = AnyOf | NoneOf | NumberRange | DateRange


def parse_filter(raw: Mapping[str, Any]) -> tuple[Condition, ...]:
    """The conditions of a filter, all of which have to hold.

    Raises:
        InvalidRequest: the filter is not of this grammar; its field is `filter.<key>`.
    """
    if len(raw) > MAX_CONDITIONS:
        raise InvalidRequest(
            f"A filter takes at most {MAX_CONDITIONS} keys; this one has {len(raw)}.",
            field="filter",
        )
    conditions: list[Condition] = []
    for key, value in raw.items():
        _check_key(key)
        if isinstance(value, Mapping):
            conditions.extend(_operators(key, value))
        else:
            conditions.append(AnyOf(key, _values(key, value)))
    return tuple(conditions)


def _refuse(key: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, field=f"filter.{key}")


def _check_key(key: Any) -> None:
    if not isinstance(key, str) or len(key) > MAX_KEY_CHARS or not _KEY.fullmatch(key):
        raise _refuse(
            str(key)[:MAX_KEY_CHARS],
            "A filter's key is the name of a metadata field, with dots between nested names.",
        )


def _values(key: str, value: Any) -> tuple[Scalar, ...]:
    values = value if isinstance(value, list | tuple) else [value]
    if not values:
        raise _refuse(key, "The list of values is empty; give at least one value.")
    if len(values) > MAX_VALUES:
        raise _refuse(key, f"A list takes at most {MAX_VALUES} values; this one has {len(values)}.")
    return tuple(_scalar(key, item) for item in values)


def _scalar(key: str, value: Any) -> Scalar:
    if isinstance(value, str):
        if len(value) > MAX_CHARS:
            raise _refuse(key, f"A value may have at most {MAX_CHARS} characters.")
        return value
    if isinstance(value, bool | int | float) and math.isfinite(value):
        return value
    raise _refuse(
        key,
        "A value is a string, a finite number or true/false, a list of these, or an object "
        "with gt, gte, lt, lte or not.",
    )


def _operators(key: str, operators: Mapping[Any, Any]) -> list[Condition]:
    unknown = [name for name in operators if name not in (*RANGE_OPERATORS, "not")]
    if unknown or not operators:
        found = f"`{unknown[0]}` is not an operator" if unknown else "There is no operator"
        raise _refuse(key, f"{found}; use gt, gte, lt, lte or not.")
    conditions: list[Condition] = []
    bounds = {name: operators[name] for name in RANGE_OPERATORS if name in operators}
    if bounds:
        conditions.append(_range(key, bounds))
    if "not" in operators:
        conditions.append(NoneOf(key, _values(key, operators["not"])))
    return conditions


def _range(key: str, bounds: Mapping[str, Any]) -> NumberRange | DateRange:
    if all(isinstance(bound, str) for bound in bounds.values()):
        return DateRange(key, **{name: _date(key, bound) for name, bound in bounds.items()})
    numbers: dict[str, float] = {}
    for name, bound in bounds.items():
        if isinstance(bound, bool) or not isinstance(bound, int | float):
            raise _refuse(key, "The bounds of a range are all numbers or all ISO 8601 dates.")
        try:
            numbers[name] = float(bound)
        except OverflowError:
            numbers[name] = math.inf
        if not math.isfinite(numbers[name]):
            raise _refuse(key, "The bounds of a range have to be finite.")
    return NumberRange(key, **numbers)


def _date(key: str, value: str) -> datetime:
    try:
        date = datetime.fromisoformat(value)
    except ValueError:
        raise _refuse(
            key, "A date is written as in ISO 8601: 2024-01-31 or 2024-01-31T12:00:00Z."
        ) from None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
