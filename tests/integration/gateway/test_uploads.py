"""Uploads: streamed, hashed on the way, bounded, and without a trace when they fail."""

import hashlib
import os
import re
import select
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.conftest import wait_until
from tests.integration.gateway.processes import Gateway

BOUNDARY = "fleet"
MULTIPART = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
MEGABYTE = 1_000_000


def part(name: str, value: bytes, filename: str | None = None) -> bytes:
    """One part of a multipart body, without the closing boundary."""
    file = f'; filename="{filename}"' if filename is not None else ""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode() + value + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


def post(http: httpx.Client, *parts: bytes, end: bytes = END) -> httpx.Response:
    return http.post("/documents", content=b"".join(parts) + end, headers=MULTIPART)


def assert_problem(reply: httpx.Response, status: int, code: str, field: str | None) -> str:
    """The reply is this problem and names this field; returns its sentence."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    problem = reply.json()
    assert problem["code"] == code
    assert [each["field"] for each in problem.get("errors", [])] == ([field] if field else [])
    detail: str = problem["detail"]
    return detail


def test_a_content_type_that_is_too_long_is_no_reason_to_refuse(
    http: httpx.Client, collection: str
) -> None:
    endless = f"text/plain; x={'y' * 400}"
    files = {"files": ("terms.txt", b"Returns within 14 days, endlessly.", endless)}
    [accepted] = http.post("/documents", files=files, data={"collection": collection}).json()[
        "documents"
    ]
    document = http.get(f"/documents/{accepted['document_id']}").json()
    assert document["content_type"] == "text/plain"


def test_one_file_is_accepted_with_its_ids(http: httpx.Client, collection: str) -> None:
    reply = http.post(
        "/documents",
        files={"files": ("terms.txt", b"Returns within 14 days.", "text/plain")},
        data={"collection": collection, "metadata": '{"year": 2026}'},
    )
    assert reply.status_code == 202
    [accepted] = reply.json()["documents"]
    document = http.get(f"/documents/{accepted['document_id']}").json()
    assert document["name"] == "terms.txt"
    assert document["collection"] == collection
    assert document["metadata"] == {"year": 2026}
    assert document["status"] == "processing"
    assert document["task_id"] == accepted["task_id"]
    assert document["size"] == 23
    assert document["sha256"] == hashlib.sha256(b"Returns within 14 days.").hexdigest()


def test_many_files_are_accepted_in_their_order(http: httpx.Client, collection: str) -> None:
    files = [("files", (f"{number:02}.txt", f"Text {number}".encode())) for number in range(25)]
    reply = http.post("/documents", files=files, data={"collection": collection})
    assert reply.status_code == 202
    accepted = reply.json()["documents"]
    assert [each["name"] for each in accepted] == [f"{number:02}.txt" for number in range(25)]
    assert len({each["document_id"] for each in accepted}) == 25
    assert len({each["task_id"] for each in accepted}) == 25


def test_the_same_bytes_again_are_no_second_document(
    http: httpx.Client, gateway: Gateway, collection: str
) -> None:
    first = post(http, part("collection", collection.encode()), part("files", b"same", "a.txt"))
    before = len(gateway.blobs())
    second = post(http, part("collection", collection.encode()), part("files", b"same", "b.txt"))
    [one], [other] = first.json()["documents"], second.json()["documents"]
    assert other["duplicate_of"] == one["document_id"]
    assert other["task_id"] == one["task_id"]
    assert len(gateway.blobs()) == before


def test_an_upload_of_100_megabytes_does_not_pass_through_memory(
    http: httpx.Client, gateway: Gateway, collection: str
) -> None:
    block = os.urandom(MEGABYTE)
    digest = hashlib.sha256()

    def body() -> Iterator[bytes]:
        yield part("collection", collection.encode())
        yield part("files", b"", "large.pdf")[:-2]
        for _ in range(100):
            digest.update(block)
            yield block
        yield b"\r\n" + END

    post(http, part("files", block, "warm-up.pdf"))
    process = psutil.Process(gateway.pid)
    before = peak = process.memory_info().rss
    over = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.02):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        reply = http.post("/documents", content=body(), headers=MULTIPART)
    finally:
        over.set()
        watcher.join()
    assert reply.status_code == 202
    [accepted] = reply.json()["documents"]
    document = http.get(f"/documents/{accepted['document_id']}").json()
    assert document["size"] == 100 * MEGABYTE
    assert document["sha256"] == digest.hexdigest()
    assert peak - before < 20 * MEGABYTE


def test_a_file_over_the_limit_is_refused_and_leaves_no_blob(small_gateway: Gateway) -> None:
    parts = (part("files", b"x", "fits.txt"), part("files", bytes(MEGABYTE + 1), "long.txt"))
    with httpx.Client(base_url=small_gateway.url) as http:
        sentence = assert_problem(post(http, *parts), 413, "file_too_large", "files")
        assert "long.txt" in sentence
        assert "1,000,000" in sentence
        assert http.get("/documents").json()["items"] == []
    assert small_gateway.blobs() == []


def test_a_body_that_never_ends_is_refused_while_it_comes(small_gateway: Gateway) -> None:
    address = urlsplit(small_gateway.url)
    head = "POST /documents HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    head += f"Content-Type: {MULTIPART['content-type']}\r\n\r\n"

    def chunk(data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data)

    sent = 0
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(head.encode() + chunk(part("files", b"", "endless.txt")[:-2]))
        while not select.select([connection], [], [], 0)[0]:
            connection.sendall(chunk(bytes(65536)))
            sent += 65536
            assert sent < 500 * MEGABYTE, "it was never refused"
        reply = connection.recv(65536)
    assert reply.startswith(b"HTTP/1.1 413 ")
    assert small_gateway.blobs() == []


def test_an_upload_that_breaks_off_leaves_no_blob(small_gateway: Gateway) -> None:
    address = urlsplit(small_gateway.url)
    head = f"POST /documents HTTP/1.1\r\nHost: x\r\nContent-Length: {MEGABYTE}\r\n"
    head += f"Content-Type: {MULTIPART['content-type']}\r\n\r\n"
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(head.encode() + part("files", b"", "half.txt")[:-2] + bytes(600_000))
        wait_until(small_gateway.blobs)
    wait_until(lambda: not small_gateway.blobs())


def test_a_body_without_its_end_is_refused_and_leaves_no_blob(
    http: httpx.Client, gateway: Gateway
) -> None:
    before = len(gateway.blobs())
    cut = part("files", bytes(600_000), "half.txt")[:-2]
    whole = part("files", b"whole", "whole.txt")
    assert_problem(post(http, whole, cut, end=b""), 422, "invalid_request", "files")
    assert len(gateway.blobs()) == before


@pytest.mark.parametrize(
    ("parts", "code", "field"),
    [
        ([part("metadata", b"{}")], "invalid_request", "files"),
        ([part("files", b"x", "a.txt"), part("metadata", b"year=2026")], None, "metadata"),
        ([part("files", b"x", "a.txt"), part("metadata", b"[1]")], None, "metadata"),
        ([part("files", b"x", "a.txt"), part("metadata", b'{"a": NaN}')], None, "metadata"),
        ([part("files", b"x", "a.txt"), part("metadata", b'{"a": "\\ud800"}')], None, "metadata"),
        ([part("files", b"x", "a.txt"), part("metadata", b"\xff")], None, "metadata"),
        ([part("files", b"x", "a.txt"), part("colection", b"c")], None, "colection"),
        ([part("files", b"x", "a.txt"), part("attachment", b"x", "b.txt")], None, "attachment"),
        ([part("files", b"text without a name")], None, "files"),
        ([part("files", b"x", "")], "invalid_name", "files"),
        ([part("files", b"x", "../../etc/passwd")], "invalid_name", "files"),
        ([part("files", b"x", "C:/boot.ini")], "invalid_name", "files"),
        ([part("files", b"x", "/etc/passwd")], "invalid_name", "files"),
        ([part("files", b"x", "a\x07b.txt")], "invalid_name", "files"),
        ([part("files", b"x", "a" * 300)], "invalid_name", "files"),
        ([part("files", b"x", "./")], "invalid_name", "files"),
        ([b"no multipart at all"], "invalid_request", "files"),
        ([b"--fleet\r\nbroken\r\n\r\nx\r\n"], "invalid_request", "files"),
    ],
)
def test_what_cannot_be_taken_is_refused_by_its_field(
    http: httpx.Client, gateway: Gateway, parts: list[bytes], code: str | None, field: str
) -> None:
    before = len(gateway.blobs())
    sentence = assert_problem(post(http, *parts), 422, code or "invalid_request", field)
    assert re.search(r"\bsend|shorten|rename\b", sentence), sentence
    assert len(gateway.blobs()) == before


def test_a_body_that_is_no_form_is_refused(http: httpx.Client) -> None:
    reply = http.post("/documents", json={"files": ["a.txt"]})
    assert "multipart/form-data" in assert_problem(reply, 422, "invalid_request", "files")


def test_an_unknown_collection_is_refused_and_leaves_no_blob(
    http: httpx.Client, gateway: Gateway
) -> None:
    before = len(gateway.blobs())
    reply = post(http, part("collection", b"nowhere"), part("files", b"unseen", "a.txt"))
    assert "POST /collections" in assert_problem(reply, 404, "collection_not_found", "collection")
    assert len(gateway.blobs()) == before


def test_a_folder_of_files_keeps_its_paths(http: httpx.Client, collection: str) -> None:
    reply = post(
        http, part("collection", collection.encode()), part("file", b"x", "2026/./spring/a.txt")
    )
    assert reply.json()["documents"][0]["name"] == "2026/spring/a.txt"
