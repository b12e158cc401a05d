"""A server on localhost that speaks LlamaCloud's protocol, for tests of its real client.

    with LlamaCloudServer() as server:
        server.markdown = ["# Page one", "# Page two"]
        server.fail("create", 429, headers={"Retry-After": "2"})

It takes files, has them parsed in `looks` looks, and forgets them when it is told to. What is
scripted by `fail` is answered first, in its order, for the step that it names: `upload`, `create`,
`get`, `cancel`, `delete`, `delete_file`.
"""

import json
import re
import threading
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self

KEY = "llx-test-0123456789"
STEPS = (
    ("upload", "POST", r"/api/v1/beta/files"),
    ("create", "POST", r"/api/v2/parse"),
    ("cancel", "POST", r"/api/v2/parse/[^/]+/cancel"),
    ("get", "GET", r"/api/v2/parse/[^/]+"),
    ("delete", "DELETE", r"/api/v2/parse/[^/]+"),
    ("delete_file", "DELETE", r"/api/v1/beta/files/[^/]+"),
)


class LlamaCloudServer:
    """The server; a context manager."""

    def __init__(self) -> None:
        self.markdown: list[str | None] = ["# The page\n\nIts text."]
        """Of each page; None is a page that could not be parsed."""
        self.looks = 0
        """Looks at a job that find it running before it is done."""
        self.ends_as = "COMPLETED"
        self.files: dict[str, bytes] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.steps: list[str] = []
        self.keys: set[str] = set()
        self._scripted: defaultdict[str, deque[tuple[int, dict[str, str], float]]] = defaultdict(
            deque
        )
        self._lock = threading.Lock()
        self._closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer._serve(self)

            do_GET = do_DELETE = do_POST  # noqa: N815 - the base class calls them so

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
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

    def fail(
        self,
        step: str,
        status: int,
        *,
        headers: Mapping[str, str] | None = None,
        pause: float = 0.0,
        times: int = 1,
    ) -> None:
        """Answer the next requests of a step with an error, after a pause."""
        self._scripted[step].extend([(status, dict(headers or {}), pause)] * times)

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        path = handler.path.partition("?")[0]
        step = next(
            (
                name
                for name, method, pattern in STEPS
                if handler.command == method and re.fullmatch(pattern, path)
            ),
            None,
        )
        with self._lock:
            self.steps.append(step or f"{handler.command} {path}")
            self.keys.add(handler.headers.get("Authorization", ""))
            scripted = self._scripted[step or ""]
            status, headers, pause = scripted.popleft() if scripted else (200, {}, 0.0)
        deadline = time.monotonic() + pause
        while time.monotonic() < deadline and not self._closing.wait(0.01):
            pass
        reply: Any = {"detail": "scripted"}
        if step is None:
            status = 404
        elif status == 200:
            status, reply = getattr(self, f"_{step}")(path, body, handler)
        sent = json.dumps(reply).encode()
        try:
            handler.send_response(status)
            for name, value in {
                **headers,
                "Content-Type": "application/json",
                "Content-Length": str(len(sent)),
            }.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(sent)
        except OSError:  # the client did not wait
            handler.close_connection = True

    def _upload(self, _path: str, body: bytes, handler: Any) -> tuple[int, Any]:
        boundary = handler.headers["Content-Type"].partition("boundary=")[2].encode()
        for part in body.split(b"--" + boundary):
            head, _, content = part.partition(b"\r\n\r\n")
            if b'name="file"' in head:
                name = f"file-{len(self.files) + 1}"
                self.files[name] = content.removesuffix(b"\r\n")
                return 200, {"id": name, "name": "document", "project_id": "project"}
        return 422, {"detail": "no file"}

    def _create(self, _path: str, body: bytes, _handler: Any) -> tuple[int, Any]:
        asked = json.loads(body)
        if asked.get("file_id") not in self.files:
            return 404, {"detail": "no such file"}
        name = f"job-{len(self.jobs) + 1}"
        self.jobs[name] = {"asked": asked, "looks": self.looks}
        return 200, self._job(name, "PENDING")

    def _get(self, path: str, _body: bytes, handler: Any) -> tuple[int, Any]:
        name = path.rpartition("/")[2]
        if name not in self.jobs:
            return 404, {"detail": "no such job"}
        job = self.jobs[name]
        if job["looks"] > 0:
            job["looks"] -= 1
            return 200, {"job": self._job(name, "RUNNING")}
        reply: dict[str, Any] = {"job": self._job(name, self.ends_as)}
        if "expand" in handler.path:
            reply["markdown"] = {
                "pages": [
                    {"page_number": number, "success": True, "markdown": text}
                    if text is not None
                    else {"page_number": number, "success": False, "error": "it failed"}
                    for number, text in enumerate(self.markdown, start=1)
                ]
            }
        return 200, reply

    def _cancel(self, path: str, _body: bytes, _handler: Any) -> tuple[int, Any]:
        return 200, self._job(path.split("/")[-2], "CANCELLED")

    def _delete(self, path: str, _body: bytes, _handler: Any) -> tuple[int, Any]:
        self.jobs.pop(path.rpartition("/")[2], None)
        return 200, {}

    def _delete_file(self, path: str, _body: bytes, _handler: Any) -> tuple[int, Any]:
        self.files.pop(path.rpartition("/")[2], None)
        return 200, {}

    _MESSAGES: ClassVar[dict[str, str]] = {"FAILED": "it is damaged"}

    def _job(self, name: str, status: str) -> dict[str, Any]:
        return {
            "id": name,
            "project_id": "project",
            "status": status,
            "error_message": self._MESSAGES.get(status),
        }
