"""Sources that are not uploaded: a text, a server's file, a URL."""

import hashlib
import json
from pathlib import Path

import httpx
import pytest

from tests.integration.gateway.processes import Gateway

JSON = {"content-type": "application/json"}


def refused(reply: httpx.Response) -> tuple[int, str, str]:
    """Status, code and field of a problem."""
    problem = reply.json()
    return reply.status_code, problem["code"], problem["errors"][0]["field"]


def test_a_text_becomes_a_document(http: httpx.Client, collection: str) -> None:
    text = "Opening hours: 9 to 17. Grüße!"
    body = {"text": text, "name": "hours.txt", "collection": collection, "metadata": {"k": 1}}
    reply = http.post("/rag/pipeline", json=body)
    assert reply.status_code == 202
    document = http.get(f"/documents/{reply.json()['document_id']}").json()
    assert document["name"] == "hours.txt"
    assert document["metadata"] == {"k": 1}
    assert document["sha256"] == hashlib.sha256(text.encode()).hexdigest()


def test_a_url_becomes_a_document_to_be_fetched(http: httpx.Client, collection: str) -> None:
    url = "https://example.com/a%20b/terms.html?x=1"
    accepted = http.post("/rag/pipeline", json={"url": url, "collection": collection}).json()
    document = http.get(f"/documents/{accepted['document_id']}").json()
    assert document["name"] == "terms.html"
    assert document["source_url"] == url
    assert http.get(f"/tasks/{accepted['task_id']}").json()["stage"] == "document.fetch"


@pytest.mark.parametrize("end", ["/", "", "/..", "/%0a", "/" + "a" * 300])
def test_a_url_without_a_name_is_called_by_its_host(
    http: httpx.Client, collection: str, end: str
) -> None:
    body = {"url": f"https://example.com{end}", "collection": collection}
    assert http.post("/rag/pipeline", json=body).json()["name"] == "example.com"


@pytest.mark.parametrize(
    "url",
    [
        f"https://example.com/{'a' * 1981}",
        f"https://example.com/{'ä' * 991}",
        f"https://{'a' * 300}.example/",
    ],
    ids=["characters", "bytes", "host"],
)
def test_a_url_that_is_too_long_is_refused(http: httpx.Client, collection: str, url: str) -> None:
    reply = http.post("/rag/pipeline", json={"url": url, "collection": collection})
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, "url")


def test_a_url_of_two_thousand_bytes_is_taken(http: httpx.Client, collection: str) -> None:
    url = f"https://example.com/{'a' * 1980}"
    assert (
        http.post("/rag/pipeline", json={"url": url, "collection": collection}).status_code == 202
    )


def test_a_path_that_is_too_long_to_be_told_apart_is_refused(
    http: httpx.Client, collection: str, ingest_root: Path
) -> None:
    folder = ingest_root.joinpath(*["d" * 250] * 8)
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("Deep below.")
    path = str((folder / "a.txt").relative_to(ingest_root))
    reply = http.post("/rag/pipeline", json={"path": path, "collection": collection})
    assert refused(reply) == (422, "invalid_request", "path")


def test_a_file_below_the_open_folder_becomes_a_document(
    http: httpx.Client, collection: str, ingest_root: Path
) -> None:
    (ingest_root / "2026").mkdir(exist_ok=True)
    (ingest_root / "2026" / "a.txt").write_text("By path.")
    reply = http.post("/rag/pipeline", json={"path": "2026/a.txt", "collection": collection})
    assert reply.status_code == 202
    document = http.get(f"/documents/{reply.json()['document_id']}").json()
    assert document["name"] == "a.txt"
    assert document["sha256"] == hashlib.sha256(b"By path.").hexdigest()


def test_a_path_leads_nowhere_else(
    http: httpx.Client, gateway: Gateway, ingest_root: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("not yours")
    (ingest_root / "link.txt").symlink_to(secret)
    (ingest_root / "folder").symlink_to(tmp_path)
    before = len(gateway.blobs())
    outside = ["../secret.txt", str(secret), "link.txt", "folder/secret.txt", "a/../../etc/passwd"]
    for path in outside:
        reply = http.post("/rag/pipeline", json={"path": path})
        assert refused(reply) == (403, "path_not_allowed", "path"), path
    assert len(gateway.blobs()) == before


def test_a_path_without_a_file_is_not_found(http: httpx.Client, ingest_root: Path) -> None:
    loop = ingest_root / "loop"
    loop.symlink_to(loop)
    for path in ["nothing.txt", ".", "a" * 4000, "loop"]:
        reply = http.post("/rag/pipeline", json={"path": path})
        assert refused(reply) == (404, "not_found", "path"), path


def test_no_path_is_taken_unless_a_folder_was_opened(small_gateway: Gateway) -> None:
    reply = httpx.post(f"{small_gateway.url}/rag/pipeline", json={"path": "a.txt"})
    assert refused(reply) == (403, "path_not_allowed", "path")
    assert "FLOTILLA_DOCUMENT_INGEST_ROOT" in reply.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({}, 422, "invalid_request", "url"),
        ({"text": "a", "path": "a.txt"}, 422, "invalid_request", "path"),
        ({"text": "a", "url": "https://example.com"}, 422, "invalid_request", "text"),
        ({"text": " \n"}, 422, "empty_file", "text"),
        ({"text": "\ud800"}, 422, "invalid_request", "text"),
        ({"path": "a\x00b"}, 422, "invalid_request", "path"),
        ({"text": "a", "metadata": {"title": "a\x00b"}}, 422, "invalid_request", "metadata"),
        ({"text": "a", "metadata": {"a\x00b": 1}}, 422, "invalid_request", "metadata"),
        ({"text": "a", "name": "../a.txt"}, 422, "invalid_name", "name"),
        ({"text": "a", "name": "a\nb"}, 422, "invalid_name", "name"),
        ({"text": "a", "collection": "nowhere"}, 404, "collection_not_found", "collection"),
        ({"text": "a", "colection": "default"}, 422, "invalid_request", "colection"),
        ({"url": "ftp://example.com/a.txt"}, 422, "source_refused", "url"),
        ({"url": "file:///etc/passwd"}, 422, "source_refused", "url"),
        ({"url": "http://[broken"}, 422, "source_refused", "url"),
        ({"url": "terms.html"}, 422, "source_refused", "url"),
    ],
)
def test_what_cannot_be_taken_is_refused_by_its_field(
    http: httpx.Client,
    gateway: Gateway,
    body: dict[str, object],
    status: int,
    code: str,
    field: str,
) -> None:
    before = len(gateway.blobs())
    # httpx's own encoder takes no half of a surrogate pair; JSON's escapes can hold one.
    reply = http.post("/rag/pipeline", content=json.dumps(body), headers=JSON)
    assert refused(reply) == (status, code, field)
    assert len(gateway.blobs()) == before
