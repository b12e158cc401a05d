"""Webhooks over HTTP, up to a worker that sends them."""

import json
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import running, wait_until
from tests.doubles.receiver import Answer, Receiver
from tests.integration.gateway.processes import (
    PATIENCE,
    Gateway,
    environment_of,
    running_gateway,
)

PRIVATE = "http://127.0.0.1:9/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def open_gateway(tmp_path_factory: pytest.TempPathFactory, gateway_redis: str) -> Iterator[Gateway]:
    """A gateway that may call this machine, with the default fleet and beat behind it."""
    data = tmp_path_factory.mktemp("open")
    # Another database of Redis: the other gateways' queues are not to be worked on.
    redis_url = gateway_redis.replace("/0", "/1")
    allowed = {"FLOTILLA_WEBHOOK_ALLOW_PRIVATE": "true"}
    environment = environment_of(data, redis_url) | allowed
    flotilla = [sys.executable, "-m", "flotilla"]
    with (
        running_gateway(data, redis_url, **allowed) as gateway,
        running([*flotilla, "worker", "default"], data / "worker.log", environment),
        running([*flotilla, "beat"], data / "beat.log", environment),
    ):
        yield gateway


@pytest.fixture
def api(open_gateway: Gateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=open_gateway.url, timeout=PATIENCE) as client:
        yield client


def refused(reply: httpx.Response, field: str) -> None:
    problem = reply.json()
    assert (reply.status_code, problem["code"]) == (422, "callback_refused"), reply.text
    assert problem["errors"][0]["field"] == field


@pytest.mark.parametrize(
    "url",
    [
        PRIVATE,
        "http://localhost/",
        "http://[::1]/",
        "http://169.254.169.254/latest",
        "http://2130706433/",
        "ftp://example.com/",
        "example.com",
        "",
        "https://user:password@example.com/",
        "http://xn--/",
        "http://example.com:99999999999999999999/",
        "http://example.com:0/",
        "https://example.com/" + "漢" * 1000,
    ],
)
def test_an_address_that_may_not_be_called_is_refused(http: httpx.Client, url: str) -> None:
    refused(http.post("/webhooks", json={"url": url}), "url")


def test_each_submission_refuses_it_and_leaves_nothing(
    http: httpx.Client, gateway: Gateway, collection: str
) -> None:
    def tasks() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = http.get("/tasks", params={"limit": 1}).json()["items"]
        return found

    document = http.post("/rag/pipeline", json={"text": "To be kept", "name": "kept.txt"}).json()
    before, blobs = tasks(), len(gateway.blobs())
    own = {"callback_url": PRIVATE}
    replies = [
        http.post("/rag/pipeline", json={"text": "Called back?", **own}),
        http.post("/rag/query", json={"question": "Who?", **own}),
        http.post("/rag/query/sync", json={"question": "Who?", **own}),
        http.post("/rag/search", json={"question": "Who?", **own}),
        http.post("/tasks/process", json={"data": 1, **own}),
        http.post("/documents", files={"files": ("a.txt", b"Called back?")}, data=own),
        http.delete(f"/documents/{document['document_id']}", params=own),
        http.delete(f"/collections/{collection}", params=own),
        http.post(f"/collections/{collection}/reindex", params=own),
        http.post("/admin/sweep", json={}, params=own),
        http.post("/models/migrations", json={"model": "another"}, params=own),
        http.post("/models/rollback", params=own),
        http.delete("/models/none", params=own),
    ]
    for reply in replies:
        refused(reply, "callback_url")
    assert tasks() == before
    assert len(gateway.blobs()) == blobs
    assert http.get(f"/documents/{document['document_id']}").json()["status"] == "processing"


def test_an_address_that_is_too_long_as_it_is_kept_is_refused_wherever_it_stands(
    http: httpx.Client, gateway: Gateway, collection: str
) -> None:
    blobs = len(gateway.blobs())
    for url in ("https://example.com/" + "漢" * 1000, "https://example.com/" + "x" * 30_000):
        own = {"callback_url": url}
        files = {"files": ("a.txt", b"Called back?")}
        refused(http.post("/documents", files=files, data=own), "callback_url")
        for reply in (
            http.post("/rag/pipeline", json={"text": "Called back?", **own}),
            http.post(f"/collections/{collection}/reindex", params=own),
        ):
            assert reply.status_code == 422, reply.text
            assert reply.json()["errors"][0]["field"] == "callback_url"
    assert len(gateway.blobs()) == blobs


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": "https://example.com/" + "x" * 2048}, "url"),
        ({"url": "https://example.com/", "events": []}, "events"),
        ({"url": "https://example.com/", "events": ["task.begun"]}, "events.0"),
        ({"url": "https://example.com/", "secret": "short"}, "secret"),
        ({"url": "https://example.com/", "secret": "with spaces in the middle"}, "secret"),
    ],
)
def test_a_webhook_of_the_wrong_form_is_refused(
    http: httpx.Client, body: dict[str, Any], field: str
) -> None:
    reply = http.post("/webhooks", json=body)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")
    assert reply.json()["errors"][0]["field"] == field


def test_a_name_that_is_not_known_yet_is_taken(http: httpx.Client) -> None:
    webhook = http.post("/webhooks", json={"url": "https://receiver.invalid/hook#part"})
    assert webhook.status_code == 201
    assert webhook.json()["url"] == "https://receiver.invalid/hook"
    assert http.delete(f"/webhooks/{webhook.json()['webhook_id']}").status_code == 200


def test_the_secret_is_shown_once(http: httpx.Client) -> None:
    given = "a-secret-of-my-own"
    made = [
        http.post("/webhooks", json={"url": "https://a.invalid/", "events": ["task.failed"]}),
        http.post("/webhooks", json={"url": "https://b.invalid/", "secret": given}),
    ]
    first, second = (reply.json() for reply in made)
    assert first["secret"].startswith("whsec_")
    assert second["secret"] == given
    listing = http.get("/webhooks").text
    assert first["webhook_id"] in listing
    assert "secret" not in listing
    assert [w["url"] for w in http.get("/webhooks", params={"limit": 1}).json()["items"]] == [
        "https://b.invalid/"
    ]
    for webhook in (first, second):
        http.delete(f"/webhooks/{webhook['webhook_id']}").raise_for_status()


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("DELETE", "/webhooks/none", "webhook_not_found"),
        ("POST", "/webhooks/none/test", "webhook_not_found"),
        ("GET", "/webhooks/none/deliveries", "webhook_not_found"),
        ("GET", "/tasks/none/deliveries", "task_not_found"),
        ("GET", "/deliveries/none", "delivery_not_found"),
        ("POST", "/deliveries/none/redeliver", "delivery_not_found"),
    ],
)
def test_what_is_not_there_is_not_found(
    http: httpx.Client, method: str, path: str, code: str
) -> None:
    reply = http.request(method, path)
    assert (reply.status_code, reply.json()["code"]) == (404, code)


def test_the_signing_secret_stays_until_it_is_replaced(http: httpx.Client) -> None:
    first = http.get("/webhooks/secret").json()
    assert first["source"] == "ledger"
    assert http.get("/webhooks/secret").json() == first
    second = http.post("/webhooks/secret").json()
    assert second["secret"] != first["secret"]
    assert second["previous_until"] is not None
    assert http.get("/webhooks/secret").json() == second


def test_a_ping_arrives_at_once_and_again_on_demand(api: httpx.Client, receiver: Receiver) -> None:
    receiver.answers["/hook"] = [Answer(500), Answer(204)]
    webhook = api.post("/webhooks", json={"url": f"{receiver.url}/hook"}).json()
    delivery = api.post(f"/webhooks/{webhook['webhook_id']}/test").json()
    address = f"/deliveries/{delivery['delivery_id']}"
    assert (delivery["event"], delivery["task_id"]) == ("ping", None)

    wait_until(lambda: api.get(address).json()["finished_at"], PATIENCE)
    failed = api.get(address).json()
    assert failed["state"] == "failed"
    assert [attempt["status"] for attempt in failed["attempts"]] == [500]

    assert api.post(f"{address}/redeliver").status_code == 202
    wait_until(lambda: api.get(address).json()["state"] == "succeeded", PATIENCE)
    assert [each.json["attempt"] for each in receiver.received] == [1, 2]
    listed = api.get(f"/webhooks/{webhook['webhook_id']}/deliveries").json()["items"]
    assert [each["delivery_id"] for each in listed] == [delivery["delivery_id"]]
    api.delete(f"/webhooks/{webhook['webhook_id']}").raise_for_status()


def test_the_end_of_a_task_is_told_to_its_callback_url(
    api: httpx.Client, receiver: Receiver
) -> None:
    own = {"callback_url": f"{receiver.url}/own"}
    good = api.post("/tasks/process", json={"data": "x", **own}).json()["task_id"]
    bad = api.post("/tasks/calculate/divide", json={"dividend": 1, "divisor": 0, **own}).json()[
        "task_id"
    ]
    plain = api.post("/tasks/process", json={"data": "x"}).json()["task_id"]

    wait_until(lambda: len(receiver.received) == 2, PATIENCE)
    told = {each.json["task"]["task_id"]: each.json for each in receiver.received}
    assert set(told) == {good, bad}
    assert (told[good]["event"], told[bad]["event"]) == ("task.completed", "task.failed")
    assert told[good]["task"]["result"] == api.get(f"/tasks/{good}").json()["result"]
    assert told[bad]["task"]["error"]["message"]
    [delivery] = api.get(f"/tasks/{good}/deliveries").json()["items"]
    assert delivery["webhook_id"] is None
    assert api.get(f"/tasks/{plain}/deliveries").json()["items"] == []


def test_what_a_killed_worker_had_is_sent_by_the_next(
    tmp_path: Path, gateway_redis: str, receiver: Receiver
) -> None:
    redis_url = gateway_redis.replace("/0", "/2")
    receiver.answers["/hook"] = [Answer(pause=PATIENCE), Answer(204)]
    allowed = {"FLOTILLA_WEBHOOK_ALLOW_PRIVATE": "true", "FLOTILLA_WEBHOOK_TIMEOUT": "60"}
    worker = [sys.executable, "-m", "flotilla", "worker", "default"]
    data = tmp_path / "data"
    environment = environment_of(data, redis_url) | allowed
    with (
        running_gateway(data, redis_url, **allowed) as gateway,
        httpx.Client(base_url=gateway.url, timeout=PATIENCE) as http,
    ):
        webhook = http.post("/webhooks", json={"url": f"{receiver.url}/hook"}).json()
        ping = f"/webhooks/{webhook['webhook_id']}/test"
        with running(worker, data / "first.log", environment) as process:
            address = f"/deliveries/{http.post(ping).json()['delivery_id']}"
            wait_until(lambda: receiver.received, PATIENCE)
            process.kill()
        stuck = http.get(address).json()
        assert (stuck["state"], stuck["attempts"]) == ("sending", [])
        # Its lease has not run out: nobody else may take it yet.
        again = http.post(f"{address}/redeliver")
        assert (again.status_code, again.json()["code"]) == (409, "conflict")

        with sqlite3.connect(data / "ledger.sqlite") as ledger:  # a minute and a half goes by
            change = "UPDATE webhook_deliveries SET lease_until = ?, due_at = ?, give_up_at = ?"
            past, future = "2020-01-01 00:00:00.000000", "2999-01-01 00:00:00.000000"
            ledger.execute(change, (past, past, future))
        with running(worker, data / "second.log", environment):
            http.post(ping).raise_for_status()
            wait_until(lambda: http.get(address).json()["finished_at"], PATIENCE)
        delivery = http.get(address).json()
        assert delivery["state"] == "succeeded"
        assert [attempt["status"] for attempt in delivery["attempts"]] == [None, 204]
        assert receiver.received[1].json["delivery_id"] == delivery["delivery_id"]


def test_bodies_are_json_that_its_schema_describes(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    assert "callback_url" in json.dumps(document["components"]["schemas"]["PipelineRequest"])
    upload = document["paths"]["/documents"]["post"]["requestBody"]["content"]
    assert "callback_url" in upload["multipart/form-data"]["schema"]["properties"]
