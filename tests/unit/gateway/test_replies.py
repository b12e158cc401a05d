"""The gateway's background tasks end when they are told to, whatever they are doing."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis.asyncio as redis

from flotilla.errors import Cancelled
from flotilla.gateway.channels import Channels, end
from flotilla.gateway.replies import Replies
from flotilla.ledger.announce import channel
from flotilla.schemas import Task
from tests.integration.gateway.processes import running_redis


async def test_a_task_that_swallows_a_cancellation_is_ended_all_the_same() -> None:
    async def stubborn() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(60)  # as a client library that is just connecting may do

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await end(task)
    assert task.done()


async def test_it_is_closed_at_any_moment_of_its_start(redis_url: str) -> None:
    async with asyncio.timeout(30):
        for turns in range(60):
            channels = Channels(redis_url)
            await channels.start()
            for _ in range(turns):
                await asyncio.sleep(0)
            await channels.close()


async def test_a_task_that_was_deleted_is_not_waited_for(redis_url: str) -> None:
    channels = Channels(redis_url)
    replies = Replies(channels)

    async def gone() -> Task | None:
        return None

    async with replies.follow("deleted") as reply:
        with pytest.raises(Cancelled, match="deleted"):
            await reply.wait(60.0, gone)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[str]:
    """A Redis without other clients, whose subscriptions would be broken and made anew as well."""
    with running_redis(tmp_path / "redis") as (url, _):
        yield url


async def test_a_broken_connection_leaves_no_subscription_behind(own_redis: str) -> None:
    """What was being left when it broke is not taken up again with the next one, and of all who
    meet the broken connection one alone makes the next."""
    channels = Channels(own_redis)
    replies = Replies(channels)
    await channels.start()
    await replies.start()
    admin = redis.Redis.from_url(own_redis, decode_responses=True)

    async def follow(job_id: str, leave: asyncio.Event) -> None:
        async with replies.follow(job_id):
            await leave.wait()

    async def heard() -> set[str]:
        return set(await admin.pubsub_channels("flotilla:job:broken-*"))

    async def connections() -> int:
        return int((await admin.info("stats"))["total_connections_received"])

    try:
        async with asyncio.timeout(60):
            for turn in range(5):
                leave = asyncio.Event()
                jobs = [f"broken-{turn}-{number}" for number in range(20)]
                following = [asyncio.create_task(follow(job, leave)) for job in jobs]
                while not {channel(job) for job in jobs} <= await heard():  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
                before = await connections()
                await admin.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
                leave.set()
                await asyncio.gather(*following)
            async with replies.follow("broken-last"):
                while await heard() != {channel("broken-last")}:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            assert await connections() == before + 1
    finally:
        await replies.close()
        await channels.close()
        await admin.aclose()
