"""The header Retry-After."""

import pytest

from flotilla.retry_after import seconds_to_wait


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("²", None),
        ("9" * 400, None),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Wed, 21 Oct 1998 07:28:00 GMT", 0.0),
        ("Wed, 99 Oct 1998 07:28:00 GMT", None),
    ],
)
def test_seconds_or_a_date_or_nothing(value: str | None, seconds: float | None) -> None:
    assert seconds_to_wait(value) == seconds


def test_a_date_to_come_is_waited_for() -> None:
    assert (seconds_to_wait("Wed, 21 Oct 2099 07:28:00 GMT") or 0) > 1e9
