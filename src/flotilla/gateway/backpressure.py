"""Backpressure: past a limit of what waits, a submission is refused before its body is read.

What waits is counted in the ledger, so that all gateways see the same, at most once a second each.
Between two counts a gateway adds what it has let in itself.
"""

import asyncio
import math
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from flotilla.errors import DependencyUnavailable, Overloaded
from flotilla.gateway.problems import problem
from flotilla.settings import GatewaySettings

Count = Callable[[], Awaitable[int]]
"""How many jobs of a kind are not over."""

COUNTED_SECONDS = 1.0  # for which a count is believed
SHORTEST, LONGEST, UNKNOWN = 1, 60, 10  # seconds of Retry-After
SMOOTHING = 0.3  # weight of the newest measurement of how fast the fleet works

INGESTIONS, QUESTIONS, SMOKE_TESTS = "ingestions", "questions", "smoke tests"
SUBMISSIONS = {
    INGESTIONS: re.compile(r"/documents|/rag/pipeline|/(documents|collections)/[^/]+/reindex"),
    QUESTIONS: re.compile(
        r"/rag/(query|query/sync|query/stream|search)|/chat(/stream)?|"
        r"/api/chat/generate-questions|/collections/[^/]+/warm"
    ),
    SMOKE_TESTS: re.compile(r"/tasks/(process|calculate/(add|divide)|workflow/(chain|parallel))"),
}

SMALL_BODY = 64 * 1024  # bytes that are sooner read than a connection is made anew
LINGER_SECONDS = 2.0
LINGER_BYTES = 4 * 1024 * 1024


@dataclass(slots=True)
class _Look:
    """One count: what was waiting then, and what this gateway has done since."""

    at: float
    waiting: int
    let_in: int = 0
    turned_away: int = 0


class Backlog:
    """What waits of one kind, and how many of it may."""

    def __init__(
        self,
        what: str,
        most: int,
        count: Count,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what = what
        self._most = most
        self._count = count
        self._clock = clock
        self._look: _Look | None = None
        self._rate: float | None = None  # jobs that end in a second
        self._waiting_before = 0  # who was turned away in the period before, and comes again
        self._lock = asyncio.Lock()

    async def let_in(self) -> None:
        """Let one submission in.

        Raises:
            Overloaded: as many as may wait are waiting, with the seconds until there may be room.
        """
        look = await self._fresh()
        if look.waiting + look.let_in < self._most:
            look.let_in += 1
            return
        look.turned_away += 1
        seconds = self._seconds(look)
        raise Overloaded(
            f"{look.waiting:,} {self._what} are waiting, and {self._most:,} are the most: try "
            f"again in {seconds} s.",
            retry_after=seconds,
        )

    async def _fresh(self) -> _Look:
        look = self._look
        if look is not None and self._clock() - look.at < COUNTED_SECONDS:
            return look
        async with self._lock:
            if self._look is look:  # nobody else has counted while this one waited
                self._renew(await self._count())
            assert self._look is not None  # noqa: S101 - just set
            return self._look

    def _renew(self, waiting: int) -> None:
        moment, before = self._clock(), self._look
        if before is not None and moment > before.at:
            # What other gateways have let in hides what has ended; past the limit they let in
            # nothing, and then this is right.
            ended = max(0, before.waiting + before.let_in - waiting)
            rate = ended / (moment - before.at)
            known = self._rate if self._rate is not None else rate
            self._rate = known + SMOOTHING * (rate - known)
            self._waiting_before = before.turned_away
        self._look = _Look(moment, waiting)

    def _seconds(self, look: _Look) -> int:
        """Seconds until there is room for this one and for those that were turned away before."""
        if self._rate is None:
            return UNKNOWN
        ahead = look.waiting + look.let_in - self._most
        ahead += max(look.turned_away, self._waiting_before)
        if self._rate * LONGEST <= ahead:
            return LONGEST
        return max(SHORTEST, math.ceil(ahead / self._rate))


class Backlogs:
    """The backlogs of one gateway.

    Args:
        settings: how much may wait of each kind.
        counts: how much does, for each of SUBMISSIONS.
    """

    def __init__(self, settings: GatewaySettings, counts: Mapping[str, Count]) -> None:
        most = {
            INGESTIONS: settings.max_pending_jobs,
            QUESTIONS: settings.max_pending_queries,
            SMOKE_TESTS: settings.max_pending_smoke_tests,
        }
        self._backlogs = {kind: Backlog(kind, most[kind], counts[kind]) for kind in SUBMISSIONS}

    async def let_in(self, method: str, path: str) -> None:
        """Let a request in, if there is room for what it submits; others always.

        Raises:
            Overloaded: as many as may wait are waiting.
        """
        if method != "POST":
            return
        for kind, paths in SUBMISSIONS.items():
            if paths.fullmatch(path):
                await self._backlogs[kind].let_in()


class Backpressure:
    """Refuses submissions that there is no room for, without reading their bodies."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _goes_on(scope):
            backlogs: Backlogs = scope["app"].state.services.backlogs
            try:
                await backlogs.let_in(scope["method"], scope["path"])
            except Overloaded as error:
                await _refuse(error, scope, receive, send)
                return
            except DependencyUnavailable:
                pass  # the endpoint says it, in its own words
        await self.app(scope, receive, send)


def _goes_on(scope: Scope) -> bool:
    """Whether the request goes on with a stream whose question was let in before."""
    streamed: bool = scope["path"].endswith("/stream")
    return streamed and b"last-event-id" in dict(scope["headers"])


async def _refuse(error: Overloaded, scope: Scope, receive: Receive, send: Send) -> None:
    response = problem(
        Request(scope),
        code=error.code,
        status=error.status,
        title=error.title(),
        detail=error.message,
        retryable=error.retryable,
        retry_after=error.retry_after,
    )
    if _has_small_body(scope):
        await response(scope, receive, send)
        return
    # The client gets all of the answer now, while it may be sending still. A connection that is
    # closed over unread bytes is reset, and some systems then throw the answer away unread.
    response.headers["Connection"] = "close"
    start = {"type": "http.response.start", "status": response.status_code}
    await send({**start, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": bytes(response.body), "more_body": True})
    await _linger(receive)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _has_small_body(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"0")
    return b"transfer-encoding" not in headers and length.isdigit() and int(length) <= SMALL_BODY


async def _linger(receive: Receive) -> None:
    """Throw away what still comes, for a while."""
    left = LINGER_BYTES
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while left > 0:
                message = await receive()
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
                left -= len(message.get("body", b""))
    except TimeoutError:
        return
