"""One call of a receiver."""

import hashlib
import hmac
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from flotilla.upkeep import callbacks
from flotilla.upkeep.callbacks import Outcome, signature
from tests.doubles.receiver import Answer, Receiver

HEADERS = {"Flotilla-Event": "ping"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def call(url: str, timeout: float = 5.0, allow_private: bool = True) -> Outcome:
    return callbacks.call(url, b"{}", HEADERS, timeout=timeout, allow_private=allow_private)


def test_a_signature_is_one_that_others_can_compute() -> None:
    body = b'{"event":"ping"}'
    told = signature(["first", "second"], 1_700_000_000, body)
    signed = b"1700000000." + body
    digests = [hmac.new(key, signed, hashlib.sha256).hexdigest() for key in (b"first", b"second")]
    assert told == f"t=1700000000,v1={digests[0]},v1={digests[1]}"


def test_a_body_arrives_with_its_headers(receiver: Receiver) -> None:
    outcome = call(receiver.url + "/hook?key=1")
    assert outcome.success
    [received] = receiver.received
    assert (received.path, received.body) == ("/hook?key=1", b"{}")
    assert received.headers["Content-Type"] == "application/json"
    assert received.headers["Flotilla-Event"] == "ping"
    assert received.headers["User-Agent"].startswith("Flotilla/")


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_is_a_success(receiver: Receiver, status: int) -> None:
    receiver.answers["/"] = [Answer(status, body=b"" if status == 204 else b"thanks")]
    assert call(receiver.url + "/").success


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_any_other_answer_may_be_tried_again(receiver: Receiver, status: int) -> None:
    receiver.answers["/"] = [Answer(status)]
    outcome = call(receiver.url + "/")
    assert not outcome.success
    assert not outcome.final
    assert str(status) in outcome.message


def test_gone_is_final(receiver: Receiver) -> None:
    receiver.answers["/"] = [Answer(410)]
    assert call(receiver.url + "/").final


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7.0), ("Wed, 21 Oct 1998 07:28:00 GMT", 0.0), ("soon", None)]
)
def test_retry_after_is_handed_on(receiver: Receiver, value: str, seconds: float | None) -> None:
    receiver.answers["/"] = [Answer(429, {"Retry-After": value})]
    assert call(receiver.url + "/").retry_after == seconds


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.answers["/"] = [Answer(307, {"Location": f"{receiver.url}/elsewhere"})]
    outcome = call(receiver.url + "/")
    assert not outcome.success
    assert "redirect" in outcome.message
    assert [each.path for each in receiver.received] == ["/"]


def test_a_slow_receiver_is_left_in_time(receiver: Receiver) -> None:
    receiver.answers["/"] = [Answer(pause=30)]
    began = time.monotonic()
    outcome = call(receiver.url + "/", timeout=0.3)
    assert time.monotonic() - began < 3
    assert (outcome.status, outcome.final) == (None, False)
    assert "did not answer within 0.3 seconds" in outcome.message


def test_a_long_answer_is_not_read_whole(receiver: Receiver) -> None:
    receiver.answers["/"] = [Answer(200, body=b"x" * 50_000_000)]
    began = time.monotonic()
    assert call(receiver.url + "/").success
    assert time.monotonic() - began < 2


def test_an_answer_that_breaks_off_after_its_status_counts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert call(f"http://127.0.0.1:{server.getsockname()[1]}/").success
        thread.join(5)


def test_nobody_listening_may_be_tried_again() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        outcome = call(f"http://127.0.0.1:{free.getsockname()[1]}/")
    assert (outcome.status, outcome.final) == (None, False)
    assert "cannot be reached" in outcome.message


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"])
def test_private_addresses_are_not_connected_to(receiver: Receiver, host: str) -> None:
    outcome = call(f"http://{host}:{receiver.port}/", allow_private=False)
    assert outcome.final
    assert "FLOTILLA_WEBHOOK_ALLOW_PRIVATE" in outcome.message
    assert receiver.received == []


def test_a_name_that_leads_inside_by_now_is_not_connected_to(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def inside(*_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", receiver.port))]

    monkeypatch.setattr("flotilla.public_addresses.socket.getaddrinfo", inside)
    assert call(f"http://public.example:{receiver.port}/", allow_private=False).final
    assert receiver.received == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "nonsense",
        "http://",
        "http://[::1",
        "http://xn--/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:99999999999999999999/",
    ],
)
def test_what_is_no_web_address_is_final(url: str) -> None:
    outcome = call(url)
    assert (outcome.status, outcome.final) == (None, True)
