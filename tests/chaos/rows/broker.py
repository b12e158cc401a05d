"""Rows about Redis: restarted, wiped, halted, and messages that come twice."""

import json
import signal
import uuid
from collections import Counter

import redis

from flotilla.settings import FLEETS
from tests.chaos.trial import Row, Trial

HALT_SECONDS = 20.0


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
    """Copies of what waits and of what is being worked on, under a delivery tag of their own."""
    copied: Counter[str] = Counter()
    trial.watch.begin()
    seen: set[str] = set()
    while trial.goes_on():
        for fleet in FLEETS:
            for message in _messages(trial.stack.redis, fleet):
                task = message["headers"].get("task", "?")
                tag = message["properties"]["delivery_tag"]
                # Of the reaper's and beat's there are new ones every few seconds anyway.
                if tag in seen or task.startswith("upkeep.re"):
                    continue
                copy = json.loads(json.dumps(message))
                copy["properties"]["delivery_tag"] = str(uuid.uuid4())
                seen |= {tag, copy["properties"]["delivery_tag"]}
                if trial.dice.random() < 0.5:
                    trial.stack.redis.lpush(fleet, json.dumps(copy))
                    copied[task] += 1
        trial.rest(0.02, 0.2)
    for task, times in copied.items():
        trial.note(f"{task} twice", times)


def _messages(client: redis.Redis, fleet: str) -> list[dict]:  # type: ignore[type-arg]
    waiting = [json.loads(text) for text in client.lrange(fleet, 0, -1)]  # type: ignore[union-attr]
    taken = [json.loads(text)[0] for text in client.hvals(f"unacked:{fleet}")]  # type: ignore[union-attr]
    return waiting + taken


ROWS = (
    Row("redis-restart", "Redis restarted with AOF, in order and by SIGKILL", _restart),
    Row("redis-wiped", "Redis wiped with FLUSHALL", _wipe),
    Row("redis-paused", f"Redis paused for {HALT_SECONDS:g} s (SIGSTOP)", _halt, questions=True),
    Row("twice", "messages delivered twice, at each stage", _send_twice, questions=True),
)
