import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flotilla.errors import InvalidRequest
from flotilla.filters import AnyOf, DateRange, NoneOf, NumberRange, parse_filter


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
        | st.dictionaries(st.sampled_from(["gte", "lt", "not", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=10), JSON, max_size=4))
def test_any_json_object_is_either_parsed_or_refused(raw: dict[str, Any]) -> None:
    refused: str | None = None
    keys: set[str] = set()
    try:
        keys = {condition.key for condition in parse_filter(raw)}
    except InvalidRequest as error:
        refused = error.field
    assert keys == set(raw) or str(refused).startswith("filter.")
