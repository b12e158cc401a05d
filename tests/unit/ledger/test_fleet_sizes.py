"""What a process knows of the fleets' sizes while Redis is there, away and frozen."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import psutil
import pytest
import redis

from flotilla.heartbeats import worker_key
from flotilla.ledger import fleet_sizes
from flotilla.ledger.fleet_sizes import FleetSizes
from tests.conftest import wait_until


@pytest.fixture
def server(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator["redis.Redis"]:
    """A Redis in which workers show themselves; it is asked anew each time."""
    quick = redis.Redis.from_url(redis_url, socket_connect_timeout=0.3, socket_timeout=0.3)
    monkeypatch.setattr(fleet_sizes, "get_quick_redis", lambda: quick)
    monkeypatch.setattr(fleet_sizes, "REFRESH_SECONDS", -1.0)
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
        yield client
        client.flushdb()
    quick.close()


@pytest.fixture
def freeze(server: "redis.Redis") -> Iterator[Callable[[], None]]:
    """Stops the server until the test is over."""
    pid = int(server.info("server")["process_id"])
    yield lambda: os.kill(pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGCONT)
    assert psutil.pid_exists(pid)
    wait_until(server.ping)


def show(server: "redis.Redis", fleet: str, name: str, concurrency: int) -> None:
    fact = {"fleet": fleet, "concurrency": concurrency}
    server.set(worker_key(fleet, name), json.dumps(fact))


def test_the_workers_of_a_fleet_are_added_up(server: "redis.Redis") -> None:
    sizes = FleetSizes()
    assert sizes.get() == {}
    show(server, "document", "one", 3)
    show(server, "document", "two", 2)
    show(server, "rag", "one", 16)
    assert sizes.get() == {"document": 5, "rag": 16}
    server.flushdb()
    assert sizes.get() == {}


def test_a_redis_that_does_not_answer_leaves_what_was_known(
    server: "redis.Redis", freeze: Callable[[], None]
) -> None:
    sizes = FleetSizes()
    show(server, "document", "one", 3)
    sizes.get()
    freeze()
    began = time.monotonic()
    assert sizes.get() == {"document": 3}
    assert time.monotonic() - began < 5


def test_only_one_thread_waits_for_a_redis_that_is_frozen(
    server: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = FleetSizes()
    show(server, "document", "one", 3)
    sizes.get()
    asked, go = threading.Event(), threading.Event()
    asking = fleet_sizes.get_quick_redis

    def held() -> "redis.Redis":
        asked.set()
        assert go.wait(30)
        return asking()

    monkeypatch.setattr(fleet_sizes, "get_quick_redis", held)
    first = threading.Thread(target=sizes.get)
    first.start()
    assert asked.wait(30)
    try:
        assert sizes.get() == {"document": 3}  # in this thread, while the other waits
    finally:
        go.set()
        first.join()
