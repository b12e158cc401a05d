"""Jobs: who may change them."""

import threading

import pytest
from sqlalchemy import select

from flotilla.gateway.problems import from_task
from flotilla.ledger import job_ends, jobs
from flotilla.ledger.database import Database, new_id
from flotilla.ledger.tables import JOBS
from flotilla.schemas import Progress, TaskStatus
from tests.integration.ledger.operations import ERROR, add, new_job, shown_task


def test_of_workers_that_end_one_job_at_once_one_wins(ledger: Database) -> None:
    [job_id] = add(ledger, new_job())
    barrier = threading.Barrier(6)
    won: list[TaskStatus] = []

    def end(number: int) -> None:
        barrier.wait()
        with ledger.writing() as connection:
            if number % 3 == 0:
                task = job_ends.complete(connection, job_id, {"number": number})
            elif number % 3 == 1:
                task = job_ends.fail(connection, job_id, ERROR)
            else:
                task = job_ends.cancel(connection, job_id)
        if task is not None:
            won.append(task.status)

    threads = [threading.Thread(target=end, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert won == [shown_task(ledger, job_id).status]


def test_a_job_that_is_over_cannot_be_claimed(ledger: Database) -> None:
    completed, failed, cancelled = add(ledger, new_job(), new_job(), new_job())
    with ledger.writing() as connection:
        job_ends.complete(connection, completed, None)
        job_ends.fail(connection, failed, ERROR)
        job_ends.cancel(connection, cancelled)

    with ledger.writing() as connection:
        for job_id in (completed, failed, cancelled, new_id()):
            assert jobs.claim(connection, job_id, "rag.answer", "rag") is None


def test_a_claim_shows_where_the_job_is(ledger: Database) -> None:
    [job_id] = add(ledger, new_job(payload={"question": "?"}))
    with ledger.writing() as connection:
        job = jobs.claim(connection, job_id, "rag.answer", "rag", attempt=2)
    first = shown_task(ledger, job_id)
    with ledger.writing() as connection:
        jobs.claim(connection, job_id, "upkeep.finish", "default")
    second = shown_task(ledger, job_id)

    assert job is not None
    assert job.payload == {"question": "?"}
    assert (first.status, first.stage, first.queue, first.attempt) == (
        TaskStatus.PROCESSING,
        "rag.answer",
        "rag",
        2,
    )
    assert (second.stage, second.queue, second.attempt) == ("upkeep.finish", "default", 1)
    assert second.started_at == first.started_at


@pytest.mark.parametrize("end", ["complete", "cancel"])
def test_a_password_is_forgotten_when_its_job_ends(ledger: Database, end: str) -> None:
    [job_id] = add(ledger, new_job(payload={"password": "open sesame", "name": "terms.pdf"}))
    assert "open sesame" not in shown_task(ledger, job_id).model_dump_json()

    with ledger.writing() as connection:
        if end == "complete":
            job_ends.complete(connection, job_id, {})
        else:
            job_ends.cancel(connection, job_id)

    with ledger.reading() as connection:
        payload = connection.scalar(select(JOBS.c.payload).where(JOBS.c.id == job_id))
    assert payload == {"name": "terms.pdf"}


def test_a_failed_job_keeps_its_password_since_a_retry_needs_it(ledger: Database) -> None:
    [job_id] = add(ledger, new_job(payload={"password": "open sesame"}))
    with ledger.writing() as connection:
        job_ends.fail(connection, job_id, ERROR)
    assert "open sesame" not in shown_task(ledger, job_id).model_dump_json()
    with ledger.reading() as connection:
        payload = connection.scalar(select(JOBS.c.payload).where(JOBS.c.id == job_id))
    assert payload == {"password": "open sesame"}


def test_when_to_try_again_is_told_with_the_error(ledger: Database) -> None:
    [job_id] = add(ledger, new_job())
    with ledger.writing() as connection:
        job_ends.fail(connection, job_id, ERROR.model_copy(update={"retry_after": 7.5}))
    error = shown_task(ledger, job_id).error
    assert error is not None
    assert error.retry_after == 7.5
    raised = from_task(error, job_id)
    assert raised.retry_after == 7.5


def test_progress_never_goes_back_within_a_unit(ledger: Database) -> None:
    [job_id] = add(ledger, new_job())

    def move(done: int, unit: str) -> Progress | None:
        with ledger.writing() as connection:
            jobs.progress(connection, job_id, done, 10, unit)
        return shown_task(ledger, job_id).progress

    assert move(4, "pages") == Progress(done=4, total=10, unit="pages")
    assert move(2, "pages") == Progress(done=4, total=10, unit="pages")
    assert move(9, "pages") == Progress(done=9, total=10, unit="pages")
    assert move(0, "chunks") == Progress(done=0, total=10, unit="chunks")


def test_a_job_that_is_over_shows_no_further_progress(ledger: Database) -> None:
    [job_id] = add(ledger, new_job())
    with ledger.writing() as connection:
        job_ends.cancel(connection, job_id)
        jobs.progress(connection, job_id, 4, 10, "pages")

    assert shown_task(ledger, job_id).progress is None
