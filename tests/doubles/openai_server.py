"""A server on localhost that speaks OpenAI's chat completions, for tests of real clients.

    with OpenAIServer() as server:
        server.script(rate_limited(retry_after=2), text("Nine o'clock [1]."))
        model = build_chat_model(LLMSettings(base_url=server.base_url, ...))

Replies are given in the order of the script; once it is used up, `server.fallback` is given.
Every request is kept in `server.requests`.
"""

import json
import socket
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Reply:
    """One scripted reply.

    `content` is the message of a completion; with `body`, those bytes are sent instead. `delay`
    is in seconds, before the first byte. With `cut`, the connection is closed in the middle.
    """

    content: str | None = None
    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False
    finish_reason: str = "stop"


def text(content: str, finish_reason: str = "stop") -> Reply:
    """A completion."""
    return Reply(content, finish_reason=finish_reason)


def error(status: int, message: str = "refused", code: str | None = None, **headers: str) -> Reply:
    """An error in OpenAI's form; an underscore in a header's name stands for a hyphen."""
    body = {"error": {"message": message, "type": "error", "param": None, "code": code}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, body=json.dumps(body).encode(), headers=named)


def rate_limited(retry_after: float | str | None = None) -> Reply:
    """429, with a Retry-After header when one is given."""
    headers = {} if retry_after is None else {"Retry_After": str(retry_after)}
    return error(429, "Too many requests", "rate_limit_exceeded", **headers)


def slow(seconds: float, content: str = "late") -> Reply:
    """A completion whose first byte is late."""
    return Reply(content, delay=seconds)


def malformed(body: bytes = b"<html>A page of a proxy</html>") -> Reply:
    """200 with something that is not a completion."""
    return Reply(body=body, headers={"Content-Type": "text/html"})


def cut() -> Reply:
    """A connection that is closed in the middle of the reply."""
    return Reply("half of this is", cut=True)


@dataclass(frozen=True)
class Request:
    """What a client sent; the headers' names are in lower case."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation."""
        return list(self.body["messages"])


class OpenAIServer:
    """The server; a context manager. `base_url` ends in /v1, as `LLM_BASE_URL` does."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.fallback = text("NOT_IN_PASSAGES: The documents do not say.")
        self._script: deque[Reply] = deque()
        self._lock = Lock()
        self._closing = Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def base_url(self) -> str:
        """The address for clients."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def script(self, *replies: Reply) -> None:
        """Append to the replies that will be given."""
        with self._lock:
            self._script.extend(replies)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def _take(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
            return self._script.popleft() if self._script else self.fallback

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # One segment a reply: otherwise each waits 40 ms for the client's delayed ACK.
            wbufsize = 1 << 16

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = json.loads(self.rfile.read(length) or b"{}")
                if not self.path.endswith("/chat/completions"):
                    self._send(error(404, f"No such endpoint: {self.path}"), body)
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                reply = double._take(Request(self.path, headers, body))
                # Ends early with the server, so that no test waits for a slow reply.
                double._closing.wait(reply.delay)
                try:
                    self._send(reply, body)
                except OSError:
                    self.close_connection = True

            def _send(self, reply: Reply, asked: dict[str, Any]) -> None:
                stream = bool(asked.get("stream")) and reply.body is None
                if reply.body is not None:
                    sent = reply.body
                elif stream:
                    sent = b"".join(_events(reply, asked))
                else:
                    sent = json.dumps(_completion(reply, asked)).encode()
                self.send_response(reply.status)
                kind = "text/event-stream" if stream else "application/json"
                for name, value in ({"Content-Type": kind} | reply.headers).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent[: len(sent) // 2] if reply.cut else sent)
                self.wfile.flush()
                if reply.cut:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        return Handler


def _completion(reply: Reply, asked: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": reply.content, "refusal": None}
    return {
        "id": "chatcmpl-double",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": asked.get("model", "double"),
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": reply.finish_reason,
                "logprobs": None,
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


def _events(reply: Reply, asked: dict[str, Any]) -> Iterator[bytes]:
    """The same completion as server-sent events, a word each."""
    frame = {
        "id": "chatcmpl-double",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": asked.get("model", "double"),
    }
    words = (reply.content or "").split(" ")
    for index, word in enumerate(words):
        delta = {"role": "assistant", "content": word if index == 0 else f" {word}"}
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        yield b"data: " + json.dumps(frame | {"choices": [choice]}).encode() + b"\n\n"
    choice = {"index": 0, "delta": {}, "finish_reason": reply.finish_reason}
    yield b"data: " + json.dumps(frame | {"choices": [choice]}).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"
