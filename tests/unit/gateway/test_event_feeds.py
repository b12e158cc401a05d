"""What reads for all followers goes on, whatever one of its turns ends with."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from flotilla.gateway import event_feeds
from flotilla.gateway.event_feeds import Feeds
from flotilla.ledger.task_events import TaskState, key, write
from flotilla.schemas import TaskStatus

STATE = TaskState(TaskStatus.PROCESSING, "document.convert", 1, None)


async def read_nothing(_job_ids: Sequence[str]) -> dict[str, TaskState]:
    return {}


async def test_a_look_that_fails_is_followed_by_another(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_feeds, "LOOK_AGAIN", 0.01)
    looks = 0

    async def read_states(job_ids: Sequence[str]) -> dict[str, TaskState]:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise RuntimeError("a statement that is at fault")
        return dict.fromkeys(job_ids, STATE)

    feeds = Feeds(redis_url, read_states)
    await feeds.start()
    with feeds.follow("a") as follower:
        assert await follower.wait(10)
        assert follower.taken()[1] is not None
    await feeds.close()


async def test_a_read_that_fails_is_followed_by_another(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_feeds, "REDIS_PAUSE", 0.01)
    feeds = Feeds(redis_url, read_nothing)
    read, failed = feeds._reader.xread, asyncio.Event()

    async def fail_once(*arguments: Any, **options: Any) -> Any:
        if not failed.is_set():
            failed.set()
            raise ValueError("an answer that nobody understands")
        return await read(*arguments, **options)

    monkeypatch.setattr(feeds._reader, "xread", fail_once)
    await feeds.start()
    with feeds.follow("b") as follower:
        assert await feeds.history("b") == []
        async with asyncio.timeout(10):
            await failed.wait()
        fields: Any = write(STATE)
        await feeds._histories.xadd(key("b"), fields)
        assert await follower.wait(10)
        assert [state.stage for _, state in follower.taken()[0]] == [STATE.stage]
        await feeds._histories.delete(key("b"))
    await feeds.close()
