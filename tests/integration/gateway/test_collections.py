"""Collections: made, listed, looked at, deleted."""

import httpx
import pytest


def test_a_collection_is_made_once(http: httpx.Client) -> None:
    body = {"name": "contracts", "description": "Signed ones."}
    made = http.post("/collections", json=body)
    assert made.status_code == 201
    assert made.json() == http.get("/collections/contracts").json()
    assert made.json()["documents"] == 0
    again = http.post("/collections", json=body)
    assert (again.status_code, again.json()["code"]) == (409, "collection_exists")


@pytest.mark.parametrize("name", ["", "-a", "a b", "ü", "a/b", "a" * 64])
def test_a_name_that_cannot_stand_in_an_address_is_refused(http: httpx.Client, name: str) -> None:
    reply = http.post("/collections", json={"name": name})
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["field"] == "name"


def test_a_deleted_collection_takes_its_documents_along(
    http: httpx.Client, collection: str
) -> None:
    accepted = http.post("/rag/pipeline", json={"text": "a", "collection": collection}).json()
    assert http.get(f"/collections/{collection}").json()["documents"] == 1
    deleted = http.delete(f"/collections/{collection}")
    assert deleted.status_code == 202
    assert http.get(f"/tasks/{deleted.json()['task_id']}").json()["kind"] == "delete"
    for address in (f"/collections/{collection}", f"/documents/{accepted['document_id']}"):
        assert http.get(address).status_code == 404
    assert http.delete(f"/collections/{collection}").status_code == 404
    # An ingestion of a document that is gone would be work for nothing.
    assert http.get(f"/tasks/{accepted['task_id']}").json()["status"] == "cancelled"
    # The name is free again, and what was in it does not come back.
    assert http.post("/collections", json={"name": collection}).json()["documents"] == 0


def test_the_default_collection_is_emptied_and_stays(http: httpx.Client) -> None:
    http.post("/rag/pipeline", json={"text": "To be emptied."}).raise_for_status()
    assert http.get("/collections/default").json()["documents"] > 0
    assert http.delete("/collections/default").status_code == 202
    assert http.get("/collections/default").json()["documents"] == 0
