"""The header Retry-After, as servers send it and as they should not."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST = 366 * 86_400.0
"""Seconds that are believed at most: whatever is more means as much, and can be reckoned with."""


def seconds_to_wait(value: str | None) -> float | None:
    """Seconds, from a number or from a date (RFC 9110, section 10.2.3): 0 to LONGEST.

    None where there is neither. Seconds may have decimals, as some servers send them.
    """
    text = (value or "").strip()
    if not text:
        return None
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return min(float(text), LONGEST)
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.now(UTC)).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), LONGEST)


def of_headers(headers: Mapping[str, str]) -> float | None:
    """The same of a reply's headers, where OpenAI's `retry-after-ms` goes before it."""
    try:
        milliseconds = float(headers.get("retry-after-ms") or "")
    except ValueError:
        return seconds_to_wait(headers.get("retry-after"))
    if not math.isfinite(milliseconds) or milliseconds < 0:
        return seconds_to_wait(headers.get("retry-after"))
    return min(milliseconds / 1000, LONGEST)
