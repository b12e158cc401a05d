"""What is concluded from a conversation of broken HTTP."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.fuzz.wire import BrokenMessage, broken_messages, exchange


@contextmanager
def server(converse: Callable[[socket.socket], object]) -> Iterator[str]:
    """Talks so to the one who connects; the address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                converse(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join(10)


def answering(*statuses: int) -> Callable[[socket.socket], object]:
    def converse(connection: socket.socket) -> None:
        connection.recv(65536)
        for status in statuses:
            connection.sendall(b"HTTP/1.1 %d Said\r\nContent-Length: 0\r\n\r\n" % status)

    return converse


WHOLE = BrokenMessage("whole", b"GET / HTTP/1.1\r\n\r\n")
UNFINISHED = BrokenMessage("unfinished", b"GET / HT", unfinished=True)
IGNORED = BrokenMessage("an upgrade", WHOLE.data, answer=202)


@pytest.mark.parametrize(
    ("message", "statuses", "fault"),
    [
        (WHOLE, [400], ""),
        (WHOLE, [], "hung up on a whole request"),
        (WHOLE, [500], "unprovoked 500"),
        (WHOLE, [200, 503], "unprovoked 503"),
        (UNFINISHED, [], ""),
        (UNFINISHED, [500], "unprovoked 500"),
        (IGNORED, [202], ""),
        (IGNORED, [422], "[422] instead of 202"),
        (IGNORED, [202, 400], "[202, 400] instead of 202"),
    ],
)
def test_an_answer_is_judged(message: BrokenMessage, statuses: list[int], fault: str) -> None:
    with server(answering(*statuses)) as url:
        assert exchange(url, message) == (statuses, fault)


def test_silence_is_a_fault() -> None:
    heard = threading.Event()
    with server(lambda _: heard.wait(10)) as url:
        assert exchange(url, WHOLE, seconds=0.2) == ([], "no end")
        heard.set()


def test_chunks_lengths_lines_heads_and_upgrades_are_all_broken() -> None:
    whats = [message.what for message in broken_messages()]
    assert len(set(whats)) == len(whats) > 70
