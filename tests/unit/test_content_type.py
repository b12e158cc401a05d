"""The header Content-Type, cut to what is kept."""

import pytest

from flotilla.content_type import LONGEST, kept_content_type


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (None, None),
        (" ", None),
        (" text/html; charset=utf-8 ", "text/html; charset=utf-8"),
        (f"text/html ; x={'y' * LONGEST}", "text/html"),
        ("y" * LONGEST, "y" * LONGEST),
        ("y" * (LONGEST + 1), None),
        ("text/\x00html", None),
        ("text/\udc80html", None),
    ],
)
def test_what_is_kept(value: str | None, kept: str | None) -> None:
    assert kept_content_type(value) == kept
