"""Which answers of 5xx a case has brought upon itself."""

from typing import Any

import pytest

from tests.fuzz.api import SHORT_TIMEOUT, is_provoked


@pytest.mark.parametrize(
    ("status", "query", "provoked"),
    [
        (504, {"timeout": 0.1}, True),
        (504, {"timeout": "0.1"}, True),
        (504, {"timeout": SHORT_TIMEOUT}, False),
        (504, {"timeout": "soon"}, False),
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
