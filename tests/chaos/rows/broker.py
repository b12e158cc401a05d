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
from flotilla.settings import FLEETS
from tests.chaos.stack import Stack
from tests.chaos.trial import Row, Trial

HALT_SECONDS = 20.0
LATEST_COPY = 1.0  # seconds behind the message: while it waits, is worked on, or is done


def _restart(trial: Trial) -> None:
    """In order and by SIGKILL: the append-only file is what is left."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        trial.until_share(0.05, 0.3)
        trial.restart("redis", number)
        trial.rest(5.0, 9.0)


def _wipe(trial: Trial) -> None:
    """Queues, unacknowledged messages, chords and caches are gone at once."""
    for _ in range(3):
        trial.until_share(0.05, 0.4)
        trial.await_claim(("vectorstore.", "document."))
        trial.watch.begin()
        trial.stack.redis.flushall()
        trial.note("FLUSHALL")
        trial.rest(6.0, 10.0)


def _halt(trial: Trial) -> None:
    trial.until_share(0.1, 0.4)
    trial.halt("redis", HALT_SECONDS)


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
    for _, fleet, text in due:
        trial.stack.redis.lpush(fleet, text)
    assert not stages, f"no message was sent twice of {', '.join(sorted(stages))}"


class Sent:
    """Every message that is put into a fleet's queue while it is entered, however soon it is taken.

    Args:
        stack: whose Redis is listened to.
    """

    def __init__(self, stack: Stack) -> None:
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
            except redis.TimeoutError:
                continue
            except (redis.RedisError, OSError, ValueError, AttributeError):
                return  # closed
            if (message := queued(line)) is not None:
                self._found.put(message)


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
    Row("redis-restart", "Redis restarted with AOF, in order and by SIGKILL", _restart),
    Row("redis-wiped", "Redis wiped with FLUSHALL", _wipe),
    Row("redis-paused", f"Redis paused for {HALT_SECONDS:g} s (SIGSTOP)", _halt, questions=True),
    Row("twice", "messages delivered twice, at each stage", _send_twice, questions=True),
)
