"""Beat's tasks: what was never sent, what nobody began, what is old enough to be forgotten."""

import json
import signal
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import func, select, update

from flotilla import pipelines
from flotilla.blobs import source_ref
from flotilla.broker import app
from flotilla.ledger import (
    conversations,
    documents,
    endings,
    job_ends,
    jobs,
    spaces,
    steps,
    turns,
)
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.tables import DOCUMENTS, JOBS, MESSAGES
from flotilla.schemas import TaskStatus
from flotilla.upkeep import queued, reaper
from tests.conftest import wait_until
from tests.integration.upkeep.processes import PATIENCE, Fleets


def set_back(fleets: Fleets, job_id: str, ago: timedelta, *columns: str) -> None:
    values = dict.fromkeys(columns, datetime.now(UTC) - ago)
    with fleets.ledger.writing() as connection:
        connection.execute(update(JOBS).where(JOBS.c.id == job_id).values(values))


def reap(fleets: Fleets) -> int:
    """Carry beat's task out; returns how many jobs were sent again."""
    fleets.redis.delete(reaper.TURN)
    key = f"celery-task-meta-{app.send_task('upkeep.reap', ignore_result=False).id}"
    wait_until(lambda: fleets.redis.exists(key), PATIENCE)
    return int(json.loads(fleets.redis.get(key))["result"])


def test_what_was_written_and_never_sent_is_sent(fleets: Fleets) -> None:
    accepted = fleets.write()

    reap(fleets)

    assert fleets.end(accepted.task_id).status is TaskStatus.COMPLETED


def test_what_was_sent_just_now_is_not_sent_again(fleets: Fleets) -> None:
    sent = fleets.write()
    set_back(fleets, sent.task_id, timedelta(seconds=-5), "sent_at")

    assert reap(fleets) == 0
    fleets.idle()
    assert fleets.calls(sent.task_id) == []
    endings.cancel(fleets.ledger, sent.task_id)


def test_a_second_reaper_at_the_same_time_leaves_the_first_alone(fleets: Fleets) -> None:
    accepted = fleets.write()
    fleets.redis.set(reaper.TURN, "1", px=60_000)
    key = f"celery-task-meta-{app.send_task('upkeep.reap', ignore_result=False).id}"
    wait_until(lambda: fleets.redis.exists(key), PATIENCE)

    assert fleets.task(accepted.task_id).status is TaskStatus.PENDING
    reap(fleets)
    fleets.end(accepted.task_id)


def test_what_the_broker_has_lost_goes_on_where_it_was(fleets: Fleets) -> None:
    fleets.idle()
    lost = fleets.write()
    key = steps.Key(lost.task_id, pipelines.CONVERT)
    with fleets.ledger.writing() as connection:
        jobs.claim(connection, lost.task_id, pipelines.CONVERT, "document")
        held = steps.begin(connection, key, "worker@host:1")
        assert isinstance(held, steps.Held)
        steps.finish(connection, held)
    set_back(fleets, lost.task_id, timedelta(minutes=2), "created_at", "sent_at", "started_at")

    assert reap(fleets) == 0
    assert fleets.calls(lost.task_id) == []  # a step of it has ended a moment ago

    fleets.set_step(lost.task_id, finished_at=datetime.now(UTC) - timedelta(minutes=2))
    assert reap(fleets) == 1
    task = fleets.end(lost.task_id)

    assert task.status is TaskStatus.COMPLETED, task
    assert "document.convert:0:1" not in fleets.calls(lost.task_id)
    assert "vectorstore.publish:0:1" in fleets.calls(lost.task_id)


def test_what_waits_behind_other_work_is_not_lost(
    fleets: Fleets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queued, "get_redis", lambda: fleets.redis)
    fleets.idle()
    fleets.worker.signal(signal.SIGSTOP)
    try:
        waiting, lost = fleets.ingest(), fleets.write()
        fleets.redis.lpush("document", "no message", "{}", '{"body": "", "headers": {}}')
        for accepted in (waiting, lost):
            set_back(fleets, accepted.task_id, timedelta(minutes=2), "sent_at")

        # The first message may be in a frozen worker's hands: its answer to BRPOP is under way.
        filler = [fleets.ingest() for _ in range(3)]
        fleets.send(waiting.task_id)
        set_back(fleets, waiting.task_id, timedelta(minutes=2), "sent_at")
        reaper._resume(fleets.ledger)

        messages = [
            message
            for queue in ("document", "vectorstore", "default")
            for message in queued.queued([queue]).keys
        ]
    finally:
        fleets.redis.lrem("document", 0, "no message")
        fleets.redis.lrem("document", 0, "{}")
        fleets.redis.lrem("document", 0, '{"body": "", "headers": {}}')
        fleets.worker.signal(signal.SIGCONT)

    assert steps.Key(lost.task_id, pipelines.CONVERT) in messages
    assert fleets.redis.llen("document") <= 7
    for accepted in (waiting, lost, *filler):
        assert fleets.end(accepted.task_id).status is TaskStatus.COMPLETED
        assert fleets.calls(accepted.task_id).count("document.convert:0:1") == 1


def test_what_was_lost_goes_ahead_of_what_waits(
    fleets: Fleets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queued, "get_redis", lambda: fleets.redis)
    fleets.idle()
    lost = fleets.write()
    set_back(fleets, lost.task_id, timedelta(minutes=1), "created_at", "sent_at")
    fleets.worker.signal(signal.SIGSTOP)
    try:
        waiting = [fleets.ingest() for _ in range(20)]
        reaper._resume(fleets.ledger)
    finally:
        fleets.worker.signal(signal.SIGCONT)
    for accepted in (lost, *waiting):
        assert fleets.end(accepted.task_id).status is TaskStatus.COMPLETED

    begun = [fleets.step(each.task_id, pipelines.CONVERT).started_at for each in waiting]
    # A few are in the worker's hands already.
    assert fleets.step(lost.task_id, pipelines.CONVERT).started_at < sorted(begun)[10]


def test_what_is_to_be_cleaned_is_sent_once_however_long_its_fleet_is_away(
    fleets: Fleets, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    present = queued.Queued()
    monkeypatch.setattr(pipelines, "fail", sent.append)
    monkeypatch.setattr(reaper, "_present", lambda: present)
    monkeypatch.setattr(reaper, "CLEANING_PAUSE", timedelta(0))
    waiting, lost = fleets.write().task_id, fleets.write().task_id
    for task_id in (waiting, lost):
        endings.cancel(fleets.ledger, task_id)
    present.keys.add(steps.Key(waiting, pipelines.FAIL))
    # What is left of the work itself does not keep its traces from being removed.
    present.job_ids.add(lost)

    reaper._clean(fleets.ledger)

    assert lost in sent
    assert waiting not in sent


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
    set_back(fleets, removal, timedelta(minutes=1), "created_at", "sent_at")

    reap(fleets)
    task = fleets.end(removal)

    assert task.status is TaskStatus.COMPLETED, task
    assert task.result == {
        "documents": 1,
        "versions": 1,
        "points": 1,
        "blobs": 1,
        "bytes": len(version_id),
    }
    assert fleets.calls(removal) == [pipelines.REMOVE]
    assert not fleets.blobs.exists(source_ref(DEFAULT_TENANT, version_id))
    with fleets.ledger.reading() as connection:
        left = select(func.count()).where(DOCUMENTS.c.id.in_([gone.document_id, kept.document_id]))
        assert connection.scalar(left) == 1


def test_a_smoke_test_that_nobody_began_ends_with_advice(fleets: Fleets) -> None:
    old, young = (fleets.add(kind="demo", sent=True) for _ in range(2))
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
        job_ends.complete(connection, ended, {})
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
    fleets.send(unknown)
    pipelines.fail(unknown)
    fleets.idle()

    assert fleets.calls(unknown) == []
    assert fleets.end(fleets.ingest().task_id).status is TaskStatus.COMPLETED


def test_turns_that_nobody_remembered_are_sent_for_once_in_a_while(
    fleets: Fleets, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(reaper.pipelines, "remember", lambda: sent.append(1))
    monkeypatch.setattr(reaper, "get_redis", lambda: fleets.redis)
    look = partial(reaper._remember, fleets.ledger)
    fleets.redis.delete(reaper.REMEMBERING)
    with fleets.ledger.writing() as connection:
        spaces.adopt(connection, "fastembed:model", "flotilla-model", 4)
        conversation_id = conversations.create(connection, DEFAULT_TENANT, "anne", "Who pays?")

    def say(number: int, ago: timedelta) -> str:
        with fleets.ledger.writing() as connection:
            turn = turns.NewTurn(
                conversation_id=conversation_id,
                task_id=f"task-{number}",
                question="Who pays?",
                standalone="Who pays?",
                question_tokens=3,
                answer="You do.",
                citations=[],
                answerable=True,
                model="extractive",
                answer_tokens=3,
            )
            turn_id = turns.append(connection, turn)
            moment = datetime.now(UTC) - ago
            connection.execute(
                update(MESSAGES).where(MESSAGES.c.id == turn_id).values(created_at=moment)
            )
        return turn_id

    say(1, timedelta(0))  # whoever has written it is about to remember it
    look()
    assert sent == []

    lost = say(2, timedelta(minutes=5))
    look()
    assert sent == []  # a while has not passed
    fleets.redis.delete(reaper.REMEMBERING)
    look()
    assert sent == [1]

    fleets.redis.delete(reaper.REMEMBERING)
    with fleets.ledger.writing() as connection:
        (space,) = spaces.undropped(connection)
        turns.mark_remembered(connection, [lost], space.id)
    look()
    assert sent == [1]
