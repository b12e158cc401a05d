"""A stream that has nothing to tell shows that it lives, and one whose ledger is away goes on."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from flotilla.errors import DependencyUnavailable
from flotilla.gateway import event_feeds, event_stream
from flotilla.gateway.event_feeds import Feeds
from flotilla.ledger.task_events import TaskState, state_of
from flotilla.schemas import Task, TaskStatus

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def a_task(status: TaskStatus) -> Task:
    ended = MOMENT if status.final else None
    return Task(
        task_id="t", kind="demo", status=status, queue="q", created_at=MOMENT, finished_at=ended
    )


async def test_silence_is_broken_and_a_ledger_that_is_away_is_asked_again(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.02)
    monkeypatch.setattr(event_feeds, "LOOK_AGAIN", 0.1)
    running, over = a_task(TaskStatus.PROCESSING), a_task(TaskStatus.COMPLETED)
    looks = 0

    async def read_states(_: Sequence[str]) -> dict[str, TaskState]:
        if looks < 3:
            raise DependencyUnavailable("Away.")
        return {"t": state_of(over)}

    async def look() -> Task:
        nonlocal looks
        looks += 1
        return over if looks > 3 else running

    feeds = Feeds(redis_url, read_states)
    await feeds.start()
    pieces: list[bytes] = []
    async for piece in event_stream.stream(feeds, running, None, look):
        pieces.append(piece)
        if piece.startswith(b":"):
            looks = 3
    await feeds.close()
    assert pieces[0].startswith(b"retry: ")
    assert b"event: state\n" in pieces[1]
    assert pieces[2] == b":\n\n"
    assert b"event: end\n" in pieces[-1]
    assert not feeds._feeds
