"""Rows about Redis: restarted, wiped, halted, and messages that come twice."""

import ast
import heapq
import json
import queue
import re
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import redis

from flotilla.pipelines import ORDER
from flotilla.priorities import lanes
from flotilla.settings import FLEETS
from tests.chaos.rows.workers import WORK
from tests.chaos.stack import Stack, wait_for
from tests.chaos.trial import RESTART_SECONDS, Row, Trial
from tests.chaos.verdict import AT_WORK, hit_work, lost_work

HALT_SECONDS = 20.0
LATEST_COPY = 1.0  # seconds behind the message: while it waits, is worked on, or is done


def _restart(trial: Trial) -> None:
    """In order and by SIGKILL: the append-only file is what is left."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        trial.until_share(0.05, 0.3)
        at_work = trial.await_claim(WORK) is not None
        before = wait_for(lambda: trial.stack.pid("redis"), RESTART_SECONDS, "redis runs")
        trial.stack.signal("redis", number)
        trial.watch.begin("redis")
        trial.note(f"{number.name} redis" + at_work * AT_WORK)
        wait_for(
            lambda old=before: trial.stack.pid("redis") not in (None, old),  # type: ignore[misc]
            RESTART_SECONDS,
            "redis is started again",
        )
        trial.rest(5.0, 9.0)


def _wipe(trial: Trial) -> None:
    """Queues, unacknowledged messages, chords and caches are gone at once."""
    for _ in range(3):
        trial.until_share(0.05, 0.4)
        _await_queue(trial)
        trial.watch.begin("redis")
        trial.stack.redis.flushall()
        trial.note("FLUSHALL")
        trial.rest(6.0, 10.0)


def _await_queue(trial: Trial, patience: float = 4.0) -> None:
    """Wait until messages wait, for there to be something to lose."""
    lists = [lane for fleet in ("document", "vectorstore") for lane in lanes(fleet)]
    deadline = time.monotonic() + patience
    while trial.goes_on() and time.monotonic() < deadline:
        if any(trial.stack.redis.llen(name) for name in lists):
            return
        time.sleep(0.01)


def _halt(trial: Trial) -> None:
    trial.until_share(0.1, 0.4)
    at_work = trial.await_claim(WORK) is not None
    with trial.watch.outage(), trial.stack.halted("redis"):
        trial.note(f"SIGSTOP redis for {HALT_SECONDS:g} s" + at_work * AT_WORK)
        ends = time.monotonic() + HALT_SECONDS
        with redis.Redis.from_url(trial.stack.record.redis_url, socket_timeout=2) as asked:
            try:
                asked.ping()
            except redis.TimeoutError:
                time.sleep(max(0.0, ends - time.monotonic()))
                return
    raise AssertionError("Redis answered while it was halted")


def _lose_caches(trial: Trial) -> None:
    """Killed, and then halted: whoever looks there does without."""
    trial.until_share(0.05, 0.2)
    before = wait_for(lambda: trial.stack.pid("cache"), RESTART_SECONDS, "the caches' Redis runs")
    at_work = trial.await_claim(WORK) is not None
    trial.watch.begin("cache")
    trial.stack.signal("cache")
    trial.note("SIGKILL cache" + at_work * AT_WORK)
    wait_for(
        lambda: trial.stack.pid("cache") not in (None, before),
        RESTART_SECONDS,
        "the caches' Redis is started again",
    )
    trial.rest(2.0, 4.0)
    at_work = trial.await_claim(WORK) is not None
    with trial.stack.halted("cache"):
        trial.note(f"SIGSTOP cache for {HALT_SECONDS:g} s" + at_work * AT_WORK)
        time.sleep(HALT_SECONDS)


def _send_twice(trial: Trial) -> None:
    """A copy of every second message, under a delivery tag of its own, up to a second later.

    Of each stage that a document passes at least one: it goes on until all were seen.
    """
    trial.watch.begin()
    stages = set(ORDER["ingest"])
    tags: set[str] = set()
    due: list[tuple[float, str, str]] = []
    with Sent(trial.stack) as sent:
        while trial.goes_on() or (stages and trial.has_work()):
            for fleet, message in sent.new():
                task = message["headers"].get("task", "?")
                tag = message["properties"]["delivery_tag"]
                # Of the reaper's and beat's there are new ones every few seconds anyway.
                if tag in tags or task.startswith("upkeep.re"):
                    continue
                tags.add(tag)
                if task in stages or trial.dice.random() < 0.5:
                    copy = json.loads(json.dumps(message))
                    copy["properties"]["delivery_tag"] = str(uuid.uuid4())
                    tags.add(copy["properties"]["delivery_tag"])
                    moment = time.monotonic() + trial.dice.uniform(0, LATEST_COPY)
                    heapq.heappush(due, (moment, fleet, json.dumps(copy)))
                    stages.discard(task)
                    trial.note(f"{task} twice", aloud=False)
            while due and due[0][0] <= time.monotonic():
                _, fleet, text = heapq.heappop(due)
                trial.stack.redis.lpush(fleet, text)
            time.sleep(0.02)
        assert sent.broken is None, sent.broken
    for _, fleet, text in due:
        trial.stack.redis.lpush(fleet, text)
    assert not stages, f"no message was sent twice of {', '.join(sorted(stages))}"


class Sent:
    """Every message that is put into a fleet's queue while it is entered, however soon it is taken.

    Args:
        stack: whose Redis is listened to.
    """

    def __init__(self, stack: Stack) -> None:
        self.broken: str | None = None
        """Why it does not listen any more, though it has not been left."""
        self._left = False
        self._found: queue.SimpleQueue[tuple[str, dict[str, Any]]] = queue.SimpleQueue()
        self._connection = stack.redis.connection_pool.get_connection()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._connection.send_command("MONITOR")
        self._connection.read_response()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._left = True
        self._connection.disconnect()
        self._thread.join(timeout=40)

    def new(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The messages since the last look, each with its queue."""
        while True:
            try:
                yield self._found.get_nowait()
            except queue.Empty:
                return

    def _listen(self) -> None:
        while True:
            try:
                line = self._connection.read_response(disable_decoding=True)
                if (message := queued(line)) is not None:
                    self._found.put(message)
            except redis.TimeoutError:
                continue
            except Exception as error:  # noqa: BLE001 - closed, or deaf from now on
                if not self._left:
                    self.broken = f"the queues were listened to no more: {error!r}"
                return


PUSHED = re.compile(rb'\] "[LR]PUSH" "(\w+)" ("(?:[^"\\]|\\.)*")$', re.IGNORECASE)


def queued(line: bytes) -> tuple[str, dict[str, Any]] | None:
    """The queue and the message of a line of MONITOR, where it shows that one is queued."""
    found = PUSHED.search(line)
    if found is None or (fleet := found[1].decode()) not in FLEETS:
        return None
    # Redis writes an argument as Python writes a literal of bytes.
    text = ast.literal_eval(f"b{found[2].decode('ascii')}")
    return fleet, json.loads(text)


ROWS = (
    Row(
        "redis-restart",
        "Redis restarted with AOF, in order and by SIGKILL",
        _restart,
        felt=hit_work,
    ),
    Row("redis-wiped", "Redis wiped with FLUSHALL", _wipe, felt=lost_work),
    Row(
        "redis-paused",
        f"Redis paused for {HALT_SECONDS:g} s (SIGSTOP)",
        _halt,
        questions=True,
        felt=hit_work,
    ),
    Row(
        "caches",
        f"the Redis of the caches killed, then paused for {HALT_SECONDS:g} s",
        _lose_caches,
        questions=True,
        felt=hit_work,
    ),
    Row("twice", "messages delivered twice, at each stage", _send_twice, questions=True),
)
