"""Tasks while no fleet is there to begin them."""

import json
import math
import time

import httpx
import pytest
import redis

from tests.integration.gateway.processes import Gateway

JSON = {"content-type": "application/json"}
DEEP: dict[str, object] = {}
for _ in range(150):
    DEEP = {"a": DEEP}


@pytest.mark.parametrize("address", ["/tasks/{}", "/tasks/status/{}"])
@pytest.mark.parametrize("task_id", ["0198c0de-0000-7000-8000-000000000000", "x", "a" * 500])
def test_an_unknown_id_is_not_pending_but_not_found(
    http: httpx.Client, address: str, task_id: str
) -> None:
    reply = http.get(address.format(task_id), params={"wait": 5})
    assert (reply.status_code, reply.json()["code"]) == (404, "task_not_found")
    assert reply.elapsed.total_seconds() < 4


def test_a_waiting_task_knows_its_place_in_the_queue(http: httpx.Client) -> None:
    ids = [http.post("/rag/query", json={"question": "Who?"}).json()["task_id"] for _ in range(3)]
    tasks = [http.get(f"/tasks/{task_id}").json() for task_id in ids]
    first = tasks[0]["queue_position"]
    assert first >= 1
    assert [task["queue_position"] for task in tasks] == [first, first + 1, first + 2]
    assert {task["status"] for task in tasks} == {"pending"}
    assert {task["queue"] for task in tasks} == {"rag"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("created_after", "0001-01-01T00:00:00+14:00"),
        ("created_after", "9999-12-31T23:59:59-14:00"),
        ("cursor", "not a cursor"),
    ],
)
def test_a_filter_of_retries_that_means_nothing_is_refused(
    http: httpx.Client, field: str, value: str
) -> None:
    reply = http.post("/tasks/retry", json={field: value})
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00", "9999-12-31T23:59:59+14:00"])
def test_any_moment_that_there_is_may_be_named(http: httpx.Client, moment: str) -> None:
    reply = http.post("/tasks/retry", json={"created_after": moment, "code": "none"})
    assert (reply.status_code, reply.json()["task_ids"]) == (202, [])


def test_both_addresses_show_the_same_task(http: httpx.Client) -> None:
    task_id = http.post("/tasks/process", json={"data": "x"}).json()["task_id"]
    assert http.get(f"/tasks/{task_id}").json() == http.get(f"/tasks/status/{task_id}").json()


def test_a_wait_ends_when_its_time_is_over(http: httpx.Client) -> None:
    task_id = http.post("/tasks/process", json={"data": "x"}).json()["task_id"]
    began = time.monotonic()
    reply = http.get(f"/tasks/{task_id}", params={"wait": 0.6})
    assert time.monotonic() - began >= 0.6
    assert reply.status_code == 200
    assert reply.json()["status"] == "pending"


@pytest.mark.parametrize("wait", ["-1", "601", "nan", "long"])
def test_a_wait_out_of_bounds_is_refused(http: httpx.Client, wait: str) -> None:
    reply = http.get("/tasks/x", params={"wait": wait})
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["field"] == "wait"


def test_an_answer_that_takes_too_long_goes_on_under_its_task_id(http: httpx.Client) -> None:
    for address in ("/rag/query/sync", "/rag/search"):
        reply = http.post(address, params={"timeout": 0.3}, json={"question": "When?"})
        problem = reply.json()
        assert reply.status_code == 504
        assert reply.headers["content-type"] == "application/problem+json"
        assert (problem["code"], problem["retryable"]) == ("answer_timeout", True)
        assert http.get(f"/tasks/{problem['task_id']}").json()["status"] == "pending"


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"question": ""}, 422, "question_empty", "question"),
        ({"question": " \n\x00"}, 422, "question_empty", "question"),
        ({"question": "a" * 4001}, 422, "question_too_long", "question"),
        ({"question": "Who?", "collection": "nowhere"}, 404, "collection_not_found", "collection"),
        (
            {"question": "Who?", "collections": ["default", "nowhere"]},
            404,
            "collection_not_found",
            "collections.1",
        ),
        ({"question": "Who?", "top_k": 0}, 422, "invalid_request", "top_k"),
        ({"question": "Who?", "top_k": 101}, 422, "invalid_request", "top_k"),
        ({"question": "Who?", "filter": {"year": {"above": 1}}}, 422, "invalid_request", None),
        ({"question": "Who?", "filter": ["year"]}, 422, "invalid_request", "filter"),
        ({"question": "Who \ud800?"}, 422, "invalid_request", "question"),
        ({"question": "Who?", "filter": {"year": math.nan}}, 422, "invalid_request", "filter"),
        ({"question": "Who?", "filter": {"year": DEEP}}, 422, "invalid_request", "filter"),
        ({"question": "Who?", "collections": []}, 422, "invalid_request", "collections"),
        (
            {"question": "Who?", "collection": "a", "collections": ["a"]},
            422,
            "invalid_request",
            "collections",
        ),
        ({"question": 7}, 422, "invalid_request", "question"),
        ({}, 422, "invalid_request", "question"),
    ],
)
@pytest.mark.parametrize("address", ["/rag/query", "/rag/query/sync", "/rag/search"])
def test_a_question_that_cannot_be_asked_is_refused(
    http: httpx.Client,
    address: str,
    body: dict[str, object],
    status: int,
    code: str,
    field: str | None,
) -> None:
    # httpx's own encoder takes no half of a surrogate pair; JSON's escapes can hold one.
    reply = http.post(address, content=json.dumps(body), headers=JSON)
    problem = reply.json()
    assert (reply.status_code, problem["code"]) == (status, code)
    assert field is None or problem["errors"][0]["field"] == field


def test_the_fleets_are_shown_with_what_waits_for_them(
    http: httpx.Client, small_gateway: Gateway
) -> None:
    http.post("/rag/query", json={"question": "Who?"}).raise_for_status()
    info = http.get("/tasks/info").json()
    depths = {queue["name"]: queue["depth"] for queue in info["queues"]}
    assert set(depths) == {"document", "vectorstore", "rag", "default"}
    assert depths["rag"] > 0
    assert info["workers"] == []


def test_a_gateway_gathers_no_subscriptions(http: httpx.Client, gateway_redis: str) -> None:
    with redis.Redis.from_url(gateway_redis, decode_responses=True) as client:
        before = set(client.pubsub_channels())
        http.post("/rag/query", json={"question": "Who?"}).raise_for_status()
        http.post("/rag/pipeline", json={"text": "Subscribed?"}).raise_for_status()
        http.post("/tasks/workflow/chain", json={"x": 1, "y": 2, "divisor": 3}).raise_for_status()
        http.post("/rag/query/sync", params={"timeout": 0.1}, json={"question": "Who?"})
        assert set(client.pubsub_channels()) == before
