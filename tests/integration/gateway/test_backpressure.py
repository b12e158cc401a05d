"""Past a limit a submission is refused before its body is read, on a real socket."""

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conftest import wait_until
from tests.integration.gateway.processes import Gateway, running_gateway

MOST = 2


@pytest.fixture(scope="module")
def full_gateway(tmp_path_factory: pytest.TempPathFactory, gateway_redis: str) -> Iterator[Gateway]:
    """A gateway at which two ingestions, questions and smoke tests wait, which is the most."""
    data: Path = tmp_path_factory.mktemp("full")
    limits = {
        "FLOTILLA_GATEWAY_MAX_PENDING_JOBS": str(MOST),
        "FLOTILLA_GATEWAY_MAX_PENDING_QUERIES": str(MOST),
        "FLOTILLA_GATEWAY_MAX_PENDING_SMOKE_TESTS": str(MOST),
    }
    with running_gateway(data, gateway_redis, **limits) as gateway:
        with httpx.Client(base_url=gateway.url, timeout=30) as http:
            for number in range(MOST):
                http.post("/rag/pipeline", json={"text": f"{number}"}).raise_for_status()
                http.post("/rag/query", json={"question": f"{number}?"}).raise_for_status()
                http.post("/tasks/process", json={"data": number}).raise_for_status()
        yield gateway


@pytest.fixture
def full(full_gateway: Gateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=full_gateway.url, timeout=30) as http:
        yield http


def assert_overloaded(reply: httpx.Response) -> None:
    assert reply.status_code == 503, reply.text
    problem = reply.json()
    assert (problem["code"], problem["retryable"]) == ("overloaded", True)
    assert 1 <= int(reply.headers["retry-after"]) <= 60
    assert problem["request_id"] == reply.headers["x-request-id"]


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("/rag/pipeline", {"text": "one more"}),
        ("/rag/query", {"question": "One more?"}),
        ("/rag/query/sync", {"question": "One more?"}),
        ("/rag/search", {"question": "One more?"}),
        ("/documents/x/reindex", None),
        ("/tasks/process", {"data": "one more"}),
        ("/tasks/workflow/parallel", {"x": 1, "y": 2, "z": 3}),
    ],
)
def test_one_more_is_refused(full: httpx.Client, address: str, body: object) -> None:
    assert_overloaded(full.post(address, json=body))


def test_what_submits_nothing_is_served(full: httpx.Client) -> None:
    for address in ("/documents", "/tasks", "/health/live"):
        assert full.get(address).status_code == 200


@pytest.mark.parametrize("expect", ["", "Expect: 100-continue\r\n"])
def test_a_client_hears_it_before_it_has_sent_its_body(full_gateway: Gateway, expect: str) -> None:
    address = urlsplit(full_gateway.url)
    head = "POST /documents HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n"
    head += f"Content-Type: multipart/form-data; boundary=fleet\r\n{expect}\r\n"
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(65536)
        while b"\r\n\r\n" not in answer or not answer.endswith(b"}"):
            answer += connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"connection: close" in answer.lower()
        assert b"100 Continue" not in answer
        while connection.recv(65536):  # the end comes by itself
            pass


def test_a_client_that_sends_all_the_same_gets_the_answer(
    full: httpx.Client, full_gateway: Gateway
) -> None:
    before = len(full_gateway.blobs())
    for size in (100, 3_000_000, 50_000_000):
        assert_overloaded(full.post("/documents", files={"files": ("a.txt", bytes(size))}))
    assert len(full_gateway.blobs()) == before


def test_there_is_room_again_when_something_has_ended(full: httpx.Client) -> None:
    [task, *_] = full.get("/tasks", params={"kind": "query", "status": "pending"}).json()["items"]
    assert full.delete(f"/tasks/{task['task_id']}").status_code == 200
    wait_until(lambda: full.post("/rag/query", json={"question": "Now?"}).status_code == 202)
