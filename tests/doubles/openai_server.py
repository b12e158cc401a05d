"""A server on localhost that speaks OpenAI's API, for tests of real clients.

    with OpenAIServer() as server:
        server.script(rate_limited(retry_after=2), text("Nine o'clock [1]."))
        model = build_chat_model(LLMSettings(base_url=server.base_url, ...))

It has chat completions (whole and as streams, with tools, structured output and usage) and
embeddings. A request is answered by `server.responder`, where there is one and it does not return
None; else by the next reply of the script; once that is used up, by `server.fallback`. Every
request is kept in `server.requests`, embeddings in `server.embedding_requests`.

As a program it stands beside a stack: `python -m tests.doubles.openai_server --help`. Another
process then scripts it by `POST /double/script` and reads `GET /double/requests`.
"""

import argparse
import json
import signal
import sys
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

from tests.doubles import openai_wire as wire
from tests.doubles.openai_handler import ListeningServer
from tests.doubles.openai_replies import (
    Reply,
    Request,
    ToolCall,
    calls,
    chunked,
    cut,
    error,
    malformed,
    rate_limited,
    slow,
    structured,
    text,
)
from tests.doubles.openai_responders import RESPONDERS, Responder, paced

__all__ = [
    "OpenAIServer",
    "Reply",
    "Request",
    "ToolCall",
    "calls",
    "chunked",
    "cut",
    "error",
    "malformed",
    "rate_limited",
    "slow",
    "structured",
    "text",
]


class OpenAIServer:
    """The server; a context manager. `base_url` ends in /v1, as `LLM_BASE_URL` does.

    `lacks` are features that are refused with 400, as simpler servers do: `json_schema`,
    `json_object`, `tools`, `stream_options`. With `sends_usage` False no reply says how many
    tokens it took.
    """

    def __init__(self, port: int = 0) -> None:
        self.requests: list[Request] = []
        self.embedding_requests: list[Request] = []
        self.begun: list[float] = []
        """When the first chunk of each stream was sent, by `time.perf_counter`."""
        self.fallback = text("NOT_IN_PASSAGES: The documents do not say.")
        self.responder: Responder | None = None
        self.lacks: set[str] = set()
        self.sends_usage = True
        self.closing = Event()
        self._script: deque[Reply] = deque()
        self._embedding_script: deque[Reply] = deque()
        self._lock = Lock()
        self._server = ListeningServer(port, self)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def base_url(self) -> str:
        """The address for clients."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    @property
    def scripted(self) -> bool:
        """Whether the script is not used up."""
        return bool(self._script)

    def script(self, *replies: Reply) -> None:
        """Append to the replies that will be given."""
        with self._lock:
            self._script.extend(replies)

    def script_embeddings(self, *replies: Reply) -> None:
        """Append to what is given to requests for embeddings in place of vectors."""
        with self._lock:
            self._embedding_script.extend(replies)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def take(self, request: Request) -> Reply:
        """The reply to a chat."""
        with self._lock:
            self.requests.append(request)
        if lacking := request.features & self.lacks:
            return error(400, f"Not supported: {', '.join(sorted(lacking))}", "unsupported")
        if self.responder is not None and (reply := self.responder(request)) is not None:
            return reply
        with self._lock:
            return self._script.popleft() if self._script else self.fallback

    def take_embeddings(self, request: Request) -> Reply:
        """The reply to texts."""
        with self._lock:
            self.embedding_requests.append(request)
            if self._embedding_script:
                return self._embedding_script.popleft()
        return Reply(body=wire.embeddings(request))


def main(arguments: Iterable[str] | None = None) -> int:
    """Serve until the process is told to end; the address is the first line that is printed."""
    parser = argparse.ArgumentParser(prog="python -m tests.doubles.openai_server")
    parser.add_argument("--port", type=int, default=0, help="a free one when 0")
    parser.add_argument(
        "--script",
        type=Path,
        help="a JSON list of replies, each with the fields of tests.doubles.openai_replies.Reply",
    )
    parser.add_argument(
        "--responder",
        choices=sorted(RESPONDERS),
        default="passages",
        help="what answers once the script is used up",
    )
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between chunks")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before the first byte")
    parser.add_argument("--lacks", default="", help="features to refuse, comma separated")
    options = parser.parse_args(None if arguments is None else list(arguments))
    ended = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with OpenAIServer(options.port) as server:
        server.lacks = set(filter(None, options.lacks.split(",")))
        if options.script is not None:
            server.script(*map(Reply.of_json, json.loads(options.script.read_text("utf-8"))))
        answer = paced(RESPONDERS[options.responder], options.pause, options.delay)

        def responder(request: Request) -> Reply | None:
            return None if server.scripted else answer(request)

        server.responder = responder
        print(server.base_url, flush=True)
        ended.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
