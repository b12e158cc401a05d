"""The gateway's background tasks end when they are told to, whatever they are doing."""

import asyncio

from flotilla.gateway.replies import Replies, end


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
            replies = Replies(redis_url)
            await replies.start()
            for _ in range(turns):
                await asyncio.sleep(0)
            await replies.close()
