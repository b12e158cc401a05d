"""A metadata filter as conditions of Qdrant's."""

from collections.abc import Iterable
from typing import Any

from qdrant_client import models

from flotilla.filters import AnyOf, Condition, DateRange, NoneOf, NumberRange, Scalar


def metadata_conditions(conditions: Iterable[Condition]) -> tuple[list[Any], list[Any]]:
    """Conditions on a document's metadata as Qdrant's, (those that must, those that must not)."""
    must: list[Any] = []
    must_not: list[Any] = []
    for condition in conditions:
        path = _path(condition.key)
        match condition:
            case AnyOf(values=values):
                must.append(models.Filter(should=_equal_any(path, values)))
            case NoneOf(values=values):
                must_not.extend(_equal_any(path, values))
            case NumberRange():
                bounds = models.Range(**_bounds(condition))
                must.append(models.FieldCondition(key=path, range=bounds))
            case DateRange():
                dates = models.DatetimeRange(**_bounds(condition))
                must.append(models.FieldCondition(key=path, range=dates))
    return must, must_not


def _path(key: str) -> str:
    # Quoted, so that whatever a user calls a field is a name and never an operator of the path.
    return ".".join(["metadata", *(f'"{part}"' for part in key.split("."))])


def _bounds(condition: NumberRange | DateRange) -> dict[str, Any]:
    return {name: getattr(condition, name) for name in ("gt", "gte", "lt", "lte")}


def _equal_any(path: str, values: tuple[Scalar, ...]) -> list[models.FieldCondition]:
    """One condition a kind of value. Numbers are ranges of one point, since Qdrant's match
    knows no floats and takes 3 and 3.0 for different values."""
    strings = [value for value in values if isinstance(value, str)]
    conditions: list[models.FieldCondition] = []
    if strings:
        conditions.append(models.FieldCondition(key=path, match=models.MatchAny(any=strings)))
    for value in values:
        if isinstance(value, bool):
            conditions.append(models.FieldCondition(key=path, match=models.MatchValue(value=value)))
        elif isinstance(value, int | float):
            point = models.Range(gte=value, lte=value)
            conditions.append(models.FieldCondition(key=path, range=point))
    return conditions
