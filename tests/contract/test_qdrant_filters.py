"""What Flotilla expects of Qdrant's filters, and of what scrolls, counts and facets by them."""

from typing import Any

import pytest
from qdrant_client import QdrantClient, models

from tests.contract.points import DEAR, LAST, LIVE, UUIDS, A, field, find, ids


@pytest.mark.parametrize(
    ("clauses", "expected"),
    [
        ({"must": [A]}, [1, 2]),
        ({"must": A}, [1, 2]),
        ({"must": [A, LIVE]}, [1]),
        ({"should": [LIVE, DEAR]}, [1, 2, 3]),
        ({"must_not": [A]}, [3, LAST]),
        ({"must_not": [A, LIVE]}, [LAST]),
        ({"must": [A], "should": [DEAR], "must_not": [LIVE]}, [2]),
        ({"min_should": models.MinShould(conditions=[A, LIVE, DEAR], min_count=2)}, [1, 2]),
        ({"min_should": models.MinShould(conditions=[A, LIVE, DEAR], min_count=3)}, []),
        ({"must": [models.Filter(should=[models.Filter(must_not=[A]), DEAR])]}, [2, 3, LAST]),
        ({}, [1, 2, 3, LAST]),
    ],
)
def test_clauses(
    qdrant: QdrantClient, fixed: str, clauses: dict[str, Any], expected: list[Any]
) -> None:
    assert find(qdrant, fixed, **clauses) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (field("n", match=models.MatchValue(value=2)), [2]),
        (field("live", match=models.MatchValue(value=True)), [1, 3]),
        (field("live", match=models.MatchValue(value=False)), [2]),
        (field("n", match=models.MatchValue(value=True)), []),
        (field("tags", match=models.MatchValue(value="y")), [1, 2]),
        (field("doc", match=models.MatchValue(value=UUIDS[0])), [LAST]),
        (field("meta.author.name", match=models.MatchValue(value="Ada")), [1]),
        (field("n", match=models.MatchAny(any=[1, 4, 9])), [1, LAST]),
        (field("tenant", match=models.MatchAny(any=["b", "c"])), [3, LAST]),
        (field("tags", match=models.MatchExcept(**{"except": ["y"]})), [1]),
        (field("text", match=models.MatchText(text="QUICK")), [1, LAST]),
        (field("text", match=models.MatchText(text="dog quick")), [LAST]),
        (field("text", match=models.MatchTextAny(text_any="lazy fox")), [1, 2]),
        (field("tenant", match=models.MatchPrefix(prefix="a")), [1, 2]),
        (field("tenant", match=models.MatchPrefix(prefix="A")), []),
        (field("tags", match=models.MatchPrefix(prefix="z")), [1]),
        (field('meta."author".name', match=models.MatchPrefix(prefix="Ad")), [1]),
        (field("n", match=models.MatchPrefix(prefix="1")), []),
        (field("n", range=models.Range(gt=1, lte=3)), [2, 3]),
        (field("price", range=models.Range(gte=-1.0, lt=1.5)), [LAST]),
        (field("when", range=models.DatetimeRange(gte="2024-06-01T10:00:00Z")), [2]),
        (field("when", range=models.DatetimeRange(gt="2024-06-01T10:00:00Z")), []),
        (field("when", range=models.DatetimeRange(lt="2024-06-01T10:00:00Z")), [1]),
        (field("tags", values_count=models.ValuesCount(gte=2)), [1]),
        (field("tags", values_count=models.ValuesCount(lt=2, gt=0)), [2]),
        (models.IsEmptyCondition(is_empty=models.PayloadField(key="tags")), [3, LAST]),
        (models.IsEmptyCondition(is_empty=models.PayloadField(key='meta."author"')), [2, 3, LAST]),
        (models.IsNullCondition(is_null=models.PayloadField(key="empty")), [3]),
        (field("price", is_empty=True), [3]),
        (field("empty", is_null=True), [3]),
        (models.HasIdCondition(has_id=[2, LAST, 99]), [2, LAST]),
        (models.HasVectorCondition(has_vector="multi"), [1, 2]),
    ],
)
def test_conditions(qdrant: QdrantClient, fixed: str, condition: Any, expected: list[Any]) -> None:
    assert find(qdrant, fixed, must=[condition]) == expected


def test_nested_binds_conditions_to_one_element(qdrant: QdrantClient, fixed: str) -> None:
    kind = field("kind", match=models.MatchValue(value="p"))
    size = field("size", range=models.Range(gt=5))
    nested = models.NestedCondition(
        nested=models.Nested(key="rows", filter=models.Filter(must=[kind, size]))
    )
    assert find(qdrant, fixed, must=[nested]) == [2]
    apart = [
        field("rows[].kind", match=models.MatchValue(value="p")),
        field("rows[].size", range=models.Range(gt=5)),
    ]
    assert find(qdrant, fixed, must=apart) == [1, 2]


# --- scroll, count, facet ------------------------------------------------------------------


def test_scroll_in_pages(qdrant: QdrantClient, fixed: str) -> None:
    first, following = qdrant.scroll(fixed, limit=2)
    assert (ids(first), following) == ([1, 2], 3)
    second, following = qdrant.scroll(fixed, limit=2, offset=following)
    assert (ids(second), following) == ([3, LAST], None)
    page, following = qdrant.scroll(fixed, limit=1, scroll_filter=models.Filter(must_not=[A]))
    assert (ids(page), following) == ([3], LAST)
    page = qdrant.scroll(fixed, limit=1, with_payload=["n"], with_vectors=["flat"])[0]
    assert (page[0].payload, page[0].vector) == ({"n": 1}, {"flat": [1.0, 0.0]})


def test_scroll_in_the_order_of_a_field(qdrant: QdrantClient, fixed: str) -> None:
    down = models.OrderBy(key="price", direction=models.Direction.DESC)
    assert ids(qdrant.scroll(fixed, order_by=down)[0]) == [2, 1, LAST]
    assert ids(qdrant.scroll(fixed, order_by="price")[0]) == [LAST, 1, 2]
    late = models.OrderBy(key="n", start_from=3)
    assert ids(qdrant.scroll(fixed, order_by=late)[0]) == [3, LAST]


def test_count(qdrant: QdrantClient, fixed: str) -> None:
    assert qdrant.count(fixed).count == 4
    assert qdrant.count(fixed, count_filter=models.Filter(must=[A]), exact=True).count == 2


def test_facet(qdrant: QdrantClient, fixed: str) -> None:
    hits = qdrant.facet(fixed, "tenant", exact=True).hits
    assert {one.value: one.count for one in hits} == {"a": 2, "b": 2}
    hits = qdrant.facet(fixed, "tenant", facet_filter=models.Filter(must=[DEAR]), exact=True).hits
    assert [(one.value, one.count) for one in hits] == [("a", 1)]
