"""The steps of a search in a question's body: checked before anything is written."""

from typing import Any

import httpx
import pytest

ADDRESSES = ("/rag/query", "/rag/query/sync", "/rag/query/stream", "/rag/search", "/chat")


@pytest.mark.parametrize("address", ADDRESSES)
def test_steps_that_mean_nothing_together_name_their_field(
    http: httpx.Client, address: str
) -> None:
    body = {"question": "Who?", "retrieval": {"search": "dense", "fusion": "linear"}}
    reply = http.post(address, json=body)
    assert reply.status_code == 422, reply.text
    [error] = reply.json()["errors"]
    assert error["field"] == "retrieval.fusion"
    assert "leave it out" in error["message"]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"fusion": "sum"}, "retrieval.fusion"),
        ({"prefetch": 0}, "retrieval.prefetch"),
        ({"mmr": True}, "retrieval.mmr"),
        ({"depth": 3}, "retrieval.depth"),
        ("linear", "retrieval"),
    ],
)
def test_values_that_are_none_name_their_field(http: httpx.Client, asked: Any, field: str) -> None:
    reply = http.post("/rag/query", json={"question": "Who?", "retrieval": asked})
    assert reply.status_code == 422, reply.text
    assert reply.json()["errors"][0]["field"] == field
