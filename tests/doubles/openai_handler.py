"""How the double of an OpenAI server sends: whole, in chunks, byte by byte, not to the end."""

import json
import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.doubles import openai_wire as wire
from tests.doubles.openai_replies import Reply, Request, error

if TYPE_CHECKING:
    from tests.doubles.openai_server import OpenAIServer


class ListeningServer(ThreadingHTTPServer):
    """Listens for a double."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, double: "OpenAIServer") -> None:
        self.double = double
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away, which is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # One segment a reply: otherwise each waits 40 ms for the client's delayed ACK.
    wbufsize = 1 << 16
    disable_nagle_algorithm = True

    hung_up = False

    @property
    def double(self) -> "OpenAIServer":
        assert isinstance(self.server, ListeningServer)
        return self.server.double

    def do_GET(self) -> None:
        if self.path == "/double/requests":
            known = [{"path": r.path, "body": r.body} for r in list(self.double.requests)]
            self._send_whole(Reply(body=json.dumps(known).encode()))
        elif self.path.endswith("/models"):
            self._send_whole(Reply(body=b'{"object": "list", "data": []}'))
        else:
            self._send_whole(error(404, f"No such endpoint: {self.path}"))

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length) or b"{}")
        headers = {name.lower(): value for name, value in self.headers.items()}
        if self.path == "/double/script":
            self.double.script(*map(Reply.of_json, body))
            self._send_whole(Reply(body=b"{}"))
            return
        request = Request(self.path, headers, body)
        if self.path.endswith("/chat/completions"):
            reply = self.double.take(request)
        elif self.path.endswith("/embeddings"):
            reply = self.double.take_embeddings(request)
        else:
            reply = error(404, f"No such endpoint: {self.path}")
        # Ends early with the server, so that no test waits for a slow reply.
        self.double.closing.wait(reply.delay)
        try:
            if reply.body is None and request.streams:
                self._send_stream(reply, request)
            elif reply.body is None:
                sent = wire.completion(reply, request, self.double.sends_usage)
                self._send_whole(reply, sent)
            else:
                self._send_whole(reply)
        except OSError:
            self.close_connection = True

    def _send_whole(self, reply: Reply, body: bytes | None = None) -> None:
        sent = reply.body if body is None else body
        assert sent is not None
        head = {"Content-Type": "application/json", "Content-Length": str(len(sent))}
        self._head(reply, head)
        if reply.cut:
            sent = sent[: len(sent) // 2]
        if reply.dribble:
            self._dribble(sent, reply.dribble)
            return
        self.end_headers()
        self.wfile.write(sent)
        self.wfile.flush()
        if reply.cut:
            self._hang_up()

    def _send_stream(self, reply: Reply, request: Request) -> None:
        self._head(reply, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
        if reply.dribble:
            self._dribble(b"".join(self._events(reply, request)), reply.dribble, framed=True)
            return
        self.end_headers()
        self.wfile.flush()
        for event in self._events(reply, request):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
            self.wfile.flush()
            if self.double.closing.is_set():
                break
        else:
            if not self.hung_up:
                self.wfile.write(b"0\r\n\r\n")
                self.wfile.flush()

    def _events(self, reply: Reply, request: Request) -> Iterator[bytes]:
        """The stream's events, up to where it is cut."""
        chunks = wire.text_chunks(reply, request)
        cut_after = len(chunks) // 2 if reply.cut else reply.cut_after
        for number, chunk in enumerate(chunks):
            if number == cut_after:
                self._hang_up()
                return
            if number == reply.end_after:
                return
            if number == reply.error_after:
                yield wire.event({"error": {"message": "The model failed", "code": 500}})
                return
            if number == reply.stall_after:
                self.double.closing.wait()
                return
            if number and reply.pause:
                self.double.closing.wait(reply.pause)
            if number == 0:
                self.double.begun.append(time.perf_counter())
            yield wire.text_event(chunk, request, first=number == 0)
        if cut_after is not None:
            self._hang_up()
            return
        yield from wire.closing_events(reply, request, self.double.sends_usage)

    def _head(self, reply: Reply, own: dict[str, str]) -> None:
        self.send_response(reply.status)
        for name, value in (own | dict(reply.headers)).items():
            self.send_header(name, value)

    def _dribble(self, body: bytes, pause: float, framed: bool = False) -> None:
        """Head and body, a byte at a time."""
        if framed:
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        head = b"".join(self._headers_buffer) + b"\r\n"  # type: ignore[attr-defined]
        self._headers_buffer: list[bytes] = []
        for byte in head + body:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if self.double.closing.wait(pause):
                break

    def _hang_up(self) -> None:
        self.close_connection = self.hung_up = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass
