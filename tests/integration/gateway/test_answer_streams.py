"""Streamed answers at a real gateway, whose rag fleet is played by the test."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from flotilla.answer_streams.entries import key, readers_key
from flotilla.client import DoneEvent, Flotilla
from flotilla.ledger import jobs, task_events
from flotilla.ledger.database import Database
from flotilla.models import ChatAnswer, ChatContextUsed, Step
from flotilla.schemas import AnswerResponse, ChatResponse
from flotilla.settings import Settings
from tests.conftest import wait_until
from tests.integration.gateway.answer_reader import (
    CITATION,
    Run,
    answer,
    numbers_of,
    reading,
    text_of,
)
from tests.integration.gateway.event_reader import Work
from tests.integration.gateway.processes import Gateway, running_gateway, running_redis

TEXT = "The warranty is two years [1]. It begins with the handing over."
ANSWER = answer(TEXT, CITATION)
STEP = Step(name="retrieve", started=0, took=2, saw={"passages": 5})
Begin = Callable[[], Run]


@pytest.fixture(scope="module")
def ledger(gateway: Gateway) -> Iterator[Database]:
    database = Database(Settings(data=gateway.data).ledger_url)
    yield database
    database.close()


@pytest.fixture
def store(gateway_redis: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The gateway's Redis, on which this process announces as well."""
    with redis.Redis.from_url(gateway_redis, decode_responses=True) as client:
        monkeypatch.setattr(task_events, "client", lambda: client)
        yield client


@pytest.fixture
def begin(ledger: Database, store: Any) -> Begin:
    return lambda: Run(ledger, store)


def test_an_answer_is_read_while_it_is_written(gateway: Gateway, begin: Begin) -> None:
    run = begin()
    with reading(gateway.url, run.id) as reader, run.worker() as stream:
        assert reader.headers["content-type"].startswith("text/event-stream")
        assert reader.headers["x-accel-buffering"] == "no"
        assert "no-cache" in reader.headers["cache-control"]
        assert reader.headers["x-task-id"] == run.id
        stream.trace(STEP)
        reader.until(event="trace")
        stream.token("The warranty is two years", "The warranty is two years")
        reader.until_text("The warranty is two years")
        stream.token(" [1].", " [4].")
        stream.citation(CITATION)
        reader.until(event="citation")
        stream.token(TEXT[30:], "")
        reader.until_text(TEXT)
        stream.close()
        run.complete(ANSWER)
        [done] = reader.rest()
    assert reader.retry is not None
    assert numbers_of(reader.seen) == list(range(1, len(reader.seen) + 1))
    assert [each["event"] for each in reader.seen[:2]] == ["trace", "token"]
    assert all("raw" not in each["data"] for each in reader.seen)
    assert done["event"] == "done"
    assert AnswerResponse.model_validate(done["data"]).text == TEXT
    assert done["data"]["task_id"] == run.id


def test_a_reader_goes_on_behind_each_event_without_a_gap_or_a_repeat(
    gateway: Gateway, begin: Begin
) -> None:
    run = begin()
    with run.worker() as stream:
        stream.trace(STEP)
        for word in ("The warranty ", "is two years ", "[1]. "):
            stream.token(word, word)
            wait_until(lambda: stream._acknowledged == len(stream._numbered) > 0)
    run.complete(ANSWER)
    with reading(gateway.url, run.id) as reader:
        whole = reader.rest()
    assert text_of(whole) == TEXT
    assert [each["event"] for each in whole[-3:]] == ["token", "citation", "done"]
    for at, event in enumerate(whole[:-1]):
        with reading(gateway.url, run.id, event["id"]) as reader:
            assert reader.rest() == whole[at + 1 :]
    headers = {"Last-Event-ID": whole[-1]["id"]}
    url = f"{gateway.url}/tasks/{run.id}/stream"
    assert httpx.get(url, headers=headers).status_code == 204


def test_a_posted_question_goes_on_with_its_last_event(
    gateway: Gateway, collection: str, begin: Begin, store: Any, ledger: Database
) -> None:
    body = {"question": "How long is the warranty?", "collection": collection}
    with reading(gateway.url, body=body) as reader:
        run = Run(ledger, store, reader.headers["x-task-id"])
        assert store.exists(readers_key(run.id))
        with ledger.reading() as connection:
            job = jobs.get(connection, run.id)
        assert job is not None
        assert job.payload["stream"] is True
        with run.worker() as stream:
            stream.token("The warranty ", "")
            reader.until_text("The warranty ")
            seen = reader.seen[-1]["id"]
    with reading(gateway.url, body=body, last_id=seen) as reader:
        assert reader.headers["x-task-id"] == run.id
        run.complete(ANSWER)
        assert text_of(reader.rest()) == TEXT.removeprefix("The warranty ")
    for unknown in ("0199-none:7", f"{run.id[:-1]}z:1"):
        headers = {"Last-Event-ID": unknown}
        refused = httpx.post(f"{gateway.url}/rag/query/stream", json=body, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (404, "task_not_found")


def test_an_event_of_another_answer_is_refused(
    gateway: Gateway, collection: str, begin: Begin
) -> None:
    def go_on(method: str, path: str, body: dict[str, str] | None = None) -> httpx.Response:
        headers = {"Last-Event-ID": seen}
        return httpx.request(method, f"{gateway.url}{path}", json=body, headers=headers)

    asked = {"question": "How long is the warranty?", "collection": collection, "user": "anne"}
    with reading(gateway.url, body=asked, path="/chat/stream") as reader:
        task_id = reader.headers["x-task-id"]
    seen = f"{task_id}:1"
    other = go_on("GET", f"/tasks/{begin().id}/stream")
    assert (other.status_code, other.json()["errors"][0]["field"]) == (422, "Last-Event-ID")
    reworded = go_on("POST", "/chat/stream", asked | {"question": "How long are vans?"})
    assert (reworded.status_code, reworded.json()["errors"][0]["field"]) == (422, "Last-Event-ID")
    for path, body in (
        ("/chat/stream", asked | {"user": "mallory"}),
        ("/rag/query/stream", {"question": asked["question"], "collection": collection}),
    ):
        refused = go_on("POST", path, body)
        assert (refused.status_code, refused.json()["code"]) == (404, "task_not_found")


def test_an_answer_goes_with_its_conversation_at_once(
    gateway: Gateway, collection: str, store: Any, ledger: Database
) -> None:
    asked = {"question": "How long is the warranty?", "collection": collection}
    with reading(gateway.url, body=asked, path="/chat/stream") as reader:
        run = Run(ledger, store, reader.headers["x-task-id"])
        conversation_id = reader.headers["x-conversation-id"]
        with run.worker():
            run.complete(ANSWER)
        reader.rest()
    assert httpx.get(f"{gateway.url}/tasks/{run.id}").json()["status"] == "completed"
    assert httpx.delete(f"{gateway.url}/conversations/{conversation_id}").status_code == 202
    for path in (f"/tasks/{run.id}", f"/tasks/{run.id}/stream"):
        assert httpx.get(f"{gateway.url}{path}").status_code == 404


def test_a_last_event_that_is_none_is_refused_and_an_empty_one_passed_over(
    gateway: Gateway, collection: str, begin: Begin
) -> None:
    run = begin()
    followed = f"/tasks/{run.id}/stream"
    body = {"question": "How long is the warranty?", "collection": collection}
    for method, path in (
        ("POST", "/rag/query/stream"),
        ("POST", "/chat/stream"),
        ("GET", followed),
    ):
        for malformed in ("nonsense", "17-0", f"{run.id}:x"):
            refused = httpx.request(
                method,
                f"{gateway.url}{path}",
                json=body if method == "POST" else None,
                headers={"Last-Event-ID": malformed},
            )
            assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
            assert refused.json()["errors"][0]["field"] == "Last-Event-ID"
    with run.worker():
        run.complete(ANSWER)
    with reading(gateway.url, run.id, last_id="") as reader:
        assert text_of(reader.rest()) == TEXT
    with reading(gateway.url, body=body, last_id="") as reader:
        assert reader.headers["x-task-id"] != run.id


def test_a_turn_of_a_conversation_is_streamed_like_any_answer(
    gateway: Gateway, collection: str, begin: Begin, store: Any, ledger: Database
) -> None:
    asked = {"question": "How long is the warranty?", "collection": collection}
    with reading(gateway.url, body=asked, path="/chat/stream") as reader:
        run = Run(ledger, store, reader.headers["x-task-id"])
        conversation_id = reader.headers["x-conversation-id"]
        assert store.exists(readers_key(run.id))
        with ledger.reading() as connection:
            job = jobs.get(connection, run.id)
        assert job is not None
        assert (job.conversation_id, job.payload["stream"]) == (conversation_id, True)
        with run.worker() as stream:
            stream.token("The warranty ", "")
            reader.until_text("The warranty ")
            seen = reader.seen[-1]["id"]
    told = ChatAnswer(
        **ANSWER.model_dump(),
        conversation_id=conversation_id,
        standalone_question=asked["question"],
        chat_context_used=ChatContextUsed(budget_tokens=1, document_share=1.0),
    )
    # To go on asks nothing, and so it needs no conversation.
    with reading(gateway.url, body=asked, path="/chat/stream", last_id=seen) as reader:
        assert "x-conversation-id" not in reader.headers
        run.complete(told)
        events = reader.rest()
    assert text_of(events) == TEXT.removeprefix("The warranty ")
    assert ChatResponse.model_validate(events[-1]["data"]).conversation_id == conversation_id
    with Flotilla(gateway.url) as client:
        *_, done = client.read_answer(run.id)
    assert isinstance(done, DoneEvent)
    assert isinstance(done.answer, ChatResponse)
    unknown = asked | {"conversation_id": "none"}
    refused = httpx.post(f"{gateway.url}/chat/stream", json=unknown)
    assert (refused.status_code, refused.json()["code"]) == (404, "conversation_not_found")


def test_an_answer_that_was_never_streamed_comes_as_a_whole(gateway: Gateway, begin: Begin) -> None:
    run = begin()
    with reading(gateway.url, run.id) as reader:
        run.complete(ANSWER.model_copy(update={"trace": (STEP,)}))
        events = reader.rest()
    assert [each["event"] for each in events] == ["trace", "token", "citation", "done"]
    assert text_of(events) == TEXT


def test_what_was_told_wrongly_is_taken_back_at_the_end(gateway: Gateway, begin: Begin) -> None:
    run = begin()
    with run.worker() as stream:
        stream.token("The warranty is ten years.", "")
    run.complete(ANSWER)
    with reading(gateway.url, run.id) as reader:
        tokens = [each["data"] for each in reader.rest() if each["event"] == "token"]
    text = ""
    for token in tokens:
        text = text[: token["start"]] + token["text"]
    assert text == TEXT


@pytest.mark.parametrize("told", [True, False], ids=["told", "untold"])
def test_a_run_that_fails_or_is_cancelled_ends_with_an_error(
    gateway: Gateway, begin: Begin, told: bool
) -> None:
    for end, code, status in (("fail", "model_rejected", 502), ("cancel", "cancelled", 409)):
        run = begin()
        if told:
            run.worker().token("The ", "")
        with reading(gateway.url, run.id) as reader:
            if told:
                reader.until_text("The ")
            getattr(run, end)()
            [error] = reader.rest()
        assert error["event"] == "error"
        assert (error["data"]["code"], error["data"]["status"]) == (code, status)
        assert error["data"]["task_id"] == run.id
        headers = {"Last-Event-ID": error["id"]}
        url = f"{gateway.url}/tasks/{run.id}/stream"
        assert httpx.get(url, headers=headers).status_code == 204


def test_an_end_that_nobody_announced_is_found_in_the_ledger(
    gateway: Gateway, begin: Begin
) -> None:
    run = begin()
    with reading(gateway.url, run.id) as reader:
        reader.nothing(0.1)
        run.complete(ANSWER, tell=False)
        assert reader.rest()[-1]["event"] == "done"


def test_another_worker_goes_on_for_a_reader_who_notices_nothing(
    gateway: Gateway, begin: Begin
) -> None:
    run = begin()
    with reading(gateway.url, run.id) as reader:
        first = run.worker()
        first.token("The warranty ", "")
        reader.until_text("The warranty ")
        second = run.worker()
        assert second.written.text == "The warranty "
        second.token("is two", "")
        reader.until_text("The warranty is two")
        second.close()
        run.complete(ANSWER)
        reader.rest()
    assert text_of(reader.seen) == TEXT
    assert numbers_of(reader.seen) == list(range(1, len(reader.seen) + 1))


def test_a_task_without_an_answer_is_refused(
    gateway: Gateway, ledger: Database, store: Any
) -> None:
    work = Work(ledger)
    refused = httpx.get(f"{gateway.url}/tasks/{work.id}/stream")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    unknown = httpx.get(f"{gateway.url}/tasks/none/stream")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "task_not_found")


def test_a_slow_reader_gets_all_of_a_long_answer(gateway: Gateway, begin: Begin) -> None:
    """More than any buffer on the way holds, and more entries than its inbox."""
    run = begin()
    pieces = [f"{number:05d} " + "x" * 2000 for number in range(1500)]
    with reading(gateway.url, run.id) as reader:
        with run.worker() as stream:
            for piece in pieces:
                stream.token(piece, "")
        run.complete(answer("".join(pieces), CITATION))
        reader.rest()
    assert text_of(reader.seen) == "".join(pieces)


def test_many_readers_share_few_connections_and_leave_nothing(
    gateway: Gateway, begin: Begin, store: Any
) -> None:
    before = len(store.client_list())
    runs = [begin() for _ in range(3)]
    streams = [run.worker() for run in runs]
    for stream in streams:
        stream.token("The ", "")
    everybody = threading.Barrier(46, timeout=60)

    def read(number: int) -> str:
        with reading(gateway.url, runs[number % 3].id) as reader:
            reader.until_text("The ")
            everybody.wait()
            reader.rest()
            return reader.text()

    with ThreadPoolExecutor(45) as pool:
        found = [pool.submit(read, number) for number in range(45)]
        everybody.wait()
        assert len(store.client_list()) <= before + 5
        for run, stream in zip(runs, streams, strict=True):
            stream.close()
            run.complete(ANSWER)
        assert {each.result() for each in found} == {TEXT}
    names = [key(run.id) for run in runs]
    wait_until(lambda: sum(count for _, count in store.pubsub_numsub(*names)) == 0)


def test_a_redis_that_goes_away_costs_nothing_but_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        running_redis(tmp_path / "redis") as (url, process),
        running_gateway(tmp_path / "data", url) as gateway,
        redis.Redis.from_url(url, decode_responses=True, socket_timeout=1) as client,
    ):
        monkeypatch.setattr(task_events, "client", lambda: client)
        ledger = Database(Settings(data=gateway.data).ledger_url)
        run = Run(ledger, client)
        with reading(gateway.url, run.id) as reader:
            stream = run.worker()
            stream.token("The warranty ", "")
            reader.until_text("The warranty ")
            process.send_signal(signal.SIGSTOP)
            stream.token("is ", "")
            assert reader.nothing(0.5)
            process.send_signal(signal.SIGCONT)
            stream.token("two ", "")
            reader.until_text("The warranty is two ")
            client.client_kill_filter(_type="pubsub")
            stream.token("years ", "")
            reader.until_text("The warranty is two years ")
            stream.close()
            run.complete(ANSWER)
            reader.rest()
        assert text_of(reader.seen) == TEXT
        run = Run(ledger, client)
        with reading(gateway.url, run.id) as reader:
            process.kill()
            process.wait()
            run.complete(ANSWER)
            # The whole text would be a repeat where it is not known what was told.
            assert reader.rest()[-1]["data"]["text"] == TEXT
        ledger.close()


def test_a_gateway_that_is_told_to_stop_lets_its_readers_go_on_elsewhere(
    tmp_path: Path, gateway_redis: str, store: Any
) -> None:
    with running_gateway(tmp_path, gateway_redis) as gateway:
        ledger = Database(Settings(data=gateway.data).ledger_url)
        run = Run(ledger, store)
        stream = run.worker()
        with reading(gateway.url, run.id) as reader:
            stream.token("The ", "")
            reader.until_text("The ")
            began = time.monotonic()
            os.kill(gateway.pid, signal.SIGTERM)
            assert reader.rest() == []
        assert time.monotonic() - began < 3
    with running_gateway(tmp_path, gateway_redis) as gateway:
        with reading(gateway.url, run.id, reader.seen[-1]["id"]) as another:
            stream.token("warranty", "")
            another.until_text("warranty")
        ledger.close()
