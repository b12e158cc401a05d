"""Memory that a task has freed goes back to the system."""

import sys

import pytest

from flotilla.document.memory import SURPLUS, Surplus, _resident

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells it cheaply")

PIECE = 64 * 2**10  # small enough for the heap, whose holes the C library keeps


def test_what_lies_between_small_remains_is_given_back() -> None:
    surplus = Surplus()
    if surplus._trim is None:
        pytest.skip("this C library gives back by itself")
    surplus.give_back()
    before = _resident()
    pieces = [bytes(PIECE) + b"x" for _ in range(4 * SURPLUS // PIECE)]
    remains = pieces[:: len(pieces) // 8] + pieces[-1:]
    del pieces
    grown = _resident()
    if grown - before < SURPLUS:
        pytest.skip("nothing was kept that could be given back")

    surplus.give_back()

    assert remains
    assert _resident() < grown - 2 * SURPLUS
