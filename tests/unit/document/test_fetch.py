import gzip
import hashlib
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flotilla.document.fetch import FetchedSource, fetch
from flotilla.errors import (
    FileTooLarge,
    FlotillaError,
    SourceNotFound,
    SourceRefused,
    SourceTimeout,
    SourceUnavailable,
)
from flotilla.public_addresses import is_public

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """A web server on this machine whose answers a test sets, by path."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.stopped = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                try:
                    outer.answers[self.path.partition("?")[0]](self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def on(self, path: str, status: int = 200, body: bytes = b"", **headers: str) -> str:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        self.answers[path] = answer
        return self.url + path


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def get(tmp_path: Path) -> Callable[..., FetchedSource]:
    def get(
        url: str, *, timeout: float = 10, max_bytes: int = 1_000_000, allow_private: bool = True
    ) -> FetchedSource:
        return fetch(
            url,
            tmp_path / "fetched",
            timeout=timeout,
            max_bytes=max_bytes,
            allow_private=allow_private,
        )

    return get


def test_a_document_is_written_and_described(server: Server, get, tmp_path: Path) -> None:
    url = server.on("/a/report.pdf", body=b"%PDF", Content_Type="application/pdf", ETag='"1"')
    got = get(url + "?key=1")
    assert (tmp_path / "fetched").read_bytes() == b"%PDF"
    assert got == FetchedSource(
        name="report.pdf",
        content_type="application/pdf",
        size=4,
        sha256=hashlib.sha256(b"%PDF").hexdigest(),
        final_url=url + "?key=1",
        etag='"1"',
    )


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="a b.pdf"', "a b.pdf"),
        ("attachment; filename*=UTF-8''%C3%A4.pdf", "ä.pdf"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="C:\\\\x\\\\y.pdf"', "y.pdf"),
        ('attachment; filename="..."', "127.0.0.1"),
        (f'attachment; filename="{"n" * 400}.pdf"', "n" * 196 + ".pdf"),
        ("attachment; filename*=unicode_escape''%5Cud800.pdf", "pdf"),
        ("attachment; filename*=idna''a.pdf", "x"),
        ("attachment; filename*=punycode''a%ff.pdf", "x"),
        ("attachment; filename*0*=utf-8''a; filename*=b", "x"),
        ("attachment; filename*=a%00b''c", "x"),
    ],
)
def test_names_are_safe(server: Server, get, disposition: str, name: str) -> None:
    assert get(server.on("/x", body=b"1", Content_Disposition=disposition)).name == name


def test_a_content_type_without_end_is_cut(server: Server, get) -> None:
    endless = f"text/html; charset=utf-8; x={'y' * 4000}"
    assert get(server.on("/x", body=b"1", Content_Type=endless)).content_type == "text/html"


def test_redirects_are_followed(server: Server, get) -> None:
    server.on("/end.txt", body=b"here")
    server.on("/two", 302, Location="end.txt")
    got = get(server.on("/one", 301, Location=f"{server.url}/two"))
    assert (got.name, got.final_url) == ("end.txt", f"{server.url}/end.txt")


def test_a_circle_of_redirects_ends(server: Server, get) -> None:
    with pytest.raises(SourceRefused, match="redirects more than 5 times"):
        get(server.on("/round", 302, Location="/round"))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, SourceNotFound),
        (410, SourceNotFound),
        (401, SourceRefused),
        (403, SourceRefused),
        (418, SourceRefused),
        (429, SourceUnavailable),
        (500, SourceUnavailable),
        (503, SourceUnavailable),
    ],
)
def test_a_status_becomes_an_error(
    server: Server, get, status: int, error: type[FlotillaError]
) -> None:
    with pytest.raises(error, match=str(status)) as refused:
        get(server.on("/x", status))
    assert refused.value.retry_after is None


@pytest.mark.parametrize("value", ["7", "Wed, 21 Oct 2099 07:28:00 GMT"])
def test_retry_after_is_handed_on(server: Server, get, value: str) -> None:
    with pytest.raises(SourceUnavailable) as refused:
        get(server.on("/x", 429, Retry_After=value))
    assert refused.value.retry_after is not None
    assert refused.value.retry_after >= 7


def test_nobody_listening_is_unavailable(get) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(SourceUnavailable):
            get(f"http://127.0.0.1:{free.getsockname()[1]}/")


def test_a_connection_that_breaks_is_unavailable(server: Server, get) -> None:
    def breaks(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"half")

    server.answers["/x"] = breaks
    with pytest.raises(SourceUnavailable):
        get(server.url + "/x")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/a",
        "file:///etc/passwd",
        "example.org",
        "",
        "http://",
        "http://xn--/",
        "http://example.org:0/",
        "http://example.org:99999999999999999999/",
    ],
)
def test_only_web_addresses_are_fetched(get, url: str) -> None:
    with pytest.raises(SourceRefused):
        get(url)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.1", "0.0.0.0", "2130706433"],
)
def test_private_addresses_are_refused(server: Server, get, host: str) -> None:
    asked = []
    server.answers["/x"] = asked.append
    with pytest.raises(SourceRefused, match="private"):
        get(f"http://{host}:{server.port}/x", allow_private=False)
    assert not asked


def resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Every name resolves to the next answer; the names asked for are returned."""
    names: list[str] = []
    left = list(answers)
    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *args: object, **options: object):
        if host[0].isdigit():
            return real(host, port, *args, **options)
        names.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (left.pop(0), port))]

    monkeypatch.setattr("flotilla.public_addresses.socket.getaddrinfo", getaddrinfo)
    return names


def test_a_redirect_into_the_network_is_refused(
    server: Server, get, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.on("/public", 302, Location=f"http://inside.test:{server.port}/secret")
    server.on("/secret", body=b"secret")
    # Loopback stands for the public Internet here; the second name leads inside.
    monkeypatch.setattr(
        "flotilla.public_addresses.is_public", lambda address: str(address) == "127.0.0.1"
    )
    resolve_to(monkeypatch, "127.0.0.1", "192.168.0.7")
    with pytest.raises(SourceRefused, match="private"):
        get(f"http://outside.test:{server.port}/public", allow_private=False)


def test_the_checked_address_is_connected_to_under_the_name(
    server: Server, get, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        hosts.append(handler.headers["Host"])
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    server.answers["/x"] = answer
    # A second look-up would lead elsewhere, and there is no third.
    names = resolve_to(monkeypatch, "127.0.0.1")
    get(f"http://name.test:{server.port}/x")
    assert names == ["name.test"]
    assert hosts == [f"name.test:{server.port}"]


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("0.0.0.0", False),
        ("::1", False),
        ("fe80::1", False),
        ("fec0::1", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::5db8:d822", True),
        ("2002:7f00:1::", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


def endless(server: Server, block: bytes, pause: float) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not server.stopped.wait(pause):
            handler.wfile.write(block)

    return answer


def test_a_body_that_drips_times_out(server: Server, get) -> None:
    server.answers["/x"] = endless(server, b".", 0.05)
    started = time.monotonic()
    with pytest.raises(SourceTimeout):
        get(server.url + "/x", timeout=0.5)
    assert time.monotonic() - started < 3


def test_headers_that_drip_time_out(server: Server, get) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not server.stopped.wait(0.05):
            handler.wfile.write(b"x")

    server.answers["/x"] = answer
    started = time.monotonic()
    with pytest.raises(SourceTimeout):
        get(server.url + "/x", timeout=0.5)
    assert time.monotonic() - started < 3


def test_silence_times_out(server: Server, get) -> None:
    server.answers["/x"] = lambda _: server.stopped.wait(10) and None
    with pytest.raises(SourceTimeout):
        get(server.url + "/x", timeout=0.3)


def test_an_endless_body_is_cut_at_the_bound(server: Server, get, tmp_path: Path) -> None:
    server.answers["/x"] = endless(server, b"x" * 65536, 0)
    with pytest.raises(FileTooLarge):
        get(server.url + "/x")
    assert (tmp_path / "fetched").stat().st_size <= 1_000_000


def test_a_declared_size_is_refused_at_once(server: Server, get, tmp_path: Path) -> None:
    with pytest.raises(FileTooLarge):
        get(server.on("/x", body=b"x" * 1001), max_bytes=1000)
    assert not (tmp_path / "fetched").exists()


def test_a_gzip_bomb_is_cut_at_the_bound(server: Server, get, tmp_path: Path) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    with pytest.raises(FileTooLarge):
        get(server.on("/x", body=bomb, Content_Encoding="gzip"))
    assert (tmp_path / "fetched").stat().st_size <= 1_000_000


def test_gzip_is_unpacked(server: Server, get, tmp_path: Path) -> None:
    got = get(server.on("/x", body=gzip.compress(b"text"), Content_Encoding="gzip"))
    assert got.size == 4
    assert (tmp_path / "fetched").read_bytes() == b"text"


def test_a_coding_without_a_bound_is_refused(server: Server, get) -> None:
    with pytest.raises(SourceRefused, match="coding"):
        get(server.on("/x", body=b"1", Content_Encoding="br"))


def test_secrets_in_the_address_stay_out_of_errors_and_results(server: Server, get) -> None:
    server.on("/x", 404)
    server.on("/y", body=b"1")
    with pytest.raises(SourceNotFound) as refused:
        get(f"http://me:secret@127.0.0.1:{server.port}/x?token=secret")
    assert "secret" not in refused.value.message
    assert "secret" not in get(f"http://me:secret@127.0.0.1:{server.port}/y").final_url
