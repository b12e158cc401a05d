"""Flower is started with options that it has, and opened on the loopback address alone."""

import pytest
from flower.options import default_options

from flotilla.local.flower import arguments, is_loopback


def test_flower_knows_every_option() -> None:
    _, *options = arguments("127.0.0.1", 5555, "/data/flower/history")
    given = {option.removeprefix("--").partition("=")[0] for option in options}
    assert given <= set(default_options.as_dict())


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("a.b", False)],
)
def test_only_this_machine_reaches_a_loopback_address(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
