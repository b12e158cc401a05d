"""Workers that die, freeze or lose their messages: every job goes on where it was."""

import contextlib
import shutil
import signal
import sqlite3
import time
from datetime import UTC, datetime, timedelta

import pytest

from flotilla import pipelines
from flotilla.ledger import recovery
from flotilla.schemas import TaskStatus
from flotilla.upkeep import reaper
from tests.conftest import wait_until
from tests.integration.upkeep.processes import LEASE_SECONDS, MAX_LOSSES, PATIENCE, Fleets, Worker

# With the lease that these tests set; with that of the settings it is nine seconds more.
RECOVERY = 30 - (12 - LEASE_SECONDS)
STAGES = [
    (pipelines.CONVERT, False),
    (f"{pipelines.CONVERT_RANGE}:1", True),
    (pipelines.SPLIT, False),
    (f"{pipelines.INDEX}:1", False),
    (pipelines.PUBLISH, False),
]


def ingest_to(fleets: Fleets, act: str) -> dict[str, str]:
    """A document for each stage, to which this happens there; the ids of the tasks."""
    return {
        stage: fleets.ingest(conduct={stage: [act, "ok"]}, long=long).task_id
        for stage, long in STAGES
    }


def test_a_child_that_is_killed_in_any_stage_costs_one_attempt(fleets: Fleets) -> None:
    for stage, task_id in ingest_to(fleets, "kill").items():
        task = fleets.end(task_id)
        assert task.status is TaskStatus.COMPLETED, task
        name, _, part = stage.partition(":")
        assert f"{name}:{part or 0}:2" in fleets.calls(task_id)
        assert fleets.failures(task_id) == [(1, "worker_lost")], stage
        step = fleets.step(task_id, name, int(part or 0))
        assert (step.attempts, step.losses, step.kills) == (2, 1, 0)


def test_workers_that_are_killed_in_any_stage_are_followed_by_another(fleets: Fleets) -> None:
    fleets.start()  # one alone has too few processes to hold a document in each stage
    tasks = ingest_to(fleets, "hold")
    for task_id in tasks.values():
        fleets.held(task_id)
    fleets.start()
    killed = time.monotonic()
    for worker in fleets.workers[:2]:
        worker.kill()
    with fleets.beat():
        for stage, task_id in tasks.items():
            name, _, part = stage.partition(":")
            fleets.called(task_id, f"{name}:{part or 0}:2")
            assert time.monotonic() - killed < RECOVERY, stage
        ended = {stage: fleets.end(task_id) for stage, task_id in tasks.items()}

    for stage, task in ended.items():
        assert task.status is TaskStatus.COMPLETED, task
        assert fleets.failures(task.task_id) == [(1, "worker_lost")], stage
        # Nothing was begun anew but what was lost.
        calls = fleets.calls(task.task_id)
        assert len(calls) == len({*calls})
        done_before = [call for call in calls if not call.startswith(stage.partition(":")[0])]
        assert all(call.endswith(":1") for call in done_before)


def test_without_beat_a_worker_reaps_by_itself(fleets: Fleets) -> None:
    task_id = fleets.ingest(conduct={pipelines.SPLIT: ["hold", "ok"]}).task_id
    fleets.held(task_id)
    fleets.start()
    fleets.workers[0].kill()
    fleets.redis.delete(reaper.TURN, reaper.ROUND)  # nobody keeps it from that any more

    assert fleets.end(task_id).status is TaskStatus.COMPLETED
    assert fleets.failures(task_id) == [(1, "worker_lost")]


def test_workers_that_vanish_again_and_again_do_not_count_against_the_document(
    fleets: Fleets,
) -> None:
    conduct = {pipelines.CONVERT: ["kill"] * (MAX_LOSSES - 1) + ["ok"]}
    task = fleets.end(fleets.ingest(conduct=conduct).task_id)

    assert task.status is TaskStatus.COMPLETED, task
    assert fleets.failures(task.task_id) == [
        (attempt, "worker_lost") for attempt in range(1, MAX_LOSSES)
    ]


def test_workers_without_end_that_vanish_end_the_job(fleets: Fleets) -> None:
    task = fleets.end(fleets.ingest(conduct={pipelines.CONVERT: ["kill"]}).task_id)

    assert task.error is not None
    assert (task.error.stage, task.error.code) == ("document.convert", "worker_lost")
    assert len(fleets.calls(task.task_id)) == MAX_LOSSES
    assert fleets.end(fleets.ingest().task_id).status is TaskStatus.COMPLETED


def test_a_frozen_worker_loses_its_step_and_what_it_writes_late_is_refused(fleets: Fleets) -> None:
    conduct = {pipelines.CONVERT: ["hold and write", "ok"]}
    accepted = fleets.ingest(conduct=conduct)
    fleets.held(accepted.task_id)
    fleets.start()
    frozen = fleets.workers[0]
    freeze(fleets, frozen)
    try:
        with fleets.beat():
            task = fleets.end(accepted.task_id)
    finally:
        frozen.signal(signal.SIGCONT)
    assert task.status is TaskStatus.COMPLETED, task
    calls = fleets.calls(task.task_id)

    fleets.release(task.task_id)
    refused = f"refused:{task.task_id}"
    wait_until(lambda: fleets.redis.llen(refused), PATIENCE)
    fleets.idle()

    assert fleets.redis.lrange(refused, 0, -1)[0] in ("lease_lost", "cancelled")
    assert fleets.calls(task.task_id) == calls
    assert fleets.task(task.task_id) == task
    assert task.result["content_type"] != "text/late"


def freeze(fleets: Fleets, worker: Worker) -> None:
    """Stop a worker while it does not hold the ledger itself."""
    for _ in range(20):
        worker.signal(signal.SIGSTOP)
        with contextlib.suppress(sqlite3.OperationalError):
            path = fleets.settings.data_dir / "ledger.sqlite"
            with contextlib.closing(sqlite3.connect(path, timeout=1)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.rollback()
            return
        worker.signal(signal.SIGCONT)
    raise AssertionError("the worker holds the ledger all the time")


@pytest.mark.parametrize("when", ["in a chord", "before a stage"])
def test_a_broker_that_is_wiped_costs_no_attempt(fleets: Fleets, when: str) -> None:
    stage = f"{pipelines.INDEX}:1" if when == "in a chord" else pipelines.SPLIT
    task_id = fleets.ingest(conduct={stage: ["hold", "ok"]}, long=True).task_id
    waiting = fleets.ingest(long=True).task_id
    fleets.held(task_id)
    before = fleets.calls(task_id)
    fleets.redis.flushall()
    fleets.redis.rpush(f"calls:{task_id}", *before)
    fleets.release(task_id)
    with fleets.beat():
        tasks = [fleets.end(each) for each in (task_id, waiting)]

    assert [task.status for task in tasks] == [TaskStatus.COMPLETED] * 2, tasks
    assert fleets.failures(task_id) == []
    assert all(call.endswith(":1") for call in fleets.calls(task_id))


@pytest.mark.parametrize("long", [False, True])
def test_messages_delivered_twice_at_every_stage_do_the_work_once(
    fleets: Fleets, long: bool
) -> None:
    task_id = fleets.write(long=long, conduct={pipelines.PUBLISH: ["hold"]}).task_id
    for _ in range(2):
        fleets.send(task_id)
    fleets.held(task_id)
    for stage in pipelines.ORDER["ingest"]:
        if stage not in pipelines.BODIES and stage != pipelines.FETCH:
            fleets.send(task_id, stage)
    wait_until(lambda: not any(fleets.redis.llen(q) for q in ("document", "vectorstore")), PATIENCE)
    fleets.release(task_id)
    task = fleets.end(task_id)
    fleets.idle()

    assert task.status is TaskStatus.COMPLETED, task
    calls = fleets.calls(task_id)
    assert len(calls) == len(set(calls)), calls
    assert all(call.endswith(":1") for call in calls)
    assert task.result["version"] == 1


def test_a_reindexing_delivered_twice_ends_after_its_last_part(fleets: Fleets) -> None:
    ingested = fleets.job(fleets.end(fleets.ingest().task_id).task_id)
    payload = {"name": "x", "metadata": {"conduct": {f"{pipelines.INDEX_AGAIN}:1": ["hold"]}}}
    job_id = fleets.add(
        kind="reindex",
        queue="vectorstore",
        stage=pipelines.REINDEX,
        payload=payload,
        document_id=ingested.document_id,
        version_id=ingested.version_id,
    )
    for _ in range(2):
        fleets.send(job_id, pipelines.REINDEX, kind="reindex")
    fleets.held(job_id)
    fleets.send(job_id, pipelines.REINDEX, kind="reindex")
    wait_until(lambda: not any(fleets.redis.llen(q) for q in ("default", "vectorstore")), PATIENCE)
    assert not fleets.task(job_id).status.final
    fleets.release(job_id)
    task = fleets.end(job_id)

    assert task.status is TaskStatus.COMPLETED, task
    assert fleets.step(job_id, pipelines.CONFIRM).state == "done"


def test_a_retry_after_of_many_minutes_waits_in_the_ledger(fleets: Fleets) -> None:
    task_id = fleets.ingest(conduct={pipelines.SPLIT: ["later 1000", "ok"]}).task_id
    wait_until(lambda: fleets.failures(task_id), PATIENCE)
    wait_until(lambda: fleets.step(task_id, pipelines.SPLIT).state == "waiting", PATIENCE)
    fleets.idle()
    parked = fleets.step(task_id, pipelines.SPLIT)

    assert parked.sent_at is None
    assert parked.due_at - datetime.now(UTC) > timedelta(seconds=900)
    with fleets.beat():
        fleets.send(task_id, pipelines.SPLIT)  # a stray message does not break the patience
        other = fleets.end(fleets.ingest().task_id)
        assert other.status is TaskStatus.COMPLETED
        assert fleets.stages(task_id).count(pipelines.SPLIT) == 1
        fleets.set_step(task_id, due_at=datetime.now(UTC) - timedelta(seconds=1))
        task = fleets.end(task_id)

    assert task.status is TaskStatus.COMPLETED, task
    assert fleets.stages(task_id).count(pipelines.SPLIT) == 2


def test_a_long_outage_uses_up_no_attempts(fleets: Fleets) -> None:
    conduct = {pipelines.INDEX: ["outage"] * 8 + ["ok"]}
    task = fleets.end(fleets.ingest(conduct=conduct).task_id)

    assert task.status is TaskStatus.COMPLETED, task
    step = fleets.step(task.task_id, pipelines.INDEX, 0)
    assert (step.attempts, step.outages) == (9, 8)


def test_a_job_whose_gateway_died_before_its_message_is_sent(fleets: Fleets) -> None:
    never_sent = fleets.write().task_id
    marked_as_sent = fleets.write().task_id
    with fleets.ledger.writing() as connection:
        recovery.mark_sent(connection, marked_as_sent)
    with fleets.beat():
        for task_id in (never_sent, marked_as_sent):
            assert fleets.end(task_id).status is TaskStatus.COMPLETED


def test_a_question_whose_worker_is_killed_is_answered_by_another(fleets: Fleets) -> None:
    job_id = fleets.add(payload={"conduct": ["kill", "ok"]}, sent=True)
    pipelines.answer(job_id)
    with fleets.beat():
        task = fleets.end(job_id)

    assert (task.status, task.result) == (TaskStatus.COMPLETED, {"text": "An answer."})


@pytest.mark.skipif(shutil.which("faketime") is None, reason="there is no faketime on the PATH")
@pytest.mark.parametrize("offset", ["+1h", pytest.param("-1h", marks=pytest.mark.thorough)])
def test_a_worker_whose_clock_is_an_hour_off_neither_steals_nor_keeps_leases(
    fleets: Fleets, offset: str
) -> None:
    good = fleets.ingest(conduct={pipelines.CONVERT: ["hold"]}).task_id
    fleets.held(good)
    wrong = fleets.start("faketime", "-m", "-f", offset)
    with fleets.beat():
        # Both reap; the wrong one leaves alone what the good one holds.
        others = [
            fleets.ingest(conduct={pipelines.SPLIT: ["retryable", "ok"]}).task_id for _ in range(4)
        ]
        for task_id in others:
            assert fleets.end(task_id).status is TaskStatus.COMPLETED
        wait_until(lambda: "upkeep.reap" in wrong.log.read_text(), PATIENCE)
        assert fleets.failures(good) == []
        fleets.release(good)
        assert fleets.end(good).status is TaskStatus.COMPLETED
        assert fleets.calls(good).count("document.convert:0:1") == 1

        # What the wrong one held is taken over in time.
        fleets.workers[0].kill()
        lost = fleets.ingest(conduct={pipelines.CONVERT: ["hold", "ok"]}).task_id
        fleets.held(lost)
        held = fleets.step(lost, pipelines.CONVERT)
        assert abs(held.lease_until - datetime.now(UTC)) < timedelta(seconds=60)
        fleets.start()
        wrong.kill()
        assert fleets.end(lost).status is TaskStatus.COMPLETED
