"""A metadata filter as conditions of Qdrant's."""

from collections.abc import Iterable
from typing import Any

from qdrant_client import models

from flotilla.filters import (
    AnyHolds,
    AnyOf,
    Condition,
    DateRange,
    Exists,
    NoneHolds,
    NoneOf,
    NumberRange,
    Prefix,
    Scalar,
)


def metadata_conditions(conditions: Iterable[Condition]) -> list[Any]:
    """Conditions on a document's metadata as Qdrant's, all of which have to hold."""
    return [_condition(condition) for condition in conditions]


def _condition(condition: Condition) -> Any:
    match condition:
        case AnyHolds(filters=filters):
            return models.Filter(should=_each_together(filters))
        case NoneHolds(filters=filters):
            return models.Filter(must_not=_each_together(filters))
        case AnyOf(key=key, values=values):
            return models.Filter(should=_equal_any(_path(key), values))
        case NoneOf(key=key, values=values):
            return models.Filter(must_not=_equal_any(_path(key), values))
        case NumberRange():
            bounds = models.Range(**_bounds(condition))
            return models.FieldCondition(key=_path(condition.key), range=bounds)
        case DateRange():
            dates = models.DatetimeRange(**_bounds(condition))
            return models.FieldCondition(key=_path(condition.key), range=dates)
        case Prefix(key=key, values=prefixes):
            # Of Qdrant 1.19 and later; without an index it reads the payloads of what else is left.
            matches = [models.MatchPrefix(prefix=prefix) for prefix in prefixes]
            path = _path(key)
            return models.Filter(
                should=[models.FieldCondition(key=path, match=match) for match in matches]
            )
        case Exists(key=key, wanted=wanted):
            empty = models.IsEmptyCondition(is_empty=models.PayloadField(key=_path(key)))
            return models.Filter(must_not=[empty]) if wanted else empty


def _each_together(filters: Iterable[Iterable[Condition]]) -> list[Any]:
    return [models.Filter(must=metadata_conditions(each)) for each in filters]


def _path(key: str) -> str:
    # Quoted, so that whatever a user calls a field is a name and never an operator of the path.
    return ".".join(["metadata", *(f'"{part}"' for part in key.split("."))])


def _bounds(condition: NumberRange | DateRange) -> dict[str, Any]:
    return {name: getattr(condition, name) for name in ("gt", "gte", "lt", "lte")}


def _equal_any(path: str, values: tuple[Scalar, ...]) -> list[models.FieldCondition]:
    """One condition a kind of value. Numbers are ranges of one point, since Qdrant's match
    knows no floats and takes 3 and 3.0 for different values; but a range takes whole numbers that
    no float tells apart for one, so that those are matched."""
    strings = [value for value in values if isinstance(value, str)]
    conditions: list[models.FieldCondition] = []
    if strings:
        conditions.append(models.FieldCondition(key=path, match=models.MatchAny(any=strings)))
    for value in values:
        if isinstance(value, bool) or _is_long(value):
            conditions.append(models.FieldCondition(key=path, match=models.MatchValue(value=value)))
        elif isinstance(value, int | float):
            point = models.Range(gte=value, lte=value)
            conditions.append(models.FieldCondition(key=path, range=point))
    return conditions


def _is_long(value: Scalar) -> bool:
    """Whether it is a whole number beyond those of a float, and one that Qdrant keeps as such."""
    return isinstance(value, int) and 2**53 < abs(value) < 2**63
