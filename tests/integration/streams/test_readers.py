"""A streamed run whose readers go away, or whose worker."""

import httpx
import pytest

from flotilla.answer_streams.entries import readers_key
from flotilla.schemas import TaskStatus
from tests.conftest import wait_until
from tests.doubles.counted_words import counted, lost_and_repeated, question
from tests.doubles.openai_server import error
from tests.integration.gateway.answer_reader import reading, text_of
from tests.integration.streams.scene import WORKERS, Scene


def test_a_run_that_nobody_reads_is_cancelled(scene: Scene) -> None:
    with reading(scene.url, body={"question": question(1000, 30)}) as reader:
        reader.until(event="token")
        task_id = reader.headers["x-task-id"]
    wait_until(lambda: scene.task(task_id).status.final, 40)
    assert scene.task(task_id).status is TaskStatus.CANCELLED
    told = scene.told(task_id)
    assert told < 1000
    with reading(scene.url, task_id) as again:
        events = again.rest()
    assert (events[-1]["event"], events[-1]["data"]["code"]) == ("error", "cancelled")


def test_a_run_goes_on_while_somebody_else_reads_it(scene: Scene) -> None:
    with reading(scene.url, body={"question": question(150, 30)}) as reader:
        reader.until(event="token")
        task_id = reader.headers["x-task-id"]
        following = reading(scene.url, task_id)
        other = following.__enter__()
    other.rest()
    following.__exit__(None, None, None)
    assert other.seen[-1]["event"] == "done"


def test_a_question_that_is_not_streamed_needs_no_reader(scene: Scene) -> None:
    body = {"question": question(150, 30)}
    task_id = httpx.post(f"{scene.url}/rag/query", json=body).json()["task_id"]
    wait_until(lambda: scene.task(task_id).status.final, 40)
    assert scene.task(task_id).status is TaskStatus.COMPLETED
    assert scene.told(task_id) == 0


@pytest.mark.timeout(120)
def test_a_queued_run_that_nobody_wants_any_more_is_cancelled_at_its_turn(scene: Scene) -> None:
    with scene.halted(*WORKERS):
        with reading(scene.url, body={"question": question(1000, 30)}) as reader:
            task_id = reader.headers["x-task-id"]
            assert scene.redis.exists(readers_key(task_id))
        wait_until(lambda: not scene.redis.exists(readers_key(task_id)), 40)
    wait_until(lambda: scene.task(task_id).status.final, 60)
    assert scene.task(task_id).status is TaskStatus.CANCELLED
    assert scene.told(task_id) == 0


def test_a_killed_worker_costs_its_reader_no_word(scene: Scene) -> None:
    with reading(scene.url, body={"question": question(100, 30)}) as reader:
        reader.until(event="citation")
        task_id = reader.headers["x-task-id"]
        worker = scene.worker_of(task_id)
        assert worker is not None
        scene.kill(worker)
        done = reader.rest()[-1]
    text = text_of(reader.seen)
    assert done["data"]["text"] == text
    assert lost_and_repeated(text, 100) == (0, 0)
    names = [each["event"] for each in reader.seen]
    assert names.count("trace") == 2
    assert names.count("citation") == len(done["data"]["citations"])


def test_what_a_failed_attempt_asked_of_the_model_is_told_with_the_answer(scene: Scene) -> None:
    scene.server.responder = lambda _request: error(503)
    try:
        body = {"question": question(20, 1)}
        task_id = httpx.post(f"{scene.url}/rag/query", json=body).json()["task_id"]
        wait_until(lambda: bool(scene.task(task_id).failures), 40)
    finally:
        scene.server.responder = counted
    wait_until(lambda: scene.task(task_id).status.final, 60)
    answer = scene.task(task_id).result
    assert answer is not None
    before, *_ = answer["trace"]
    assert (before["name"], before["calls"][0]["error"]) == (
        "earlier_attempts",
        "model_unavailable",
    )
    assert answer["usage"]["calls"] == before["saw"]["calls"] + 1
