"""The header Retry-After."""

import pytest

from flotilla.retry_after import LONGEST, of_headers, seconds_to_wait


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("²", None),
        ("nan", None),
        ("inf", None),
        ("1e300", None),
        (".", None),
        ("1.5", 1.5),
        ("31536000", 31_536_000.0),
        ("9" * 13, LONGEST),
        ("9" * 400, LONGEST),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Wed, 21 Oct 1998 07:28:00 GMT", 0.0),
        ("Wed, 99 Oct 1998 07:28:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", LONGEST),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0.0),
    ],
)
def test_seconds_or_a_date_or_nothing(value: str | None, seconds: float | None) -> None:
    assert seconds_to_wait(value) == seconds


def test_a_date_to_come_is_waited_for() -> None:
    assert (seconds_to_wait("Wed, 21 Oct 2099 07:28:00 GMT") or 0) > 1e7


@pytest.mark.parametrize(
    ("milliseconds", "seconds"),
    [
        ("250", 0.25),
        ("1e300", LONGEST),
        ("nan", 3.0),
        ("inf", 3.0),
        ("-1", 3.0),
        ("soon", 3.0),
        ("", 3.0),
    ],
)
def test_milliseconds_go_before_seconds_where_they_are_a_time(
    milliseconds: str, seconds: float
) -> None:
    assert of_headers({"retry-after-ms": milliseconds, "retry-after": "3"}) == seconds
