"""What no client's library sends: broken HTTP, over a bare connection."""

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.fuzz.judgement import SLOWEST

STATUS = re.compile(rb"^HTTP/1\.[01] (\d{3})", re.MULTILINE)
QUESTION = b'{"question": "When does the ferry leave?"}'
MOST = 1_000_000  # bytes of an answer that are read


@dataclass(frozen=True)
class BrokenMessage:
    """Bytes for a connection. `unfinished` ones end before the request does, and with it the
    connection's half that sends: whoever reads them may hang up without a word. `answer` is the
    only right one, where there is only one."""

    what: str
    data: bytes
    unfinished: bool = False
    answer: int | None = None


def _post(
    *heads: bytes, body: bytes = QUESTION, line: bytes = b"POST /rag/query HTTP/1.1"
) -> bytes:
    heads = (b"Host: x", b"Content-Type: application/json", b"Connection: close", *heads)
    return b"\r\n".join((line, *heads, b"", body))


def _get(line: bytes, *heads: bytes) -> bytes:
    return b"\r\n".join((line, b"Host: x", b"Connection: close", *heads, b"", b""))


CHUNKED = b"Transfer-Encoding: chunked"
CHUNK = b"%x\r\n%b\r\n" % (len(QUESTION), QUESTION)
LENGTH = b"Content-Length: %d"
WHOLE = LENGTH % len(QUESTION)
LINE = b"GET /collections HTTP/1.1"
FORM = b"Content-Type: multipart/form-data; boundary=x"
UPLOAD = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\nferry'
UPLOAD_LINE = b"POST /documents HTTP/1.1"


def broken_messages() -> Iterator[BrokenMessage]:
    """All of them."""
    yield from _chunks()
    yield from _lengths()
    yield from _lines()
    yield from _heads()
    yield from _upgrades()


def _chunks() -> Iterator[BrokenMessage]:
    whole = {
        "a chunk's size is no number": b"zz\r\nx\r\n0\r\n\r\n",
        "a chunk's size is negative": b"-5\r\nhello\r\n0\r\n\r\n",
        "a chunk's size is beyond all": b"f" * 40 + b"\r\nx\r\n0\r\n\r\n",
        "a chunk is longer than it says": b"1\r\n" + QUESTION + b"\r\n0\r\n\r\n",
        "a chunk with odd extensions": CHUNK.replace(b"\r\n", b';a="\xff"\r\n', 1) + b"0\r\n\r\n",
        "a long extension": CHUNK.replace(b"\r\n", b";" + b"a" * 70_000 + b"\r\n", 1)
        + b"0\r\n\r\n",
        "headers behind the chunks": CHUNK + b"0\r\nHost: y\r\nContent-Length: 9\r\n\r\n",
        "no chunk at all": b"0\r\n\r\n",
        "each byte a chunk": b"".join(b"1\r\n%c\r\n" % each for each in QUESTION) + b"0\r\n\r\n",
    }
    for what, body in whole.items():
        yield BrokenMessage(what, _post(CHUNKED, body=body))
    yield BrokenMessage("chunks without an end", _post(CHUNKED, body=CHUNK), True)
    yield BrokenMessage("a chunk that is cut", _post(CHUNKED, body=CHUNK[:20]), True)
    bare = CHUNK.replace(b"\r\n", b"\n") + b"0\n\n"
    yield BrokenMessage("chunks with bare line feeds", _post(CHUNKED, body=bare), True)
    upload = b"%x\r\n%b\r\n" % (len(UPLOAD), UPLOAD)
    for what, body in (("an upload's chunk that is cut", upload[:30]), ("no last chunk", upload)):
        yield BrokenMessage(what, _post(FORM, CHUNKED, body=body, line=UPLOAD_LINE), True)
    both = _post(WHOLE, CHUNKED, body=CHUNK + b"0\r\n\r\n")
    yield BrokenMessage("a length and chunks", both)
    twice = _post(CHUNKED, CHUNKED, body=CHUNK + b"0\r\n\r\n")
    yield BrokenMessage("chunks said twice", twice, True)
    for coding in (b"nosuch", b"gzip, chunked", b"chunked, identity", b"\x0bchunked"):
        data = _post(b"Transfer-Encoding: " + coding, body=CHUNK + b"0\r\n\r\n")
        yield BrokenMessage(f"the coding {coding!r}", data, True)


def _lengths() -> Iterator[BrokenMessage]:
    for length in (b"-1", b"x", b"1e3", b"+5", b"0x10", b"", b"9" * 40, b"1, 2", b"\xb2"):
        yield BrokenMessage(f"the length {length!r}", _post(b"Content-Length: " + length), True)
    yield BrokenMessage("two lengths", _post(WHOLE, LENGTH % 3), True)
    yield BrokenMessage("more than is allowed", _post(LENGTH % 10**12), False)
    yield BrokenMessage("a body shorter than its length", _post(LENGTH % 5000), True)
    yield BrokenMessage("a body longer than its length", _post(LENGTH % 5))
    yield BrokenMessage("a body without a length", _post())
    cut = _post(FORM, LENGTH % 5000, body=UPLOAD, line=UPLOAD_LINE)
    yield BrokenMessage("an upload shorter than its length", cut, True)
    yield BrokenMessage(
        "a body that is waited for", _post(WHOLE, b"Expect: 100-continue", body=b""), True
    )


def _lines() -> Iterator[BrokenMessage]:
    for line in (
        *(b"GET / HTTP/9.9", b"GET / HTTP/1", b"GET /", b"GET", b"get /tasks HTTP/1.1", b"\0"),
        *(b"NOSUCH /tasks HTTP/1.1", b"GET  /tasks  HTTP/1.1", b"GET tasks HTTP/1.1"),
        *(b"GET /tasks\0 HTTP/1.1", b"GET /\xff\xfe HTTP/1.1", b"GET /tasks?\xed\xa0\x80 HTTP/1.1"),
        *(b"\x16\x03\x01\x02\0\x01\0\x01\xfc", b"PRI * HTTP/2.0", b"CONNECT x:1 HTTP/1.1"),
    ):
        yield BrokenMessage(f"the line {line[:40]!r}", _get(line), True)
    for line in (
        *(b"OPTIONS * HTTP/1.1", b"GET http://elsewhere/tasks HTTP/1.1", b"GET //tasks HTTP/1.1"),
        *(b"GET /tasks#x HTTP/1.1", b"GET /tasks HTTP/1.0", b"TRACE /tasks HTTP/1.1"),
        *(b"GET /../../etc/passwd HTTP/1.1", b"HEAD /tasks HTTP/1.1"),
        b"GET /tasks?limit=" + b"9" * 60_000 + b" HTTP/1.1",
    ):
        yield BrokenMessage(f"the line {line[:40]!r}", _get(line))


def _heads() -> Iterator[BrokenMessage]:
    for head in (
        *(b"no colon", b": no name", b"a b: 1", b"x\0y: 1", b"x: \0", b"x: 1\ry: 2", b"\xff: 1"),
        *(b" folded: 1", b"x: 1\r\n folded", b"Host: y\nx: 1", b"Upgrade: websocket\r\nX: 1"),
    ):
        yield BrokenMessage(f"the head {head[:40]!r}", _get(LINE, head), True)
    yield BrokenMessage("no host", LINE + b"\r\nConnection: close\r\n\r\n")
    yield BrokenMessage("two hosts", _get(LINE, b"Host: y"))
    yield BrokenMessage("10,000 headers", _get(LINE, *(b"x-%d: 1" % at for at in range(10_000))))
    yield BrokenMessage("a header of 1 MB", _get(LINE, b"x: " + b"a" * 1_000_000), True)
    yield BrokenMessage("headers without an end", LINE + b"\r\nx: 1\r\n" * 3, True)
    yield BrokenMessage("nothing", b"", True)
    yield BrokenMessage("half a line", LINE[:8], True)
    yield BrokenMessage("an answer", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True)
    pipelined = _get(LINE).replace(b"Connection: close\r\n", b"") * 20 + _get(LINE)
    yield BrokenMessage("21 requests at once", pipelined)
    yield BrokenMessage("a second that is none", pipelined + b"\0\xff no request\r\n\r\n", True)


def _upgrades() -> Iterator[BrokenMessage]:
    """A server that does not speak the other protocol answers as if it had not been named
    (RFC 9110, 7.8). Some clients name HTTP/2 in every first request, such as Java's."""
    for protocol in (b"h2c", b"websocket", b"nosuch/1", b"\xff"):
        data = _post(WHOLE, b"Upgrade: " + protocol)
        data = data.replace(b"Connection: close", b"Connection: Upgrade, close")
        yield BrokenMessage(f"an upgrade to {protocol!r}", data, answer=202)


def exchange(url: str, message: BrokenMessage, seconds: float = SLOWEST) -> tuple[list[int], str]:
    """Send it, and give the statuses of what is answered, and what is wrong with the answer.

    Args:
        url: of the gateway.
        message: what is sent.
        seconds: that it may take to answer or hang up.
    """
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=seconds) as connection:
        answer, fault = _converse(connection, message)
    statuses = [int(status) for status in STATUS.findall(answer)]
    if not fault and not statuses and not message.unfinished:
        fault = "hung up on a whole request"
    if not fault and message.answer and statuses != [message.answer]:
        fault = f"{statuses} instead of {message.answer}"
    return statuses, next((f"unprovoked {each}" for each in statuses if each >= 500), fault)


def _converse(connection: socket.socket, message: BrokenMessage) -> tuple[bytes, str]:
    answer = b""
    try:
        connection.sendall(message.data)
        if message.unfinished:
            connection.shutdown(socket.SHUT_WR)
        while len(answer) < MOST and (more := connection.recv(65536)):
            answer += more
    except TimeoutError:
        return answer, "no end"
    except OSError:
        pass  # it hung up before it had heard all, which is its right
    return answer, ""
