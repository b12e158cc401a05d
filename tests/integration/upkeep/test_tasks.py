"""Beat's tasks: what was never sent, what nobody began, what is old enough to be forgotten."""

import json
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, update

from flotilla import pipelines
from flotilla.blobs import source_ref
from flotilla.broker import app
from flotilla.ledger import documents, jobs, stages, steps
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.tables import DOCUMENTS, JOBS, STEPS
from flotilla.schemas import TaskStatus
from tests.conftest import wait_until
from tests.integration.upkeep.conftest import Fleets


def set_back(fleets: Fleets, job_id: str, ago: timedelta, *columns: str) -> None:
    values = dict.fromkeys(columns, datetime.now(UTC) - ago)
    with fleets.ledger.writing() as connection:
        connection.execute(update(JOBS).where(JOBS.c.id == job_id).values(values))


def reap(fleets: Fleets) -> int:
    """Carry beat's task out; returns how many jobs were sent again."""
    key = f"celery-task-meta-{app.send_task('upkeep.reap', ignore_result=False).id}"
    wait_until(lambda: fleets.redis.exists(key))
    return int(json.loads(fleets.redis.get(key))["result"])


def test_what_was_written_and_never_sent_is_sent(fleets: Fleets) -> None:
    accepted = fleets.write()
    set_back(fleets, accepted.task_id, timedelta(minutes=1), "created_at")

    reap(fleets)

    assert fleets.end(accepted.task_id).status is TaskStatus.COMPLETED


def test_what_was_sent_or_written_just_now_is_not_sent_again(fleets: Fleets) -> None:
    sent, young = fleets.write(), fleets.write()
    set_back(fleets, sent.task_id, timedelta(seconds=30), "created_at", "sent_at")

    assert reap(fleets) == 0
    for accepted in (sent, young):
        assert fleets.task(accepted.task_id).status is TaskStatus.PENDING
        assert fleets.calls(accepted.task_id) == []
        stages.cancel(fleets.ledger, accepted.task_id)


def test_what_the_broker_has_lost_goes_on_where_it_was(fleets: Fleets) -> None:
    fleets.idle()
    lost = fleets.write()
    with fleets.ledger.writing() as connection:
        jobs.mark_sent(connection, [lost.task_id])
        jobs.claim(connection, lost.task_id, pipelines.CONVERT, "document")
        steps.begin(connection, lost.task_id, pipelines.CONVERT, 0, "worker@host")
        steps.complete(connection, lost.task_id, pipelines.CONVERT, 0)
    set_back(fleets, lost.task_id, timedelta(minutes=2), "created_at", "sent_at", "started_at")

    reap(fleets)
    assert fleets.calls(lost.task_id) == []  # a step of it has ended a moment ago

    long_ago = datetime.now(UTC) - timedelta(minutes=2)
    with fleets.ledger.writing() as connection:
        connection.execute(
            update(STEPS)
            .where(STEPS.c.job_id == lost.task_id)
            .values(started_at=long_ago, finished_at=long_ago)
        )
    fleets.idle()
    assert reap(fleets) == 1
    task = fleets.end(lost.task_id)

    assert task.status is TaskStatus.COMPLETED, task
    assert "document.convert:0:1" not in fleets.calls(lost.task_id)
    assert "vectorstore.publish:0:1" in fleets.calls(lost.task_id)


def test_what_waits_behind_other_work_is_not_lost(fleets: Fleets) -> None:
    busy = fleets.ingest(conduct={pipelines.CONVERT: ["hold"]})
    fleets.held(busy.task_id)
    waiting = fleets.write()
    set_back(fleets, waiting.task_id, timedelta(minutes=2), "created_at", "sent_at")

    assert reap(fleets) == 0
    fleets.release(busy.task_id)

    assert fleets.end(busy.task_id).status is TaskStatus.COMPLETED
    assert fleets.calls(waiting.task_id) == []
    stages.cancel(fleets.ledger, waiting.task_id)


def test_a_deletion_that_was_never_sent_is_carried_out(fleets: Fleets) -> None:
    kept, gone = fleets.ingest(), fleets.ingest()
    for accepted in (kept, gone):
        fleets.end(accepted.task_id)
    version_id = str(fleets.job(gone.task_id).version_id)
    with fleets.ledger.writing() as connection:
        documents.mark_deleted(connection, DEFAULT_TENANT, gone.document_id)
    payload = {"document_ids": [gone.document_id]}
    removal = fleets.add(
        kind="delete", queue="vectorstore", stage=pipelines.REMOVE, payload=payload
    )
    set_back(fleets, removal, timedelta(minutes=1), "created_at")

    reap(fleets)
    task = fleets.end(removal)

    assert task.status is TaskStatus.COMPLETED, task
    assert task.result == {"documents": 1, "versions": 1}
    assert fleets.calls(removal) == [pipelines.REMOVE]
    assert not fleets.blobs.exists(source_ref(DEFAULT_TENANT, version_id))
    with fleets.ledger.reading() as connection:
        left = select(func.count()).where(DOCUMENTS.c.id.in_([gone.document_id, kept.document_id]))
        assert connection.scalar(left) == 1


def test_a_question_that_nobody_began_ends_with_advice(fleets: Fleets) -> None:
    old, young = fleets.add(), fleets.add()
    set_back(fleets, old, timedelta(minutes=11), "created_at")

    reap(fleets)
    task = fleets.end(old)

    assert task.error is not None
    assert (task.error.stage, task.error.code) == (pipelines.ANSWER, "worker_lost")
    assert "'rag'" in task.error.message
    assert fleets.task(young).status is TaskStatus.PENDING


def test_old_ended_jobs_are_forgotten_and_open_ones_kept(fleets: Fleets) -> None:
    ended, waiting = fleets.add(), fleets.add()
    with fleets.ledger.writing() as connection:
        jobs.complete(connection, ended, {})
    set_back(fleets, ended, timedelta(days=31), "created_at", "finished_at")
    set_back(fleets, waiting, timedelta(days=31), "created_at")

    app.send_task("upkeep.retain")

    def forgotten() -> bool:
        with fleets.ledger.reading() as connection:
            return jobs.get(connection, ended) is None

    wait_until(forgotten)
    assert fleets.job(waiting).status is TaskStatus.PENDING


def test_an_id_that_nobody_knows_is_passed_over(fleets: Fleets) -> None:
    unknown = fleets.add()
    with fleets.ledger.writing() as connection:
        connection.execute(JOBS.delete().where(JOBS.c.id == unknown))
    pipelines.ingest(unknown, pipelines.CONVERT)
    pipelines.fail(unknown)
    fleets.idle()

    assert fleets.calls(unknown) == []
    assert fleets.end(fleets.ingest().task_id).status is TaskStatus.COMPLETED
