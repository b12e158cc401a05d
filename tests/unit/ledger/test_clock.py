"""The ledger's clock: Redis' time, whatever the machine's own clock says."""

import os
import time
from collections.abc import Iterator

import pytest
import redis

from flotilla.ledger import clock
from flotilla.ledger.clock import Clock


class Server:
    """In the place of Redis: its time, or its absence."""

    def __init__(self) -> None:
        self.offset: float | None = 0.0
        self.asked = 0

    def now(self) -> float:
        self.asked += 1
        if self.offset is None:
            raise redis.ConnectionError
        return time.time() + self.offset


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server()
    monkeypatch.setattr(clock, "get_redis_now", server.now)
    return server


def test_a_clock_that_is_an_hour_off_tells_the_servers_time(server: Server) -> None:
    server.offset = -3600.0
    looked = Clock()

    assert looked.now() == pytest.approx(time.time() - 3600, abs=1)
    assert looked.skew() == pytest.approx(3600, abs=1)
    assert looked.known()
    assert server.asked == 1  # and counts on by itself


def test_a_change_of_the_wall_clock_moves_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = Clock()
    before = looked.now()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 3600)

    assert looked.now() == pytest.approx(before, abs=1)


def test_without_a_server_the_own_clock_is_not_taken_for_the_shared_one(server: Server) -> None:
    server.offset = None
    looked = Clock()

    assert looked.now() == pytest.approx(time.time(), abs=1)
    assert not looked.known()


def test_the_last_answer_holds_while_the_server_is_away(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.offset = 3600.0
    looked = Clock()
    looked.now()
    server.offset = None
    looked._look_again = 0.0

    assert looked.now() == pytest.approx(time.time() + 3600, abs=1)
    assert looked.known()
    assert server.asked == 2


def test_a_child_looks_again_though_its_parent_was_looking_when_it_was_forked(
    server: Server,
) -> None:
    looked = Clock()
    looked._lock.acquire()
    looked._pid = os.getppid()

    assert looked.known()
