"""The grammar of metadata filters, free of any store.

A filter is a JSON object; a passage is found if all of its members hold:

    {"year": 2024}                          equal
    {"year": [2023, 2024]}                  equal to any of these
    {"year": {"gte": 2020, "lt": 2025}}     a range of numbers
    {"filed": {"gte": "2024-01-31"}}        a range of ISO 8601 dates
    {"state": {"not": "draft"}}             not equal, or not any of a list
    {"ref": {"prefix": "EU-2024-"}}         begins with this, or any of a list; letter case counts
    {"signed": {"exists": true}}            there is a value, or with false there is none
    {"or": [{"year": 2024}, {"kind": "law"}]}   one of these filters holds
    {"and": [{…}, {…}]}                     all of these filters hold
    {"not": {"kind": "draft", "year": 2020}}    this filter does not hold, nor any of a list

A dot in a key leads into nested metadata: `author.name`. A date without a time stands for its
midnight, one without a zone for UTC. A passage without the key never meets an equality, a range or
a prefix, and always meets a `not`.

What is called `and`, `or` or `not` in the metadata can be filtered by as well, since its value is
no filter: `{"or": "x"}`, `{"not": {"gt": 3}}`.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flotilla.errors import InvalidRequest

Scalar = str | int | float | bool

MAX_CONDITIONS = 32
"""Keys of a filter, those of its filters within it counted."""
MAX_DEPTH = 5
"""Filters within one another."""
MAX_VALUES = 100
MAX_CHARS = 1000
MAX_KEY_CHARS = 128

RANGE_OPERATORS = ("gt", "gte", "lt", "lte")
OPERATORS = (*RANGE_OPERATORS, "not", "prefix", "exists")
OPERATORS_IN_WORDS = f"{', '.join(OPERATORS[:-1])} or {OPERATORS[-1]}"

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


@dataclass(frozen=True)
class Prefix:
    """The value at `key` is a string that begins with one of `values`."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Exists:
    """There is a value at `key`, or none where that is what is wanted. An empty list is none."""

    key: str
    wanted: bool


@dataclass(frozen=True)
class AnyHolds:
    """One of the filters holds, each of them conditions that hold together."""

    filters: tuple[tuple["Condition", ...], ...]


@dataclass(frozen=True)
class NoneHolds:
    """None of the filters holds."""

    filters: tuple[tuple["Condition", ...], ...]


Condition = AnyOf | NoneOf | NumberRange | DateRange | Prefix | Exists | AnyHolds | NoneHolds


def parse_filter(raw: Mapping[str, Any]) -> tuple[Condition, ...]:
    """The conditions of a filter, all of which have to hold.

    Raises:
        InvalidRequest: the filter is not of this grammar; its field says where, such as
            `filter.year` or `filter.or[1].year`.
    """
    return _Parser().conditions(raw, "filter")


@dataclass
class _Parser:
    """Parses one filter. `path` is where a part of it stands."""

    keys: int = field(default=0)

    def conditions(
        self, raw: Mapping[str, Any], path: str, depth: int = 1
    ) -> tuple[Condition, ...]:
        """The conditions of a filter that stands at `path`, so many filters deep."""
        if depth > MAX_DEPTH:
            raise InvalidRequest(
                f"Filters stand at most {MAX_DEPTH} deep within one another.", field=path
            )
        found: list[Condition] = []
        for key, value in raw.items():
            at = f"{path}.{str(key)[:MAX_KEY_CHARS]}"
            inner = _filters_in(key, value, at)
            if inner is not None:
                found.extend(self._of_filters(key, inner, at, depth))
                continue
            self.keys += 1
            if self.keys > MAX_CONDITIONS:
                raise InvalidRequest(
                    f"A filter takes at most {MAX_CONDITIONS} keys, those of filters within it "
                    "counted; this one has more.",
                    field="filter",
                )
            _check_key(key, at)
            if isinstance(value, Mapping):
                found.extend(_operators(key, value, at))
            else:
                found.append(AnyOf(key, _values(value, at)))
        return tuple(found)

    def _of_filters(
        self, key: str, inner: list[tuple[str, Any]], path: str, depth: int
    ) -> list[Condition]:
        """What `and`, `or` or `not` says of the filters within it."""
        parsed = []
        for place, each in inner:
            at = f"{path}{place}"
            if not isinstance(each, Mapping) or not each:
                raise InvalidRequest(
                    f"What stands in `{key}` are filters, each an object with at least one key.",
                    field=at,
                )
            parsed.append(self.conditions(each, at, depth + 1))
        if key == "and":
            return [condition for conditions in parsed for condition in conditions]
        return [AnyHolds(tuple(parsed)) if key == "or" else NoneHolds(tuple(parsed))]


def _filters_in(key: Any, value: Any, path: str) -> list[tuple[str, Any]] | None:
    """The filters that a member holds, each with its place; None where it is about metadata."""
    if key not in ("and", "or", "not"):
        return None
    if isinstance(value, list | tuple) and any(isinstance(each, Mapping) for each in value):
        return [(f"[{number}]", each) for number, each in enumerate(value)]
    if not isinstance(value, Mapping) or _is_of_operators(value):
        return None
    if key != "not":
        raise InvalidRequest(f"What stands in `{key}` is a list of filters.", field=path)
    return [("", value)]


def _is_of_operators(value: Mapping[Any, Any]) -> bool:
    """Whether an object says something of a value, and is no filter."""
    known = (*RANGE_OPERATORS, "not")
    return all(name in known and not _holds_objects(each) for name, each in value.items())


def _holds_objects(value: Any) -> bool:
    within = value if isinstance(value, list | tuple) else [value]
    return any(isinstance(each, Mapping) for each in within)


def _check_key(key: Any, path: str) -> None:
    if not isinstance(key, str) or len(key) > MAX_KEY_CHARS or not _KEY.fullmatch(key):
        raise InvalidRequest(
            "A filter's key is the name of a metadata field, with dots between nested names.",
            field=path,
        )


def _values(value: Any, path: str) -> tuple[Scalar, ...]:
    values = value if isinstance(value, list | tuple) else [value]
    if not values:
        raise InvalidRequest("The list of values is empty; give at least one value.", field=path)
    if len(values) > MAX_VALUES:
        raise InvalidRequest(
            f"A list takes at most {MAX_VALUES} values; this one has {len(values)}.", field=path
        )
    return tuple(_scalar(item, path) for item in values)


def _scalar(value: Any, path: str) -> Scalar:
    if isinstance(value, str):
        if len(value) > MAX_CHARS:
            raise InvalidRequest(f"A value may have at most {MAX_CHARS} characters.", field=path)
        return value
    if isinstance(value, bool | int | float) and _is_finite(value):
        return value
    raise InvalidRequest(
        "A value is a string, a finite number or true/false, a list of these, or an object "
        f"with {OPERATORS_IN_WORDS}.",
        field=path,
    )


def _is_finite(number: float) -> bool:
    """Whether it is a number that a float can be near."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _operators(key: str, operators: Mapping[Any, Any], path: str) -> list[Condition]:
    unknown = [name for name in operators if name not in OPERATORS]
    if unknown or not operators:
        found = f"`{unknown[0]}` is not an operator" if unknown else "There is no operator"
        raise InvalidRequest(f"{found}; use {OPERATORS_IN_WORDS}.", field=path)
    conditions: list[Condition] = []
    bounds = {name: operators[name] for name in RANGE_OPERATORS if name in operators}
    if bounds:
        conditions.append(_range(key, bounds, path))
    if "not" in operators:
        conditions.append(NoneOf(key, _values(operators["not"], path)))
    if "prefix" in operators:
        conditions.append(Prefix(key, _prefixes(operators["prefix"], path)))
    if "exists" in operators:
        if not isinstance(operators["exists"], bool):
            raise InvalidRequest("What follows `exists` is true or false.", field=path)
        conditions.append(Exists(key, operators["exists"]))
    return conditions


def _prefixes(value: Any, path: str) -> tuple[str, ...]:
    prefixes = [each for each in _values(value, path) if isinstance(each, str) and each]
    if len(prefixes) < (len(value) if isinstance(value, list | tuple) else 1):
        raise InvalidRequest(
            "What follows `prefix` is the beginning of a string, or a list of such.", field=path
        )
    return tuple(prefixes)


def _range(key: str, bounds: Mapping[str, Any], path: str) -> NumberRange | DateRange:
    if all(isinstance(bound, str) for bound in bounds.values()):
        return DateRange(key, **{name: _date(bound, path) for name, bound in bounds.items()})
    numbers: dict[str, float] = {}
    for name, bound in bounds.items():
        if isinstance(bound, bool) or not isinstance(bound, int | float):
            raise InvalidRequest(
                "The bounds of a range are all numbers or all ISO 8601 dates.", field=path
            )
        if not _is_finite(bound):
            raise InvalidRequest("The bounds of a range have to be finite.", field=path)
        numbers[name] = float(bound)
    return NumberRange(key, **numbers)


def _date(value: str, path: str) -> datetime:
    try:
        date = datetime.fromisoformat(value)
    except ValueError:
        raise InvalidRequest(
            "A date is written as in ISO 8601: 2024-01-31 or 2024-01-31T12:00:00Z.", field=path
        ) from None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
