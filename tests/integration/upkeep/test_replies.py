"""Jobs of one short task, such as questions: their value is told, their errors are kept."""

import json

from sqlalchemy import select

from flotilla import pipelines
from flotilla.ledger.announce import channel
from flotilla.ledger.endings import cancel
from flotilla.ledger.tables import JOBS
from flotilla.schemas import Task, TaskError, TaskStatus
from tests.conftest import wait_until
from tests.doubles.private_content import SECRET
from tests.integration.upkeep.processes import MAX_ATTEMPTS, Fleets


def ask(fleets: Fleets, *conduct: str) -> Task:
    job_id = fleets.add(payload={"conduct": conduct or ["ok"]})
    pipelines.answer(job_id)
    return fleets.end(job_id)


def test_an_answer_is_in_the_ledger_and_told_to_who_waits(fleets: Fleets) -> None:
    job_id = fleets.add()
    told: list[str] = []
    with fleets.redis.pubsub(ignore_subscribe_messages=True) as waiting:
        waiting.subscribe(channel(job_id))
        pipelines.answer(job_id)

        def heard() -> bool:
            message = waiting.get_message(timeout=0.1)
            if message is not None:
                told.append(message["data"])
            return bool(told)

        wait_until(heard)

    task = fleets.task(job_id)
    assert (task.status, task.result) == (TaskStatus.COMPLETED, {"text": "An answer."})
    head, result = told[0].splitlines()
    assert Task.model_validate_json(head) == task.model_copy(
        update={"result": None, "failures": None}
    )
    assert json.loads(result) == task.result


def test_a_passing_error_is_tried_again(fleets: Fleets) -> None:
    task = ask(fleets, "retryable", "ok")

    assert (task.status, task.attempt) == (TaskStatus.COMPLETED, 2)


def test_an_error_that_does_not_pass_ends_the_question(fleets: Fleets) -> None:
    task = ask(fleets, "retryable")

    assert task.error is not None
    assert (task.error.code, task.attempt) == ("model_unavailable", MAX_ATTEMPTS)
    assert len(fleets.calls(task.task_id)) == MAX_ATTEMPTS


def test_a_final_error_is_not_tried_again(fleets: Fleets) -> None:
    task = ask(fleets, "final", "ok")

    assert task.error == TaskError(
        stage=pipelines.ANSWER,
        code="model_rejected",
        message="The model's provider refused the request: check its key.",
        retryable=False,
    )


def test_a_question_outlasts_an_outage(fleets: Fleets) -> None:
    outages = ["outage"] * (MAX_ATTEMPTS + 1)
    task = ask(fleets, *outages, "retryable", "ok")

    assert task.status is TaskStatus.COMPLETED, task
    assert fleets.failures(task.task_id) == [
        *((attempt, "dependency_unavailable") for attempt in range(1, MAX_ATTEMPTS + 1)),
        (len(outages) + 1, "model_unavailable"),
    ]


def test_an_unexpected_error_does_not_tell_what_it_holds(fleets: Fleets) -> None:
    task = ask(fleets, "crash")

    assert task.error is not None
    assert task.error.code == "internal_error"
    assert SECRET not in task.model_dump_json()


def test_a_question_can_end_as_cancelled(fleets: Fleets) -> None:
    assert ask(fleets, "cancel").status is TaskStatus.CANCELLED


def test_a_question_that_is_cancelled_stops_before_it_costs_anything(fleets: Fleets) -> None:
    job_id = fleets.add(payload={"conduct": ["hold"]})
    pipelines.answer(job_id)
    fleets.held(job_id)
    assert cancel(fleets.ledger, job_id)
    fleets.release(job_id)
    fleets.idle()

    assert fleets.task(job_id).status is TaskStatus.CANCELLED
    assert not fleets.redis.exists(f"paid:{job_id}")


def test_a_question_that_is_over_is_not_answered_again(fleets: Fleets) -> None:
    task = ask(fleets)
    pipelines.answer(task.task_id)
    fleets.idle()

    assert fleets.task(task.task_id) == task
    assert len(fleets.calls(task.task_id)) == 1


def written(fleets: Fleets, task: Task) -> int:
    """How much was written with the end of a task."""
    with fleets.ledger.reading() as connection:
        names = connection.scalars(select(JOBS.c.payload).where(JOBS.c.kind == "demo"))
        return sum(payload.get("name") == task.task_id for payload in names)


def test_what_is_written_with_the_end_is_written_once_and_followed_up(fleets: Fleets) -> None:
    task = ask(fleets, "write with the end")
    wait_until(lambda: fleets.redis.llen(f"after:{task.task_id}"))
    pipelines.answer(task.task_id)
    fleets.idle()

    assert task.status is TaskStatus.COMPLETED
    assert written(fleets, task) == 1
    assert fleets.redis.llen(f"after:{task.task_id}") == 1


def test_an_end_whose_subject_is_gone_is_taken_back_whole(fleets: Fleets) -> None:
    task = ask(fleets, "lose what it is about")
    fleets.idle()

    assert (task.status, task.result) == (TaskStatus.CANCELLED, None), task
    assert written(fleets, task) == 0
    assert not fleets.redis.exists(f"after:{task.task_id}")


def test_what_fails_after_the_end_changes_nothing_of_it(fleets: Fleets) -> None:
    task = ask(fleets, "fail after the end")

    assert (task.status, task.result) == (TaskStatus.COMPLETED, {"text": "An answer."})
