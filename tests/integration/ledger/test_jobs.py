"""Jobs: who may change them, what is shown of them, when they are forgotten."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from flotilla.ledger import documents, jobs
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, new_id
from flotilla.ledger.jobs import NewJob
from flotilla.ledger.tables import JOBS
from flotilla.schemas import Progress, Task, TaskError, TaskStatus

ERROR = TaskError(stage="document.convert", code="no_text", message="None.", retryable=False)


def new_job(**values: Any) -> NewJob:
    given = {"kind": "query", "queue": "rag", "stage": "rag.answer", "payload": {}}
    return NewJob(tenant_id=DEFAULT_TENANT, **(given | values))


def add(ledger: Database, *new: NewJob) -> list[str]:
    with ledger.writing() as connection:
        jobs.add(connection, new)
    return [job.id for job in new]


def shown(ledger: Database, job_id: str) -> Task:
    with ledger.reading() as connection:
        task = jobs.view(connection, DEFAULT_TENANT, job_id)
    assert task is not None
    return task


def set_back(ledger: Database, job_id: str, **columns: datetime) -> None:
    with ledger.writing() as connection:
        connection.execute(update(JOBS).where(JOBS.c.id == job_id).values(columns))


def test_of_workers_that_end_one_job_at_once_one_wins(ledger: Database) -> None:
    [job_id] = add(ledger, new_job())
    barrier = threading.Barrier(6)
    won: list[TaskStatus] = []

    def end(number: int) -> None:
        barrier.wait()
        with ledger.writing() as connection:
            if number % 3 == 0:
                task = jobs.complete(connection, job_id, {"number": number})
            elif number % 3 == 1:
                task = jobs.fail(connection, job_id, ERROR)
            else:
                task = jobs.cancel(connection, job_id)
        if task is not None:
            won.append(task.status)

    threads = [threading.Thread(target=end, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert won == [shown(ledger, job_id).status]


def test_a_job_that_is_over_cannot_be_claimed(ledger: Database) -> None:
    completed, failed, cancelled = add(ledger, new_job(), new_job(), new_job())
    with ledger.writing() as connection:
        jobs.complete(connection, completed, None)
        jobs.fail(connection, failed, ERROR)
        jobs.cancel(connection, cancelled)

    with ledger.writing() as connection:
        for job_id in (completed, failed, cancelled, new_id()):
            assert jobs.claim(connection, job_id, "rag.answer", "rag") is None


def test_a_claim_shows_where_the_job_is(ledger: Database) -> None:
    [job_id] = add(ledger, new_job(payload={"question": "?"}))
    with ledger.writing() as connection:
        job = jobs.claim(connection, job_id, "rag.answer", "rag", attempt=2)
    first = shown(ledger, job_id)
    with ledger.writing() as connection:
        jobs.claim(connection, job_id, "upkeep.finish", "default")
    second = shown(ledger, job_id)

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


def test_the_place_in_the_queue_counts_pending_jobs_of_that_queue(ledger: Database) -> None:
    first, _elsewhere, second, third = add(
        ledger, new_job(), new_job(queue="document"), new_job(), new_job()
    )
    assert [shown(ledger, job_id).queue_position for job_id in (first, second, third)] == [1, 2, 3]

    with ledger.writing() as connection:
        jobs.claim(connection, first, "rag.answer", "rag")
        jobs.cancel(connection, second)
    assert [shown(ledger, job_id).queue_position for job_id in (first, second, third)] == [
        None,
        None,
        1,
    ]


def test_a_listing_is_complete_while_jobs_are_added(ledger: Database) -> None:
    wanted = add(ledger, *(new_job() for _ in range(7)))
    found: list[str] = []
    before = None
    while True:
        with ledger.reading() as connection:
            part = jobs.listing(
                connection, DEFAULT_TENANT, status=None, kind=None, before=before, limit=3
            )
        if not part:
            break
        found += [task.task_id for task in part]
        before = found[-1]
        add(ledger, new_job())

    assert found == sorted(wanted, reverse=True)


def test_a_listing_is_narrowed_by_status_and_kind(ledger: Database) -> None:
    query, demo, failed = add(ledger, new_job(), new_job(kind="demo"), new_job())
    with ledger.writing() as connection:
        jobs.fail(connection, failed, ERROR)

    def ids(status: TaskStatus | None = None, kind: str | None = None) -> set[str]:
        with ledger.reading() as connection:
            found = jobs.listing(
                connection, DEFAULT_TENANT, status=status, kind=kind, before=None, limit=9
            )
        return {task.task_id for task in found}

    assert ids(status=TaskStatus.FAILED) == {failed}
    assert ids(kind="demo") == {demo}
    assert ids(status=TaskStatus.PENDING, kind="query") == {query}


@pytest.mark.parametrize("end", ["complete", "fail", "cancel"])
def test_a_password_is_forgotten_when_its_job_ends(ledger: Database, end: str) -> None:
    [job_id] = add(ledger, new_job(payload={"password": "open sesame", "name": "terms.pdf"}))
    assert "open sesame" not in shown(ledger, job_id).model_dump_json()

    with ledger.writing() as connection:
        if end == "complete":
            jobs.complete(connection, job_id, {})
        elif end == "fail":
            jobs.fail(connection, job_id, ERROR)
        else:
            jobs.cancel(connection, job_id)

    with ledger.reading() as connection:
        payload = connection.scalar(select(JOBS.c.payload).where(JOBS.c.id == job_id))
    assert payload == {"name": "terms.pdf"}


def test_nobody_sees_another_tenants_job(ledger: Database) -> None:
    [job_id] = add(ledger, new_job())

    with ledger.reading() as connection:
        assert jobs.view(connection, new_id(), job_id) is None
        assert jobs.view(connection, DEFAULT_TENANT, new_id()) is None


def test_progress_never_goes_back_within_a_unit(ledger: Database) -> None:
    [job_id] = add(ledger, new_job())

    def move(done: int, unit: str) -> Progress | None:
        with ledger.writing() as connection:
            jobs.progress(connection, job_id, done, 10, unit)
        return shown(ledger, job_id).progress

    assert move(4, "pages") == Progress(done=4, total=10, unit="pages")
    assert move(2, "pages") == Progress(done=4, total=10, unit="pages")
    assert move(9, "pages") == Progress(done=9, total=10, unit="pages")
    assert move(0, "chunks") == Progress(done=0, total=10, unit="chunks")


def test_a_job_that_is_over_shows_no_further_progress(ledger: Database) -> None:
    [job_id] = add(ledger, new_job())
    with ledger.writing() as connection:
        jobs.cancel(connection, job_id)
        jobs.progress(connection, job_id, 4, 10, "pages")

    assert shown(ledger, job_id).progress is None


def test_what_was_never_sent_is_found_once_it_is_old_enough(ledger: Database) -> None:
    old, sent, young, question = add(
        ledger,
        new_job(kind="ingest"),
        new_job(kind="ingest"),
        new_job(kind="ingest"),
        new_job(),
    )
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    for job_id in (old, sent, question):
        set_back(ledger, job_id, created_at=hour_ago)
    with ledger.writing() as connection:
        jobs.mark_sent(connection, [sent])

    with ledger.reading() as connection:
        found = jobs.unsent(connection, ("ingest", "delete"), timedelta(minutes=1))
    assert [job.id for job in found] == [old]
    assert shown(ledger, young).status is TaskStatus.PENDING


def test_questions_are_overdue_when_they_were_not_begun_or_not_ended(ledger: Database) -> None:
    unbegun, unended, begun_late, ended = add(ledger, *(new_job() for _ in range(4)))
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    with ledger.writing() as connection:
        for job_id in (unended, begun_late, ended):
            jobs.claim(connection, job_id, "rag.answer", "rag")
        jobs.complete(connection, ended, {})
    for job_id in (unbegun, unended, begun_late, ended):
        set_back(ledger, job_id, created_at=hour_ago)
    set_back(ledger, unended, started_at=hour_ago)

    with ledger.reading() as connection:
        found = jobs.overdue(connection, ("query",), timedelta(minutes=10))
    assert [job.id for job in found] == [unbegun, unended]


def test_ended_jobs_are_forgotten_when_nothing_refers_to_them(
    ledger: Database, source: Any
) -> None:
    question, open_question = add(ledger, new_job(), new_job())
    versions = [source(data=b"A"), source(data=b"B")]
    accepted = []
    for version in versions:
        with ledger.writing() as connection:
            [one] = documents.submit(connection, DEFAULT_TENANT, "default", [version])
            documents.publish(connection, one.document_id, version.version_id)
            jobs.complete(connection, one.task_id, {})
        accepted.append(one.task_id)
    with ledger.writing() as connection:
        jobs.complete(connection, question, {})
    year_ago = datetime.now(UTC) - timedelta(days=365)
    for job_id in (question, *accepted):
        set_back(ledger, job_id, finished_at=year_ago)

    with ledger.writing() as connection:
        assert jobs.purge(connection, timedelta(days=30)) == 2
    with ledger.reading() as connection:
        left = set(connection.scalars(select(JOBS.c.id)))
    assert left == {open_question, accepted[1]}
