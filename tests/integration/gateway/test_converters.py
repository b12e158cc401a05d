"""The converter that a submission asks for."""

import json
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
import redis
from sqlalchemy import select, update

from flotilla.heartbeats import WORKER_TTL, worker_key
from flotilla.ledger.database import Database
from flotilla.ledger.tables import JOBS, VERSIONS
from tests.integration.gateway.processes import Gateway

Show = Callable[..., None]


@pytest.fixture
def show(gateway_redis: str) -> Iterator[Show]:
    """Show a worker of the document fleet that has these converters."""
    client = redis.Redis.from_url(gateway_redis)
    keys = []

    def show(*converters: str, name: str = "document@here") -> None:
        keys.append(worker_key("document", name))
        facts = {"name": name, "fleet": "document", "concurrency": 1, "seen_at": time.time()}
        if converters:
            facts["converters"] = list(converters)
        client.set(keys[-1], json.dumps(facts), ex=WORKER_TTL)

    yield show
    for key in keys:
        client.delete(key)
    client.close()


def upload(http: httpx.Client, collection: str, **fields: str) -> httpx.Response:
    files = {"files": ("terms.txt", b"Returns within 14 days.")}
    return http.post("/documents", files=files, data={"collection": collection} | fields)


def payload(gateway: Gateway, task_id: str) -> dict[str, object]:
    database = Database(f"sqlite:///{gateway.data / 'ledger.sqlite'}")
    with database.reading() as connection:
        found = connection.scalar(select(JOBS.c.payload).where(JOBS.c.id == task_id))
    database.close()
    assert found is not None
    return dict(found)


def test_it_goes_into_the_job(http: httpx.Client, gateway: Gateway, collection: str) -> None:
    [accepted] = upload(http, collection, converter="ocr").json()["documents"]
    assert payload(gateway, accepted["task_id"])["converter"] == "ocr"
    body = {"url": "https://example.com/a.pdf", "collection": collection}
    reply = http.post("/rag/pipeline", json=body | {"converter": "llamaparse"}).json()
    assert payload(gateway, reply["task_id"])["converter"] == "llamaparse"


@pytest.mark.parametrize("fields", [{}, {"converter": ""}, {"converter": "auto"}])
def test_the_usual_one_needs_no_word(
    http: httpx.Client, gateway: Gateway, collection: str, fields: dict[str, str]
) -> None:
    [accepted] = upload(http, collection, **fields).json()["documents"]
    assert "converter" not in payload(gateway, accepted["task_id"])


def test_one_that_there_is_not_is_refused(http: httpx.Client, collection: str) -> None:
    problem = upload(http, collection, converter="tesseract").json()
    assert (problem["status"], problem["code"]) == (422, "invalid_request")
    assert problem["errors"][0]["field"] == "converter"
    assert "llamaparse" in problem["detail"]
    body = {"text": "A text.", "collection": collection, "converter": "tesseract"}
    problem = http.post("/rag/pipeline", json=body).json()
    assert (problem["status"], problem["errors"][0]["field"]) == (422, "converter")
    assert http.get("/documents", params={"collection": collection}).json()["items"] == []


def test_one_that_no_worker_has_is_refused(http: httpx.Client, collection: str, show: Show) -> None:
    show("auto", "pdfium")
    problem = upload(http, collection, converter="llamaparse").json()
    assert (problem["status"], problem["code"]) == (422, "converter_unavailable")
    assert problem["errors"][0]["field"] == "converter"
    assert "LLAMA_CLOUD_API_KEY" in problem["detail"]
    body = {"url": "https://example.com/a.pdf", "collection": collection, "converter": "ocr"}
    assert http.post("/rag/pipeline", json=body).json()["code"] == "converter_unavailable"
    assert upload(http, collection, converter="pdfium").status_code == 202


def test_one_worker_that_has_it_is_enough(http: httpx.Client, collection: str, show: Show) -> None:
    show("auto", "pdfium")
    show("auto", "pdfium", "ocr", name="document@there")
    assert upload(http, collection, converter="ocr").status_code == 202


def test_workers_that_do_not_say_are_left_to_say_it_themselves(
    http: httpx.Client, collection: str, show: Show
) -> None:
    show()
    assert upload(http, collection, converter="ocr").status_code == 202


def test_the_same_bytes_may_be_read_by_another_converter(
    http: httpx.Client, gateway: Gateway, collection: str
) -> None:
    [first] = upload(http, collection).json()["documents"]
    assert upload(http, collection).json()["documents"][0]["duplicate_of"] is not None
    [second] = upload(http, collection, converter="ocr").json()["documents"]
    assert second["duplicate_of"] is None
    assert second["document_id"] == first["document_id"]
    assert second["task_id"] != first["task_id"]
    [third] = upload(http, collection, converter="ocr").json()["documents"]
    assert third["duplicate_of"] == first["document_id"]
    # Another name makes no second document.
    files = {"files": ("copy.txt", b"Returns within 14 days.")}
    data = {"collection": collection, "converter": "llamaparse"}
    [copy] = http.post("/documents", files=files, data=data).json()["documents"]
    assert copy["duplicate_of"] == first["document_id"]


def test_what_another_converter_stood_in_for_may_be_asked_for_again(
    http: httpx.Client, gateway: Gateway, collection: str
) -> None:
    [first] = upload(http, collection, converter="llamaparse").json()["documents"]
    note = {
        "stage": "document.convert",
        "part": 0,
        "code": "converter_replaced",
        "message": "LlamaParse did not read it.",
        "pages": [],
    }
    database = Database(f"sqlite:///{gateway.data / 'ledger.sqlite'}")
    with database.writing() as connection:
        task = JOBS.c.id == first["task_id"]
        connection.execute(update(JOBS).where(task).values(notes=[note]))
        connection.execute(
            update(VERSIONS)
            .where(VERSIONS.c.document_id == first["document_id"])
            .values(converter="pdfium")
        )
    database.close()
    shown = http.get(f"/documents/{first['document_id']}").json()
    assert (shown["converter"], shown["notes"][0]["code"]) == ("pdfium", "converter_replaced")
    task = http.get(f"/tasks/{first['task_id']}").json()
    assert task["notes"] == shown["notes"]
    [second] = upload(http, collection, converter="llamaparse").json()["documents"]
    assert second["duplicate_of"] is None
