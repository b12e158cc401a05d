"""Telling a task's states costs little, and never harms who tells."""

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from flotilla.ledger import announce, task_events
from flotilla.ledger.task_events import FASTEST, SILENCE, Pace, TaskState
from flotilla.schemas import Progress, Task, TaskStatus
from flotilla.settings import get_settings
from tests.conftest import free_port
from tests.forking import Process
from tests.integration.gateway.processes import running_redis

states = st.builds(
    TaskState,
    st.sampled_from(TaskStatus),
    st.none() | st.sampled_from(["document.convert", "vectorstore.index"]),
    st.integers(1, 9),
    st.none()
    | st.builds(
        Progress,
        done=st.integers(0, 10**6),
        total=st.none() | st.integers(0, 10**6),
        unit=st.sampled_from(["pages", "chunks", "documents"]),
        eta_seconds=st.none() | st.floats(0, 10**5),
    ),
)


def a_task(task_id: str = "t", done: int | None = None, **fields: Any) -> Task:
    given_fields: dict[str, Any] = {
        "kind": "ingest",
        "status": TaskStatus.PROCESSING,
        "stage": "vectorstore.index",
        "queue": "vectorstore",
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    if done is not None:
        given_fields["progress"] = Progress(done=done, total=40, unit="chunks")
    return Task(task_id=task_id, **(given_fields | fields))


@given(states)
def test_what_is_written_can_be_read(state: TaskState) -> None:
    assert task_events.read(task_events.write(state)) == state


@pytest.mark.parametrize(
    "fields", [{}, {"status": "asleep"}, {"status": "pending", "stage": "a", "attempt": "x"}]
)
def test_what_another_release_has_written_is_none(fields: dict[str, str]) -> None:
    assert task_events.read(fields) is None


class TestPace:
    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        moment = [1000.0]
        monkeypatch.setattr(task_events.time, "monotonic", lambda: moment[0])
        return moment

    def test_mere_progress_is_told_some_times_a_second(self, clock: list[float]) -> None:
        pace, told = Pace(), 0
        for done in range(39):
            told += pace.permits(a_task(done=done))
            clock[0] += 0.01
        assert told == 2

    def test_the_last_of_a_unit_and_each_new_state_is_told_at_once(
        self, clock: list[float]
    ) -> None:
        pace = Pace()
        for task in (
            a_task(done=1),
            a_task(done=40),
            a_task(done=40, attempt=2),
            a_task(done=40, attempt=2, stage="vectorstore.publish"),
            a_task("u", done=1),
        ):
            assert pace.permits(task)
            assert not pace.permits(task)
        clock[0] += FASTEST
        assert pace.permits(a_task("u", done=2))

    def test_a_redis_that_is_away_is_left_alone_for_a_while(self, clock: list[float]) -> None:
        pace = Pace()
        pace.rest()
        assert not pace.permits(a_task(done=1))
        clock[0] += SILENCE
        assert pace.permits(a_task(done=1))

    def test_it_remembers_no_more_than_it_may(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(task_events, "WATCHED_JOBS", 3)
        pace = Pace()
        for number in range(10):
            pace.permits(a_task(str(number)))
        assert len(pace._told) == 3


@pytest.fixture
def pointed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Points this process at another Redis."""

    def point(url: str) -> None:
        monkeypatch.setenv("REDIS_URL", url)
        get_settings.cache_clear()
        task_events._client.cache_clear()
        monkeypatch.setattr(task_events, "_pace", Pace())

    yield point
    monkeypatch.undo()
    get_settings.cache_clear()
    task_events._client.cache_clear()


def test_a_stream_is_bounded_and_forgotten(pointed: Any, redis_url: str) -> None:
    pointed(redis_url)
    client = redis.Redis.from_url(redis_url, decode_responses=True)
    task_events.tell(a_task("bounded", done=1))
    name = task_events.key("bounded")
    assert 0 < client.ttl(name) <= task_events.OPEN_SECONDS
    pipe = client.pipeline()
    for done in range(2000):
        task_events.add(pipe, a_task("bounded", done=done))
    pipe.execute()
    assert client.xlen(name) < 2 * task_events.KEPT_ENTRIES
    announce.announce(a_task("bounded", status=TaskStatus.COMPLETED, result={"a": 1}))
    assert client.ttl(name) <= task_events.ENDED_SECONDS
    [(_, last)] = client.xrevrange(name, count=1)
    assert last["status"] == "completed"


def test_only_an_end_is_announced_as_one(pointed: Any, redis_url: str) -> None:
    pointed(redis_url)
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        waiting = client.pubsub(ignore_subscribe_messages=True)
        waiting.subscribe(announce.channel("batch"))
        waiting.get_message(timeout=1)
        announce.announce(a_task("batch", done=1, kind="batch"))
        assert client.xlen(task_events.key("batch")) == 1
        announce.announce(a_task("batch", kind="batch", status=TaskStatus.PARTIAL))
        message = waiting.get_message(timeout=5)
        assert message is not None
        assert '"partial"' in message["data"]
        waiting.close()


def test_a_redis_that_is_not_there_costs_nothing(pointed: Any) -> None:
    pointed(f"redis://127.0.0.1:{free_port()}/0")
    began = time.monotonic()
    for done in range(100):
        task_events.tell(a_task(done=done))
    announce.announce(a_task(status=TaskStatus.COMPLETED))
    assert time.monotonic() - began < 1


def test_a_frozen_redis_costs_a_second_and_no_more(pointed: Any, tmp_path: Path) -> None:
    with running_redis(tmp_path) as (url, process):
        pointed(url)
        task_events.tell(a_task("warm"))
        _freeze(process)
        try:
            began = time.monotonic()
            for done in range(100):
                task_events.tell(a_task(done=done, attempt=done + 1))
                announce.announce(a_task(str(done), status=TaskStatus.CANCELLED))
            assert 0.5 < time.monotonic() - began < 2.5
        finally:
            os.kill(process.pid, signal.SIGCONT)


def _freeze(process: Process) -> None:
    os.kill(process.pid, signal.SIGSTOP)
