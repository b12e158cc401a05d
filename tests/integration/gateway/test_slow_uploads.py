"""Uploads that take their time, and the batch that they are for."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import select, update

from flotilla.ledger.database import Database, now
from flotilla.ledger.tables import JOBS
from flotilla.settings import Settings
from tests.conftest import wait_until
from tests.integration.gateway.processes import Gateway

BOUNDARY = "between"


@pytest.fixture
def ledger(gateway: Gateway) -> Iterator[Database]:
    database = Database(Settings(data=gateway.data, database_url=None).ledger_url)
    yield database
    database.close()


def field(name: str, value: str) -> bytes:
    return (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
    ).encode()


def file(data: bytes, name: str = "large.txt") -> bytes:
    head = f'Content-Disposition: form-data; name="files"; filename="{name}"'
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + data


END = f"\r\n--{BOUNDARY}--\r\n".encode()


@contextmanager
def sending(url: str, length: int) -> Iterator[socket.socket]:
    """A request whose body is the caller's to send, and `length` bytes long."""
    address = urlsplit(url)
    assert address.hostname is not None
    with socket.create_connection((address.hostname, address.port or 80), timeout=30) as connection:
        head = (
            f"POST /documents HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {length}\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
        )
        connection.sendall(head.encode())
        yield connection


def answer(connection: socket.socket) -> tuple[int, dict[str, object]]:
    received = b""
    while b"\r\n\r\n" not in received or b"}" not in received:
        piece = connection.recv(65536)
        assert piece, received
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def opened(http: httpx.Client) -> str:
    return str(http.post("/batches", json={}).raise_for_status().json()["task_id"])


def test_files_for_a_closed_batch_are_refused_before_they_are_there(
    http: httpx.Client, gateway: Gateway
) -> None:
    batch_id = opened(http)
    http.post(f"/batches/{batch_id}/close").raise_for_status()
    with sending(gateway.url, length=10**9) as connection:
        connection.sendall(field("batch", batch_id))
        connection.sendall(file(b"The first of a thousand million bytes."))
        status, problem = answer(connection)
    assert (status, problem["code"]) == (409, "batch_closed")


def test_a_batch_is_left_open_while_a_file_for_it_arrives(
    http: httpx.Client, gateway: Gateway, ledger: Database
) -> None:
    batch_id = opened(http)
    row = JOBS.c.id == batch_id
    soon = now() + timedelta(seconds=20)
    with ledger.writing() as connection:
        connection.execute(update(JOBS).where(row).values(lease_until=soon))

    def is_kept() -> bool:
        with ledger.reading() as connection:
            until = connection.scalar(select(JOBS.c.lease_until).where(row))
        return until is not None and until > soon

    body = [field("batch", batch_id), file(b"It comes "), b"in pieces.", END]
    with sending(gateway.url, length=sum(map(len, body))) as connection:
        for piece in body[:-1]:
            connection.sendall(piece)
        wait_until(is_kept)
        connection.sendall(body[-1])
        status, reply = answer(connection)
    assert (status, reply["batch_id"]) == (202, batch_id)
