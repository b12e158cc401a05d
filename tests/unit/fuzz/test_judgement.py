"""Which answers of 5xx a request has brought upon itself."""

from typing import Any

import pytest

from tests.fuzz.judgement import SHORT_TIMEOUT, Tally, is_provoked, tally_table, unprovoked


@pytest.mark.parametrize(
    ("status", "query", "provoked"),
    [
        (504, {"timeout": 0.1}, True),
        (504, {"timeout": "0.1"}, True),
        (504, {"timeout": SHORT_TIMEOUT}, False),
        (504, {"timeout": "soon"}, False),
        # The gateway takes the last of those that are said.
        (504, {"timeout": ["9", "0.1"]}, True),
        (504, {"timeout": ["0.1", "9"]}, False),
        (504, {"timeout": []}, False),
        (504, {}, False),
        (504, None, False),
        (503, {"timeout": 0.1}, False),
        (500, {"timeout": 0.1}, False),
    ],
)
def test_only_a_short_timeout_provokes_anything(
    status: int, query: dict[str, Any] | None, provoked: bool
) -> None:
    assert is_provoked(status, query) is provoked


@pytest.mark.parametrize(
    ("status", "path", "answering", "fault"),
    [
        (200, "/tasks", True, ""),
        (422, "/tasks", True, ""),
        (504, "/rag/search", True, "unprovoked 504"),
        (504, "/rag/search", False, ""),
        (503, "/rag/search", False, "unprovoked 503"),
        (503, "/health/ready", False, ""),
        (500, "/health/ready", True, "unprovoked 500"),
    ],
)
def test_a_gateway_alone_may_be_late_and_not_ready(
    status: int, path: str, answering: bool, fault: str
) -> None:
    assert unprovoked(status, path, {}, answering) == fault


def test_tallies_are_shown_each_and_together() -> None:
    first, second = Tally(), Tally()
    first.cases, second.cases = 2, 1000
    first.statuses.update([200, 422])
    second.statuses.update([422] * 1000)
    second.fail("no answer", "curl")
    second.fail("no answer", "another")
    table = tally_table("what", {"a": first, "b": second})
    assert table.lines == [
        ("a", "2", "200: 1, 422: 1", "0"),
        ("b", "1,000", "422: 1,000", "no answer: 2"),
        ("**all**", "**1,002**", "**200: 1, 422: 1,001**", "**no answer: 2**"),
    ]
    assert second.samples == {"no answer": "curl"}
