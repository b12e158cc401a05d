"""Batches, re-indexings and retries over HTTP, while no fleet is there to begin them."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from flotilla.ledger import job_ends, versions
from flotilla.ledger.database import Database
from flotilla.ledger.tables import JOBS
from flotilla.schemas import BatchResult, TaskError
from flotilla.settings import Settings
from tests.integration.gateway.processes import Gateway

ERROR = TaskError(
    stage="document.convert", code="file_corrupt", message="It is damaged.", retryable=False
)


@pytest.fixture
def ledger(gateway: Gateway) -> Iterator[Database]:
    """The gateway's own ledger, for what the fleets would write."""
    database = Database(Settings(data=gateway.data, database_url=None).ledger_url)
    yield database
    database.close()


def upload(http: httpx.Client, collection: str, *names: str, **fields: str) -> dict[str, Any]:
    files = [("files", (name, f"{collection} {name}".encode())) for name in names]
    reply = http.post("/documents", files=files, data={"collection": collection, **fields})
    assert reply.status_code == 202, reply.text
    accepted: dict[str, Any] = reply.json()
    return accepted


def opened(http: httpx.Client, **body: object) -> str:
    reply = http.post("/batches", json=body)
    assert reply.status_code == 201, reply.text
    task = reply.json()
    assert (task["kind"], task["status"]) == ("batch", "processing")
    return str(task["task_id"])


def members(http: httpx.Client, batch_id: str, **params: str) -> list[dict[str, Any]]:
    reply = http.get("/tasks", params={"parent": batch_id, **params})
    items: list[dict[str, Any]] = reply.json()["items"]
    return items


def end(ledger: Database, task_id: str, *, well: bool = True) -> None:
    with ledger.writing() as connection:
        if well:
            job = connection.execute(select(*JOBS.c).where(JOBS.c.id == task_id)).one()
            versions.publish(connection, job.document_id, job.version_id)
            job_ends.complete(connection, task_id, {})
        else:
            job_ends.fail(connection, task_id, ERROR)
            connection.execute(
                versions.VERSIONS.update()
                .where(versions.VERSIONS.c.id == job_version(connection, task_id))
                .values(state=versions.FAILED)
            )


def job_version(connection: Any, task_id: str) -> str:
    return str(connection.scalar(select(JOBS.c.version_id).where(JOBS.c.id == task_id)))


def test_many_files_make_a_batch_and_one_makes_none(http: httpx.Client, collection: str) -> None:
    assert upload(http, collection, "alone.txt")["batch_id"] is None
    accepted = upload(http, collection, "a.txt", "b.txt", "alone.txt")
    batch = http.get(f"/tasks/{accepted['batch_id']}").json()
    assert (batch["kind"], batch["status"]) == ("batch", "processing")
    # The third was there already, and has nothing to do.
    assert batch["progress"] == {"done": 1, "total": 3, "unit": "documents", "eta_seconds": None}
    found = {each["name"]: each["status"] for each in members(http, accepted["batch_id"])}
    assert found == {"a.txt": "pending", "b.txt": "pending", "alone.txt": "completed"}


def test_a_batch_is_filled_by_many_requests(
    http: httpx.Client, collection: str, ledger: Database
) -> None:
    batch_id = opened(http, name="papers", total=4)
    one = upload(http, collection, "a.txt", "b.txt", batch=batch_id)
    assert one["batch_id"] == batch_id
    body = {"text": "A notice.", "collection": collection, "batch": batch_id}
    text = http.post("/rag/pipeline", json=body).json()
    refusal = {"name": "c.pdf", "code": "file_too_large", "message": "c.pdf is too large."}
    reply = http.post(f"/batches/{batch_id}/refusals", json={"refusals": [refusal]})
    assert reply.status_code == 201
    assert reply.json()["progress"]["done"] == 1
    assert http.post(f"/batches/{batch_id}/close").json()["status"] == "processing"
    for entry in (*one["documents"], text):
        end(ledger, entry["task_id"])
    task = http.get(f"/tasks/{batch_id}", params={"wait": 1}).json()
    assert (task["status"], task["name"]) == ("partial", "papers")
    result = BatchResult.model_validate(task["result"])
    assert (result.documents, result.completed, result.failed) == (4, 3, 1)
    assert [each.name for each in result.failures] == ["c.pdf"]
    [failed] = members(http, batch_id, status="failed")
    assert failed["error"]["code"] == "file_too_large"


def test_a_batch_that_takes_nothing_more_says_so_and_keeps_no_bytes(
    http: httpx.Client, gateway: Gateway, collection: str
) -> None:
    batch_id = opened(http)
    assert http.post(f"/batches/{batch_id}/close").json()["status"] == "completed"
    assert http.post(f"/batches/{batch_id}/close").status_code == 200
    before = len(gateway.blobs())
    files = {"files": ("late.txt", b"too late")}
    reply = http.post("/documents", files=files, data={"batch": batch_id})
    assert (reply.status_code, reply.json()["code"]) == (409, "batch_closed")
    assert reply.json()["errors"][0]["field"] == "batch"
    reply = http.post("/rag/pipeline", json={"text": "too late", "batch": batch_id})
    assert reply.status_code == 409
    refusals = {"refusals": [{"name": "c.pdf", "message": "It is too large."}]}
    assert http.post(f"/batches/{batch_id}/refusals", json=refusals).status_code == 409
    reply = http.post("/documents", files=files, data={"batch": "nope"})
    assert (reply.status_code, reply.json()["code"]) == (404, "task_not_found")
    assert http.post("/batches/nope/close").status_code == 404
    assert len(gateway.blobs()) == before


def test_a_batch_is_cancelled_with_its_members(http: httpx.Client, collection: str) -> None:
    accepted = upload(http, collection, "a.txt", "b.txt")
    task = http.delete(f"/tasks/{accepted['batch_id']}").json()
    assert (task["status"], task["result"]["cancelled"]) == ("cancelled", 2)
    assert {each["status"] for each in members(http, accepted["batch_id"])} == {"cancelled"}
    reply = http.delete(f"/tasks/{accepted['batch_id']}")
    assert (reply.status_code, reply.json()["code"]) == (409, "conflict")


def test_a_batch_is_retried_with_what_failed(
    http: httpx.Client, collection: str, ledger: Database
) -> None:
    accepted = upload(http, collection, "a.txt", "b.txt", "c.txt")
    first, *rest = (each["task_id"] for each in accepted["documents"])
    end(ledger, first)
    for task_id in rest:
        end(ledger, task_id, well=False)
    address = f"/tasks/{accepted['batch_id']}"
    assert http.get(address).json()["status"] == "partial"
    assert http.post(f"{address}/retry").status_code == 202
    assert http.get(address).json()["status"] == "processing"
    assert {http.get(f"/tasks/{task_id}").json()["status"] for task_id in rest} == {"pending"}
    assert http.post(f"{address}/retry").status_code == 409
    for task_id in rest:
        end(ledger, task_id, well=False)
    reply = http.post("/tasks/retry", json={"batch": accepted["batch_id"], "code": "file_corrupt"})
    assert sorted(reply.json()["task_ids"]) == sorted(rest)
    reply = http.post("/tasks/retry", json={"batch": accepted["batch_id"], "code": "no_text"})
    assert reply.json() == {"task_ids": [], "refused": [], "next_cursor": None}


def test_what_one_request_leaves_the_next_one_retries(
    http: httpx.Client, collection: str, ledger: Database
) -> None:
    accepted = upload(http, collection, "a.txt", "b.txt", "c.txt")
    ids = [each["task_id"] for each in accepted["documents"]]
    for task_id in ids:
        end(ledger, task_id, well=False)
    wanted = {"collection": collection, "limit": 2, "code": ERROR.code}
    reply = http.post("/tasks/retry", json=wanted).json()
    assert (reply["task_ids"], reply["refused"]) == (ids[:2], [])
    reply = http.post("/tasks/retry", json={**wanted, "cursor": reply["next_cursor"]}).json()
    assert (reply["task_ids"], reply["next_cursor"]) == (ids[2:], None)


def test_documents_and_collections_are_indexed_anew(
    http: httpx.Client, collection: str, ledger: Database
) -> None:
    accepted = upload(http, collection, "a.txt", "b.txt")["documents"]
    document_id = accepted[0]["document_id"]
    reply = http.post(f"/documents/{document_id}/reindex")
    assert (reply.status_code, reply.json()["code"]) == (409, "conflict")
    for each in accepted:
        end(ledger, each["task_id"])
    task_id = http.post(f"/documents/{document_id}/reindex").json()["task_id"]
    task = http.get(f"/tasks/{task_id}").json()
    assert (task["kind"], task["document_id"]) == ("reindex", document_id)
    reply = http.post(f"/collections/{collection}/reindex")
    assert reply.status_code == 202
    batch_id = reply.json()["task_id"]
    assert http.post(f"/collections/{collection}/reindex").json()["task_id"] == batch_id
    [member] = members(http, batch_id)  # the other one is on its way by itself
    assert (member["kind"], member["document_id"]) == ("reindex", accepted[1]["document_id"])
    assert http.get(f"/tasks/{batch_id}").json()["progress"]["total"] == 1
    assert http.delete(f"/tasks/{batch_id}").json()["status"] == "cancelled"
    assert http.get(f"/tasks/{member['task_id']}").json()["status"] == "cancelled"
    for address in ("/documents/nope/reindex", "/collections/nope/reindex"):
        assert http.post(address).status_code == 404
