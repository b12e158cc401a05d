import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flotilla.errors import InvalidRequest
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
    parse_filter,
)


@pytest.mark.parametrize(
    ("raw", "conditions"),
    [
        ({}, ()),
        ({"year": 2024}, (AnyOf("year", (2024,)),)),
        (
            {"draft": False, "author.name": "Ada"},
            (AnyOf("draft", (False,)), AnyOf("author.name", ("Ada",))),
        ),
        ({"year": [2023, "n/a"]}, (AnyOf("year", (2023, "n/a")),)),
        ({"year": {"gte": 2020, "lt": 2025.5}}, (NumberRange("year", gte=2020, lt=2025.5),)),
        ({"state": {"not": "draft"}}, (NoneOf("state", ("draft",)),)),
        (
            {"n": {"gt": 1, "not": [3, 4]}},
            (NumberRange("n", gt=1), NoneOf("n", (3, 4))),
        ),
        ({"ref": {"prefix": "EU-"}}, (Prefix("ref", ("EU-",)),)),
        ({"ref": {"prefix": ["EU-", "UK-"]}}, (Prefix("ref", ("EU-", "UK-")),)),
        ({"ref": {"exists": False}}, (Exists("ref", False),)),
        (
            {"or": [{"year": 2024, "kind": "law"}, {"kind": "faq"}]},
            (
                AnyHolds(
                    ((AnyOf("year", (2024,)), AnyOf("kind", ("law",))), (AnyOf("kind", ("faq",)),))
                ),
            ),
        ),
        (
            {"and": [{"n": {"gt": 1}}, {"n": {"lt": 9}}]},
            (NumberRange("n", gt=1), NumberRange("n", lt=9)),
        ),
        ({"not": {"kind": "law"}}, (NoneHolds(((AnyOf("kind", ("law",)),),)),)),
        (
            {"not": [{"kind": "law"}, {"year": 1}]},
            (NoneHolds(((AnyOf("kind", ("law",)),), (AnyOf("year", (1,)),))),),
        ),
        (
            {"not": {"or": [{"not": {"a": 1}}]}},
            (NoneHolds(((AnyHolds(((NoneHolds(((AnyOf("a", (1,)),),)),),)),),)),),
        ),
        # Metadata of these names, as filters had them before there were filters within filters.
        ({"or": "x", "and": ["x", 1]}, (AnyOf("or", ("x",)), AnyOf("and", ("x", 1)))),
        ({"not": {"gt": 3}}, (NumberRange("not", gt=3),)),
        ({"or": {"gt": 3}}, (NumberRange("or", gt=3),)),
        ({"not": {"not": [3]}}, (NoneOf("not", (3,)),)),
        ({"not": 3}, (AnyOf("not", (3,)),)),
    ],
)
def test_each_form_becomes_its_condition(raw: dict[str, Any], conditions: tuple[Any, ...]) -> None:
    assert parse_filter(raw) == conditions


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2024-01-31", datetime(2024, 1, 31, tzinfo=UTC)),
        ("2024-01-31T12:30:00", datetime(2024, 1, 31, 12, 30, tzinfo=UTC)),
        ("2024-01-31T12:30:00Z", datetime(2024, 1, 31, 12, 30, tzinfo=UTC)),
        (
            "2024-01-31T12:30:00+02:00",
            datetime(2024, 1, 31, 10, 30, tzinfo=UTC),
        ),
    ],
)
def test_dates_without_a_zone_are_in_utc(written: str, meant: datetime) -> None:
    assert parse_filter({"filed": {"lte": written}}) == (DateRange("filed", lte=meant),)


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"year": None}, "filter.year"),
        ({"year": []}, "filter.year"),
        ({"year": [[1]]}, "filter.year"),
        ({"year": [None]}, "filter.year"),
        ({"year": math.nan}, "filter.year"),
        ({"year": {}}, "filter.year"),
        ({"year": {"near": 2020}}, "filter.year"),
        ({"year": {"gte": "yesterday"}}, "filter.year"),
        ({"year": {"gte": 2020, "lt": "2024-01-01"}}, "filter.year"),
        ({"year": {"gte": True}}, "filter.year"),
        ({"year": {"gte": [1]}}, "filter.year"),
        ({"year": {"gte": math.inf}}, "filter.year"),
        ({"year": {"gte": 10**400}}, "filter.year"),
        ({"year": {"not": []}}, "filter.year"),
        ({"year": list(range(101))}, "filter.year"),
        ({"year": "x" * 1001}, "filter.year"),
        ({"": 1}, "filter."),
        ({"a..b": 1}, "filter.a..b"),
        ({'a"b': 1}, 'filter.a"b'),
        ({"a[]": 1}, "filter.a[]"),
        ({f"k{number}": 1 for number in range(33)}, "filter"),
        ({"or": [{f"k{number}": 1} for number in range(33)]}, "filter"),
        ({"or": [{"year": 1}, {"year": {"near": 1}}]}, "filter.or[1].year"),
        ({"or": [{"year": 1}, 5]}, "filter.or[1]"),
        ({"or": [{"year": 1}, {}]}, "filter.or[1]"),
        ({"or": []}, "filter.or"),
        ({"or": {"year": 1}}, "filter.or"),
        ({"not": {}}, "filter.not"),
        ({"not": {"year": None}}, "filter.not.year"),
        ({"and": [{"or": [{"a.b": {"gte": "soon"}}]}]}, "filter.and[0].or[0].a.b"),
        (
            {"not": {"not": {"not": {"not": {"not": {"year": 1}}}}}},
            "filter.not.not.not.not.not",
        ),
        ({"ref": {"prefix": 3}}, "filter.ref"),
        ({"ref": {"prefix": ""}}, "filter.ref"),
        ({"ref": {"prefix": ["a", 3]}}, "filter.ref"),
        ({"ref": {"exists": "yes"}}, "filter.ref"),
        ({"ref": 10**400}, "filter.ref"),
        ({"ref": {"not": [1, -(10**400)]}}, "filter.ref"),
        ({"ref": {"gte": 10**400}}, "filter.ref"),
    ],
)
def test_what_is_outside_the_grammar_is_refused_by_its_key(raw: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_filter(raw)
    assert caught.value.field == field


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["gte", "lt", "not", "prefix", "exists", "or", "and", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
KEYS = st.text(max_size=10) | st.sampled_from(["or", "and", "not"])


def keys(conditions: tuple[Condition, ...]) -> set[str]:
    found: set[str] = set()
    for condition in conditions:
        if isinstance(condition, AnyHolds | NoneHolds):
            found |= {key for inner in condition.filters for key in keys(inner)}
        else:
            found.add(condition.key)
    return found


@given(st.dictionaries(KEYS, JSON, max_size=4))
def test_any_json_object_is_either_parsed_or_refused(raw: dict[str, Any]) -> None:
    conditions: tuple[Condition, ...] = ()
    refused: str | None = None
    try:
        conditions = parse_filter(raw)
    except InvalidRequest as error:
        refused = error.field
    if refused is not None:
        assert refused.startswith("filter.")
        return
    assert set(raw) - {"or", "and", "not"} <= keys(conditions)
    assert bool(conditions) == bool(raw)
