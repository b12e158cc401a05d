"""What the endpoints stand on; with a fleet's tasks, the only place that wires real clients."""

import base64
import binascii
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar

import anyio
import anyio.to_thread
import httpx
import redis.asyncio as redis
from fastapi import Depends, Query, Request
from sqlalchemy import Connection

from flotilla import dispatch
from flotilla.blobs import BlobStore
from flotilla.cache_store import CacheStore
from flotilla.errors import DependencyUnavailable, InvalidRequest
from flotilla.gateway.answer_feeds import AnswerFeeds
from flotilla.gateway.backpressure import INGESTIONS, QUESTIONS, SMOKE_TESTS, Backlogs
from flotilla.gateway.callbacks import CallbackAddresses
from flotilla.gateway.channels import Channels
from flotilla.gateway.event_feeds import Feeds
from flotilla.gateway.replies import Replies
from flotilla.gateway.submissions import Submissions
from flotilla.ledger import backlogs, task_events
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.logging import get_logger
from flotilla.schemas import Listing
from flotilla.schemas.webhooks import CallbackURL
from flotilla.settings import Settings

logger = get_logger(__name__)

Value = TypeVar("Value")
Item = TypeVar("Item")
Arguments = ParamSpec("Arguments")


@dataclass
class Services:
    """The clients of one gateway process."""

    settings: Settings
    database: Database
    blobs: BlobStore
    redis: redis.Redis
    caches: CacheStore | None
    http: httpx.AsyncClient
    replies: Replies
    feeds: Feeds
    answers: AnswerFeeds
    submissions: Submissions
    callbacks: CallbackAddresses
    backlogs: Backlogs
    threads: anyio.CapacityLimiter

    async def in_thread(
        self,
        function: Callable[Arguments, Value],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Value:
        """Run a blocking function in one of the gateway's threads."""
        return await anyio.to_thread.run_sync(
            lambda: function(*args, **kwargs), limiter=self.threads
        )

    async def read(
        self,
        function: Callable[Concatenate[Connection, Arguments], Value],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Value:
        """Run a function of the ledger in a reading transaction."""

        def run() -> Value:
            with self.database.reading() as connection:
                return function(connection, *args, **kwargs)

        return await anyio.to_thread.run_sync(run, limiter=self.threads)

    async def write(
        self,
        function: Callable[Concatenate[Connection, Arguments], Value],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Value:
        """Run a function of the ledger in a writing transaction."""

        def run() -> Value:
            with self.database.writing() as connection:
                return function(connection, *args, **kwargs)

        return await anyio.to_thread.run_sync(run, limiter=self.threads)

    async def after_commit(self, work: Callable[..., object], *args: Any) -> None:
        """Do what follows on a request that is carried out already. So no outage leaves it: who
        asked again would be told that it cannot be done twice. The reaper does what this could
        not."""
        try:
            await self.in_thread(work, *args)
        except DependencyUnavailable as error:
            logger.warning("gateway.postponed", error=error.message)

    async def release(self) -> None:
        """Send the ingestions that have their turn. The rest waits in the ledger, and so does all
        of it while the broker is out of reach."""
        await self.after_commit(dispatch.release, self.database)


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Connect everything, and close it in the end. Nothing needs to be up yet."""
    database = Database(settings.ledger_url, pool_size=settings.gateway.threads)
    channels = Channels(settings.redis_url)

    async def read_states(job_ids: Sequence[str]) -> dict[str, task_events.TaskState]:
        return await services.read(task_events.states, job_ids)

    async with httpx.AsyncClient(timeout=2.0) as http:
        services = Services(
            settings=settings,
            database=database,
            blobs=BlobStore(settings.blobs_url),
            redis=redis.Redis.from_url(
                settings.redis_url, decode_responses=True, socket_connect_timeout=2
            ),
            caches=CacheStore(settings.cache) if settings.cache.url else None,
            http=http,
            replies=Replies(channels),
            feeds=Feeds(settings.redis_url, read_states),
            answers=AnswerFeeds(
                settings.redis_url, channels, read_states, settings.gateway.stream_grace
            ),
            submissions=Submissions(database),
            callbacks=CallbackAddresses(allow_private=settings.webhook.allow_private),
            backlogs=Backlogs(
                settings.gateway,
                {
                    INGESTIONS: lambda: services.read(backlogs.ingestions),
                    QUESTIONS: lambda: services.read(backlogs.questions),
                    SMOKE_TESTS: lambda: services.read(backlogs.smoke_tests),
                },
            ),
            threads=anyio.CapacityLimiter(settings.gateway.threads),
        )
        await channels.start()
        await services.replies.start()
        await services.feeds.start()
        await services.answers.start()
        await services.submissions.start()
        try:
            yield services
        finally:
            await services.answers.close()
            await services.feeds.close()
            await services.submissions.close()
            await services.replies.close()
            await channels.close()
            services.callbacks.close()
            await services.redis.aclose()
            if services.caches is not None:
                services.caches.close()
            database.close()


# Not blocking, and yet async: FastAPI runs plain functions in a thread, which costs more than
# they do.
async def get_services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def current_tenant() -> str:
    """The tenant that the request speaks for. One machine without keys has just one."""
    return DEFAULT_TENANT


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a list is asked for: at most `limit` items after the cursor's.

    One more than that is to be read: whether it is there tells whether the list goes on.
    """

    limit: int
    after: str | None

    @property
    def wanted(self) -> int:
        """How many items are to be read."""
        return self.limit + 1

    def listing(self, items: list[Item], key: Callable[[Item], str]) -> Listing[Item]:
        """This part of the list, with the next one's cursor unless it is the last."""
        shown = items[: self.limit]
        if len(items) == len(shown):
            return Listing(items=shown)
        return Listing(items=shown, next_cursor=cursor_after(key(shown[-1])))


def cursor_after(key: str) -> str:
    """The cursor of what comes after the item with this key."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def read_cursor(cursor: str | None) -> str | None:
    """The key that a cursor stands for; None where there is no cursor.

    Raises:
        InvalidRequest: it is not a cursor.
    """
    if not cursor:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidRequest(
            "The cursor is not one that a list has given: leave it out to start at the beginning.",
            field="cursor",
        ) from None


async def list_part(
    limit: Annotated[int, Query(ge=1, le=500, description="Most items to return.")] = 50,
    cursor: Annotated[
        str | None,
        Query(max_length=1000, description="`next_cursor` of the part before; none at first."),
    ] = None,
) -> Part:
    return Part(limit, read_cursor(cursor))


ServicesDep = Annotated[Services, Depends(get_services)]
TenantDep = Annotated[str, Depends(current_tenant)]


async def callback_parameter(
    services: ServicesDep, callback_url: Annotated[CallbackURL, Query()] = None
) -> str | None:
    """For requests that have no body to put it in."""
    return await services.callbacks.check_given(callback_url)


CallbackDep = Annotated[str | None, Depends(callback_parameter)]
PartDep = Annotated[Part, Depends(list_part)]
