"""What happens to every request: an id, a bound on its body, bound log fields."""

import re
import uuid
from typing import Any

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flotilla.errors import FileTooLarge
from flotilla.gateway.problems import problem

PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
LARGEST_JSON_BODY = 16 * 1024 * 1024  # bytes
STREAMED = ("POST", "/documents")  # read piece by piece, and bounded there


class RequestId:
    """Gives each request an id, the client's own where it sent a plain one in X-Request-ID."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        request_id = given if PLAIN_ID.fullmatch(given) else uuid.uuid4().hex
        scope["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        # Each request runs in a task with a context of its own: nothing has to be unbound.
        structlog.contextvars.bind_contextvars(request_id=request_id)
        await self.app(scope, receive, send_with_id)


class BodyLimit:
    """Bounds the bodies that are read whole; uploads are bounded where they are streamed."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["method"], scope["path"]) == STREAMED:
            await self.app(scope, receive, send)
            return
        headers: dict[bytes, Any] = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > LARGEST_JSON_BODY:
            await self._refuse(scope, receive, send)
            return
        read = 0

        async def bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > LARGEST_JSON_BODY:
                # FastAPI lets no other class through while it reads a body.
                raise HTTPException(FileTooLarge.status) from FileTooLarge(_too_large())
            return message

        await self.app(scope, bounded, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = problem(
            Request(scope),
            code=FileTooLarge.code,
            status=FileTooLarge.status,
            title=FileTooLarge.title(),
            detail=_too_large(),
        )
        await response(scope, receive, send)


def _too_large() -> str:
    return (
        f"The body is larger than {LARGEST_JSON_BODY:,} bytes: send long texts as a file to "
        "POST /documents."
    )
