"""The client's own requests, over real connections: their form, their failures, their way."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from qdrant_client import models

from flotilla.errors import ConfigurationError, DependencyUnavailable
from flotilla.settings import QdrantSettings, Settings
from flotilla.vectorstore.lean_client import LeanClient
from flotilla.vectorstore.qdrant import CollectionAbsent, call, connect
from tests.conftest import free_port
from tests.doubles.receiver import Answer, Receiver

FIND = "/collections/chunks/points/query/batch"
LOOK_UP = "/collections/chunks/points"
SEARCH = models.QueryRequest(query=[0.5, 1.0], using="dense", limit=3)


def result(value: Any) -> Answer:
    return Answer(200, body=json.dumps({"result": value, "status": "ok", "time": 0.0}).encode())


@pytest.fixture
def server() -> Iterator[Receiver]:
    receiver = Receiver(result([]))
    yield receiver
    receiver.close()


def client_of(url: str, key: str | None = None, timeout: float = 5) -> LeanClient:
    secret = SecretStr(key) if key else None
    return connect(Settings(qdrant=QdrantSettings(url=url, api_key=secret, timeout=timeout)))


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
def test_a_search_says_what_it_wants_and_nothing_else(server: Receiver) -> None:
    server.answers[FIND] = [result([{"points": [{"id": "a", "version": 1, "score": 0.5}]}])]
    found = client_of(server.url, "secret").find("chunks", [SEARCH])
    assert found == [[{"id": "a", "version": 1, "score": 0.5}]]
    [request] = server.received
    assert request.json == {"searches": [{"query": [0.5, 1.0], "using": "dense", "limit": 3}]}
    assert {name.lower(): value for name, value in request.headers.items()}["api-key"] == "secret"


def test_points_are_looked_up_with_what_is_asked_for(server: Receiver) -> None:
    server.answers[LOOK_UP] = [result([{"id": "a", "payload": {"text": "ä"}}])]
    found = client_of(server.url).look_up("chunks", ["a", "b"], True, ["dense"])
    assert found == [{"id": "a", "payload": {"text": "ä"}}]
    [request] = server.received
    assert request.json == {"ids": ["a", "b"], "with_payload": True, "with_vector": ["dense"]}


def test_a_server_behind_a_path_and_a_name_with_a_slash(server: Receiver) -> None:
    path = "/qdrant/collections/a%2Fb/points"
    server.answers[path] = [result([])]
    client_of(f"{server.url}/qdrant").look_up("a/b", ["a"], True, False)
    assert [request.path for request in server.received] == [path]


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        (Answer(404), CollectionAbsent),
        (Answer(401), ConfigurationError),
        (Answer(403), ConfigurationError),
        (Answer(500), DependencyUnavailable),
        (Answer(507), DependencyUnavailable),
        (Answer(429), DependencyUnavailable),
        (Answer(429, {"Retry-After": "soon"}), DependencyUnavailable),
    ],
)
def test_what_the_server_refuses_is_named(
    server: Receiver, answer: Answer, raised: type[Exception]
) -> None:
    server.answers[FIND] = [answer]
    with pytest.raises(raised):
        call(lambda: client_of(server.url).find("chunks", [SEARCH]))
    assert len(server.received) == 1


def test_an_overloaded_server_says_when_to_come_back(server: Receiver) -> None:
    server.answers[FIND] = [Answer(429, {"Retry-After": "7"})]
    with pytest.raises(DependencyUnavailable) as caught:
        call(lambda: client_of(server.url).find("chunks", [SEARCH]))
    assert caught.value.retry_after == 7.0


def test_a_server_that_is_not_there_or_does_not_answer(server: Receiver) -> None:
    with pytest.raises(DependencyUnavailable, match="NewConnectionError"):
        call(lambda: client_of(f"http://127.0.0.1:{free_port()}").find("chunks", [SEARCH]))
    server.answers[FIND] = [Answer(200, pause=30)]
    with pytest.raises(DependencyUnavailable, match="ReadTimeoutError"):
        call(lambda: client_of(server.url, timeout=1).find("chunks", [SEARCH]))
    assert len(server.received) == 1


def test_a_connection_that_the_server_closes_is_made_anew(
    closing_server: Callable[[], tuple[str, list[int]]],
) -> None:
    url, connections = closing_server()
    client = client_of(url)
    for _ in range(3):
        assert call(lambda: client.look_up("chunks", ["a"], True, False)) == []
    assert len(connections) > 1


def test_it_goes_by_the_proxy_that_the_other_requests_go_by(
    server: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("NO_PROXY", "")
    client = client_of("http://qdrant.invalid:6333")
    client.look_up("chunks", ["a"], True, False)
    client.retrieve("chunks", ["a"])
    assert len({request.path for request in server.received}) == 1
    assert len(server.received) == 2
    monkeypatch.setenv("NO_PROXY", "qdrant.invalid")
    with pytest.raises(DependencyUnavailable):
        call(lambda: client_of("http://qdrant.invalid:6333").look_up("chunks", ["a"], True, False))


def test_a_certificate_that_nobody_vouches_for_is_refused() -> None:
    client = client_of("https://127.0.0.1:6333")
    context = client._pool.connection_pool_kw["ssl_context"]
    assert context.verify_mode == httpx.create_ssl_context().verify_mode
    assert context.check_hostname


@pytest.fixture
def closing_server() -> Iterator[Callable[[], tuple[str, list[int]]]]:
    """A server that says it keeps the connection, and closes it when the next request is sent."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(5)
    connections: list[int] = []
    body = b'{"result":[]}'
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connections.append(1)
                connection.settimeout(5)
                connection.recv(65536)
                connection.sendall(reply)
                connection.recv(65536)

    thread = threading.Thread(target=serve)
    thread.start()
    yield lambda: (f"http://127.0.0.1:{listener.getsockname()[1]}", connections)
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
