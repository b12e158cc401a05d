"""Every error is a problem document with a code, the request's id and whether a retry may help."""

import re

import httpx
import pytest

from flotilla.gateway.app import create_app
from flotilla.settings import Settings

LARGEST_JSON_BODY = 16 * 1024 * 1024


def assert_problem(reply: httpx.Response, status: int, code: str) -> None:
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    problem = reply.json()
    assert problem["status"] == status
    assert problem["code"] == code
    assert problem["title"]
    assert problem["detail"]
    assert problem["retryable"] is False
    assert problem["instance"] == reply.url.path
    assert problem["request_id"] == reply.headers["x-request-id"]


def test_an_address_that_is_none(http: httpx.Client) -> None:
    assert_problem(http.get("/nowhere"), 404, "not_found")


def test_a_method_that_is_not_offered(http: httpx.Client) -> None:
    reply = http.put("/documents")
    assert_problem(reply, 405, "method_not_allowed")
    assert reply.headers["allow"]


def test_a_resource_that_is_not_there(http: httpx.Client) -> None:
    parts = ("", "/status", "/chunks", "/pages", "/pages/1")
    for address in (f"/documents/x{part}" for part in parts):
        assert_problem(http.get(address), 404, "document_not_found")
    assert_problem(http.delete("/documents/x"), 404, "document_not_found")
    assert_problem(http.get("/collections/x"), 404, "collection_not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/collections/nope"),
        ("DELETE", "/collections/nope"),
        ("POST", "/collections/nope/reindex"),
    ],
)
def test_a_collection_of_the_address_that_is_not_there_is_no_field(
    http: httpx.Client, method: str, path: str
) -> None:
    reply = http.request(method, path)
    assert_problem(reply, 404, "collection_not_found")
    assert "leave the field out" not in reply.json()["detail"]
    assert "errors" not in reply.json()


def test_a_topic_that_is_too_long_is_called_a_topic(http: httpx.Client) -> None:
    reply = http.post("/api/chat/generate-questions", json={"topic": "a" * 4001})
    assert_problem(reply, 422, "question_too_long")
    assert reply.json()["detail"].startswith("The topic has 4,001 characters")
    assert reply.json()["errors"][0]["field"] == "topic"


def test_a_body_that_is_no_json(http: httpx.Client) -> None:
    json = {"content-type": "application/json"}
    reply = http.post("/rag/query", content=b'{"question": ', headers=json)
    assert_problem(reply, 422, "invalid_request")
    assert reply.json()["errors"][0]["field"] == "body"
    assert "JSON" in reply.json()["detail"]


def test_a_field_that_is_misspelt(http: httpx.Client) -> None:
    reply = http.post("/rag/query", json={"question": "Who?", "topk": 3})
    assert_problem(reply, 422, "invalid_request")
    assert reply.json()["errors"][0]["field"] == "topk"


@pytest.mark.parametrize("media_type", ["application/json", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("length_told", [True, False])
def test_a_body_that_is_too_large_to_be_read_whole(
    http: httpx.Client, media_type: str, length_told: bool
) -> None:
    body = b'{"text": "' + bytes(LARGEST_JSON_BODY) + b'"}'
    content = body if length_told else (body[at : at + 65536] for at in range(0, len(body), 65536))
    reply = http.post("/rag/pipeline", content=content, headers={"content-type": media_type})
    assert_problem(reply, 413, "file_too_large")
    assert "POST /documents" in reply.json()["detail"]


async def test_an_error_of_our_own_tells_the_client_nothing_but_where_to_look() -> None:
    app = create_app(Settings())

    @app.get("/crash")
    async def crash() -> None:
        raise RuntimeError("a secret")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        reply = await client.get("/crash")
    assert_problem(reply, 500, "internal_error")
    assert "secret" not in reply.text


def test_a_request_id_is_taken_over_or_given(http: httpx.Client) -> None:
    plain = http.get("/health/live", headers={"x-request-id": "order-66.a_B"})
    assert plain.headers.get_list("x-request-id") == ["order-66.a_B"]
    given = {
        http.get("/health/live", headers=headers).headers["x-request-id"]
        for headers in ({}, {"x-request-id": "a b"}, {"x-request-id": "a" * 65})
    }
    assert len(given) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in given)
