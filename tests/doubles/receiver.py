"""A receiver of webhooks: a real HTTP server that keeps what it is sent and answers as told."""

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from flotilla.schemas import Callback


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def callback(self) -> Callback:
        return Callback.model_validate(self.json)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """How the receiver answers: after `pause` seconds, unless it is let go before."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    pause: float = 0.0


class Receiver:
    """Serves in threads of its own.

    `answers[path]` are given in their order, the last for ever; `usual` where there are none.
    """

    def __init__(self, usual: Answer | None = None) -> None:
        self._usual = usual or Answer()
        self.received: list[Received] = []
        self.answers: dict[str, list[Answer]] = {}
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self.let_go = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer._serve(self)

            do_GET = do_POST  # noqa: N815 - the base class calls it so

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.let_go.set()
        self._server.shutdown()
        self._server.server_close()

    def at(self, path: str) -> list[Received]:
        """What has arrived at a path, in its order."""
        return [each for each in self.received if each.path == path]

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        with self._lock:
            self.received.append(Received(handler.path, dict(handler.headers.items()), body))
            answers = self.answers.get(handler.path) or [self._usual]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            deadline = time.monotonic() + answer.pause
            while time.monotonic() < deadline and not self.let_go.wait(0.01):
                pass
            handler.send_response(answer.status)
            for name, value in answer.headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(answer.body)))
            handler.end_headers()
            handler.wfile.write(answer.body)
        except OSError:  # the sender did not wait
            handler.close_connection = True
        finally:
            with self._lock:
                self._at_once -= 1
