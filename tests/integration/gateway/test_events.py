"""A task's events at a real gateway, whose fleets are played by the test."""

import itertools
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from flotilla.ledger import task_events
from flotilla.ledger.database import Database
from flotilla.settings import Settings
from tests.conftest import wait_until
from tests.integration.gateway.event_reader import Work, following, shown
from tests.integration.gateway.processes import Gateway, running_gateway, running_redis

CONVERT, SPLIT, INDEX = "document.convert", "document.split", "vectorstore.index"
Begin = Callable[..., Work]


@pytest.fixture(scope="module")
def ledger(gateway: Gateway) -> Iterator[Database]:
    database = Database(Settings(data=gateway.data).ledger_url)
    yield database
    database.close()


@pytest.fixture
def store(gateway_redis: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The gateway's Redis, which is that of this process's events as well."""
    with redis.Redis.from_url(gateway_redis, decode_responses=True) as client:
        monkeypatch.setattr(task_events, "client", lambda: client)
        yield client


@pytest.fixture
def begin(ledger: Database, store: Any) -> Begin:
    return lambda **values: Work(ledger, **values)


def stages(events: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(event["stage"] for event in events))


def test_a_task_is_followed_to_its_end(gateway: Gateway, begin: Begin) -> None:
    work = begin()
    with following(gateway.url, work.id) as reader:
        assert reader.headers["content-type"].startswith("text/event-stream")
        assert reader.headers["x-accel-buffering"] == "no"
        assert "no-cache" in reader.headers["cache-control"]
        assert (reader.next() or {})["status"] == "pending"
        work.move(stage=CONVERT)
        work.move(0, unit="pages", stage=CONVERT)
        work.move(2, unit="pages")
        work.move(0, stage=INDEX)
        for done in (10, 20, 40):
            work.move(done)
        work.end(result={"chunks": 40})
        events = reader.rest()
    assert reader.retry is not None
    assert [event["event"] for event in events[:4]] == ["state", "progress", "progress", "state"]
    assert stages(events) == [CONVERT, INDEX]
    last = events[-1]
    assert (last["event"], last["status"]) == ("end", "completed")
    assert (last["result"], last["progress"]["done"]) == ({"chunks": 40}, 40)
    assert [event["event"] for event in events].count("end") == 1


def test_a_task_that_is_over_says_so_at_once_and_no_more(gateway: Gateway, begin: Begin) -> None:
    work = begin()
    error = {"error_stage": CONVERT, "error_code": "no_text", "error_message": "None."}
    work.finish("failed", **error, error_retryable=False)
    began = time.monotonic()
    with following(gateway.url, work.id, "17-0") as reader:
        [event] = reader.rest()
    assert time.monotonic() - began < 2
    assert (event["event"], event["error"]["code"]) == ("end", "no_text")
    # A browser connects again by itself, until it is told that there is nothing more.
    headers = {"Last-Event-ID": event["id"]}
    assert httpx.get(f"{gateway.url}/tasks/{work.id}/events", headers=headers).status_code == 204


def test_a_reader_that_was_away_is_told_what_it_missed(gateway: Gateway, begin: Begin) -> None:
    work = begin()
    work.move(stage=CONVERT)
    with following(gateway.url, work.id) as reader:
        seen = reader.until(stage=CONVERT)
    work.move(0, stage=SPLIT)
    work.move(7, stage=INDEX)
    work.move(9)
    with following(gateway.url, work.id, seen["id"]) as reader:
        reader.until(done=9)
        assert stages(reader.seen) == [SPLIT, INDEX]
        last = reader.seen[-1]["id"]
    with following(gateway.url, work.id, last) as reader:
        assert reader.nothing(0.5)
        work.end()
        assert stages(reader.rest()) == [INDEX]
    with following(gateway.url, work.id, seen["id"]) as reader:
        assert [shown(event).get("done") for event in reader.rest()] == [0, 7, 9, 9]
    with following(gateway.url, work.id, "0") as reader:
        assert stages(reader.rest()) == [CONVERT, SPLIT, INDEX]


def test_what_is_told_late_is_left_out(gateway: Gateway, begin: Begin) -> None:
    work = begin()
    late = work.move(5, stage=CONVERT, unit="pages")
    with following(gateway.url, work.id) as reader:
        reader.until(done=5)
        work.move(1, stage=INDEX)
        work.move(8)
        task_events.tell(late)
        work.move(9)
        reader.until(done=9)
        assert stages(reader.seen) == [CONVERT, INDEX]
        position = reader.seen[-2]["id"]
    with following(gateway.url, work.id, position) as reader:
        assert shown(reader.until(done=9))["stage"] == INDEX
        assert len(reader.seen) == 1


def test_the_ledger_tells_what_the_stream_does_not(gateway: Gateway, begin: Begin) -> None:
    work = begin()
    work.move(stage=CONVERT)
    with following(gateway.url, work.id) as reader:
        reader.until(stage=CONVERT)
        work.commit(3, stage=INDEX)
        reader.until(stage=INDEX, done=3)
        work.finish()
        assert [event["event"] for event in reader.rest()] == ["end"]


def test_after_a_wipe_nothing_hangs_and_nothing_goes_back(
    gateway: Gateway, begin: Begin, store: Any
) -> None:
    work = begin()
    work.move(0, stage=SPLIT)
    late = work.move(20, stage=INDEX)
    with following(gateway.url, work.id) as reader:
        seen = reader.until(done=20)
        work.move(30)
        seen = reader.until(done=30)
        store.flushall()
        task_events.tell(late)
        work.move(31)
        assert shown(reader.next() or {})["done"] == 31
    store.flushall()
    task_events.tell(late)
    work.move(32)
    with following(gateway.url, work.id, seen["id"]) as reader:
        assert shown(reader.next() or {})["done"] == 32
        work.end()
        assert [event["event"] for event in reader.rest()] == ["end"]


@pytest.mark.parametrize("last_id", ["", "9999999999999-7", "end-5"])
def test_an_id_that_nobody_has_told_does_no_harm(
    gateway: Gateway, begin: Begin, last_id: str
) -> None:
    work = begin()
    work.move(1, stage=INDEX)
    with following(gateway.url, work.id, last_id) as reader:
        reader.until(stage=INDEX, done=1)
        work.move(2)
        reader.until(done=2)


@pytest.mark.parametrize(
    "last_id", ["x", "17-", "17-0/x", "18446744073709551615-1", "end-", "t1:7"]
)
def test_an_id_that_no_event_can_have_is_refused(
    gateway: Gateway, begin: Begin, last_id: str
) -> None:
    url, headers = f"{gateway.url}/tasks/{begin().id}/events", {"Last-Event-ID": last_id}
    refused = httpx.get(url, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert refused.json()["errors"][0]["field"] == "Last-Event-ID"


def test_a_task_that_is_tried_again_is_followed_again(gateway: Gateway, begin: Begin) -> None:
    work = begin()
    work.move(3, stage=INDEX)
    work.end("failed")
    with following(gateway.url, work.id) as reader:
        [end] = reader.rest()
    work.move(status="pending", stage=CONVERT, finished_at=None)
    with following(gateway.url, work.id, end["id"]) as reader:
        reader.until(stage=CONVERT, status="pending")
        work.move(stage=CONVERT)
        work.move(4, stage=INDEX)
        reader.until(stage=INDEX, done=4)
        work.end()
        assert reader.rest()[-1]["event"] == "end"


def test_an_unknown_task_is_not_found(http: httpx.Client) -> None:
    for task_id in ("0198c0de-0000-7000-8000-000000000000", "x", "%0a", "a" * 500):
        reply = http.get(f"/tasks/{task_id}/events")
        assert (reply.status_code, reply.json()["code"]) == (404, "task_not_found")


def test_the_time_that_is_left_is_told_once_there_is_one(gateway: Gateway, begin: Begin) -> None:
    work = begin()
    work.move(0, stage=INDEX)
    with following(gateway.url, work.id) as reader:
        assert "eta_seconds" not in reader.until(done=0)["progress"]
        for done in itertools.count(20):
            work.move(done, total=1000)
            progress = reader.until(done=done)["progress"]
            if "eta_seconds" in progress:
                break
    assert 0 < progress["eta_seconds"] < 600


def test_a_batch_is_followed_by_its_documents(gateway: Gateway, begin: Begin) -> None:
    work = begin(kind="batch", stage="upkeep.batch")
    with following(gateway.url, work.id) as reader:
        reader.next()
        for done in range(3):
            work.move(done, total=3, unit="documents")
            assert reader.until(done=done)["progress"]["unit"] == "documents"
        work.end("partial")
        [end] = reader.rest()
    assert (end["event"], end["status"]) == ("end", "partial")


def test_many_followers_share_few_connections_and_leave_nothing(
    gateway: Gateway, begin: Begin, store: Any
) -> None:
    before = len(store.client_list())
    works = [begin() for _ in range(3)]
    everybody = threading.Barrier(46, timeout=60)

    def follow(number: int) -> list[dict[str, Any]]:
        with following(gateway.url, works[number % 3].id) as reader:
            reader.until(status="pending")
            everybody.wait()
            return reader.rest()

    with ThreadPoolExecutor(45) as pool:
        found = [pool.submit(follow, number) for number in range(45)]
        everybody.wait()
        assert len(store.client_list()) <= before + 5
        for work in works:
            work.move(1, stage=INDEX)
            work.end()
        for future in found:
            assert [event["event"] for event in future.result()] == ["state", "end"]


def test_nothing_is_read_for_a_client_that_has_gone(
    gateway: Gateway, begin: Begin, store: Any
) -> None:
    work = begin()

    def idle_seconds() -> float:
        """Since anything was read last; the first event may come before anything is."""
        reading = [each for each in store.client_list() if each["cmd"] == "xread"]
        return min((float(each["idle"]) for each in reading), default=math.inf)

    with following(gateway.url, work.id) as reader:
        reader.next()
        wait_until(lambda: idle_seconds() == 0)
    wait_until(lambda: idle_seconds() >= 2)


def test_without_redis_the_ledger_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        running_redis(tmp_path / "redis") as (url, process),
        running_gateway(tmp_path / "data", url) as gateway,
        redis.Redis.from_url(url, decode_responses=True) as client,
    ):
        monkeypatch.setattr(task_events, "client", lambda: client)
        ledger = Database(Settings(data=gateway.data).ledger_url)
        work = Work(ledger)
        work.move(2, stage=INDEX)
        with following(gateway.url, work.id) as reader:
            seen = reader.until(done=2)
            process.send_signal(signal.SIGSTOP)
            work.commit(4)
            reader.until(done=4)
            with following(gateway.url, work.id) as another:
                another.until(done=4)
            process.kill()
            process.wait()
            work.commit(5)
            reader.until(done=5)
        for last_id in (None, seen["id"]):
            began = time.monotonic()
            with following(gateway.url, work.id, last_id) as reader:
                reader.until(done=5)
                assert time.monotonic() - began < 4
        work.finish()
        with following(gateway.url, work.id, seen["id"]) as reader:
            assert [event["event"] for event in reader.rest()] == ["end"]
        ledger.close()


def test_a_gateway_that_is_told_to_stop_does_not_wait_for_streams(
    tmp_path: Path, gateway_redis: str, store: Any
) -> None:
    with running_gateway(tmp_path, gateway_redis) as gateway:
        ledger = Database(Settings(data=gateway.data).ledger_url)
        work = Work(ledger)
        work.move(2, stage=INDEX)
        with following(gateway.url, work.id) as reader:
            reader.until(done=2)
            began = time.monotonic()
            os.kill(gateway.pid, signal.SIGTERM)
            assert reader.rest() == []
        assert time.monotonic() - began < 3
        ledger.close()
