"""Lists come in parts: complete, each item once, and stable while items are added."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest


def in_parts(
    http: httpx.Client,
    address: str,
    limit: int,
    between: Callable[[], object] = lambda: None,
    **params: Any,
) -> list[list[dict[str, Any]]]:
    """Every part of a list; `between` is called after each."""
    parts: list[list[dict[str, Any]]] = []
    cursor: str | None = None
    while True:
        asked = params | {"limit": limit} | ({"cursor": cursor} if cursor else {})
        reply = http.get(address, params=asked)
        assert reply.status_code == 200, reply.text
        parts.append(reply.json()["items"])
        cursor = reply.json()["next_cursor"]
        if cursor is None:
            return parts
        assert len(parts) < 100, "the list never ends"
        between()


@pytest.mark.parametrize("limit", [1, 3, 4, 5, 8, 9])
def test_documents_are_complete_and_stable_while_some_are_added(
    http: httpx.Client, collection: str, limit: int
) -> None:
    def add(text: str) -> str:
        body = {"text": text, "collection": collection}
        return str(http.post("/rag/pipeline", json=body).json()["document_id"])

    ids = [add(f"Text {number}") for number in range(8)]
    added = iter(range(100))
    parts = in_parts(
        http,
        "/documents",
        limit,
        lambda: add(f"Later {next(added)}"),
        collection=collection,
    )
    assert [item["document_id"] for part in parts for item in part] == ids[::-1]
    assert all(parts), "a part is empty"


def test_tasks_are_filtered_and_complete(http: httpx.Client) -> None:
    asked = [
        http.post("/rag/query", json={"question": f"Question {number}?"}).json()["task_id"]
        for number in range(5)
    ]
    http.post("/tasks/calculate/add", json={"x": 1, "y": 2}).raise_for_status()
    parts = in_parts(http, "/tasks", 2, kind="query", status="pending")
    listed = [item for part in parts for item in part]
    ids = [item["task_id"] for item in listed]
    assert len(ids) == len(set(ids))
    assert ids[:5] == asked[::-1]
    assert {(item["kind"], item["status"]) for item in listed} == {("query", "pending")}


def test_tasks_are_found_by_collection_and_stage(http: httpx.Client, collection: str) -> None:
    body = {"text": "Found by its collection.", "collection": collection}
    task_id = http.post("/rag/pipeline", json=body).json()["task_id"]
    stage = http.get(f"/tasks/{task_id}").json()["stage"]

    def found(**params: str) -> list[str]:
        reply = http.get("/tasks", params={"collection": collection} | params)
        return [item["task_id"] for item in reply.json()["items"]]

    assert found() == found(stage=stage) == [task_id]
    assert found(stage="upkeep.finish") == found(code="quarantined") == []


def test_collections_are_listed_by_name(http: httpx.Client) -> None:
    for number in range(7):
        http.post("/collections", json={"name": f"listed-{number}"})
    parts = in_parts(http, "/collections", 3)
    names = [item["name"] for part in parts for item in part]
    assert names == sorted(set(names))
    assert {f"listed-{number}" for number in range(7)} <= set(names)


@pytest.mark.parametrize("cursor", ["%%", "ü", "a" * 1001, "_w"])
def test_a_cursor_that_no_list_gave_is_refused(http: httpx.Client, cursor: str) -> None:
    reply = http.get("/documents", params={"cursor": cursor})
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["field"] == "cursor"


@pytest.mark.parametrize("limit", ["0", "501", "many"])
def test_a_limit_out_of_bounds_is_refused(http: httpx.Client, limit: str) -> None:
    reply = http.get("/tasks", params={"limit": limit})
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["field"] == "limit"
