"""Steps: attempts, redeliveries and the sums of parts."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from flotilla.ledger import job_views, jobs, steps
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.ledger.jobs import NewJob
from flotilla.ledger.stages import StageRun
from flotilla.ledger.steps import Step
from flotilla.ledger.tables import FAILURES, JOBS, STEPS
from flotilla.schemas import Progress, TaskError

STAGE = "vectorstore.index"


@pytest.fixture
def job_id(ledger: Database) -> Iterator[str]:
    job = NewJob(tenant_id=DEFAULT_TENANT, kind="ingest", queue="document", stage=STAGE, payload={})
    with ledger.writing() as connection:
        jobs.add(connection, [job])
    return job.id


def begin(ledger: Database, job_id: str, part: int = 0) -> Step:
    with ledger.writing() as connection:
        return steps.begin(connection, job_id, STAGE, part, "worker@host")


def test_every_beginning_counts_as_an_attempt(ledger: Database, job_id: str) -> None:
    assert [begin(ledger, job_id) for _ in range(3)] == [
        Step(done=False, attempts=1),
        Step(done=False, attempts=2),
        Step(done=False, attempts=3),
    ]
    assert begin(ledger, job_id, part=1) == Step(done=False, attempts=1)


def test_deliveries_of_one_message_at_once_count_one_each(ledger: Database, job_id: str) -> None:
    barrier = threading.Barrier(5)
    attempts: list[int] = []

    def deliver() -> None:
        barrier.wait()
        attempts.append(begin(ledger, job_id).attempts)

    threads = [threading.Thread(target=deliver) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(attempts) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("how", ["finish", "complete"])
def test_what_is_done_is_not_begun_again(ledger: Database, job_id: str, how: str) -> None:
    begin(ledger, job_id)
    with ledger.writing() as connection:
        if how == "finish":
            steps.finish(connection, job_id, STAGE, 0, units=3)
        else:
            steps.complete(connection, job_id, STAGE, 0)

    assert begin(ledger, job_id).done


def test_units_are_counted_once_however_often_a_part_ends(ledger: Database, job_id: str) -> None:
    for part in (0, 1):
        begin(ledger, job_id, part)
    with ledger.writing() as connection:
        assert steps.finish(connection, job_id, STAGE, 0, units=3) == 3
        assert steps.finish(connection, job_id, STAGE, 0, units=3) == 3
        assert steps.finish(connection, job_id, STAGE, 1, units=4) == 7


def test_parts_that_end_at_once_add_up(ledger: Database, job_id: str) -> None:
    with ledger.writing() as connection:
        job = jobs.claim(connection, job_id, STAGE, "vectorstore")
    assert job is not None
    for part in range(6):
        begin(ledger, job_id, part)
    barrier = threading.Barrier(6)

    def finish(part: int) -> None:
        barrier.wait()
        StageRun(job, STAGE, part, 1, ledger).finish_part(10, 60, "chunks")

    threads = [threading.Thread(target=finish, args=(part,)) for part in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    with ledger.reading() as connection:
        task = job_views.view(connection, DEFAULT_TENANT, job_id)
    assert task is not None
    assert task.progress == Progress(done=60, total=60, unit="chunks")


def test_a_failed_attempt_is_kept_and_the_step_goes_with_its_job(
    ledger: Database, job_id: str
) -> None:
    begin(ledger, job_id)
    error = TaskError(stage=STAGE, code="dependency_unavailable", message="m", retryable=True)
    with ledger.writing() as connection:
        steps.record_failure(connection, job_id, 0, 1, "worker@host", error)

    assert begin(ledger, job_id).attempts == 2
    with ledger.writing() as connection:
        [row] = connection.execute(select(FAILURES))
        assert (row.code, row.attempt, row.worker) == ("dependency_unavailable", 1, "worker@host")
        connection.execute(JOBS.delete().where(JOBS.c.id == job_id))
        assert connection.execute(select(STEPS)).all() == []
        assert connection.execute(select(FAILURES)).all() == []
