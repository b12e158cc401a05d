"""Real messages through a real worker: retries, failures, cancellations, deaths."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from flotilla import pipelines
from flotilla.blobs import version_prefix
from flotilla.ledger import documents
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.tables import FAILURES, JOBS, VERSIONS
from flotilla.schemas import DocumentStatus, Progress, TaskStatus
from tests.conftest import wait_until
from tests.doubles.stages import SECRET
from tests.integration.upkeep.conftest import MAX_ATTEMPTS, Fleets

WHOLE = [
    "document.convert:0:1",
    "document.split:0:1",
    "vectorstore.index:0:1",
    "vectorstore.index:1:1",
    "vectorstore.index:2:1",
    "vectorstore.publish:0:1",
]
RANGES = [f"document.convert_range:{part}:1" for part in range(3)]


def version_state(fleets: Fleets, version_id: str | None) -> str | None:
    with fleets.ledger.reading() as connection:
        return connection.scalar(select(VERSIONS.c.state).where(VERSIONS.c.id == version_id))


def document_status(fleets: Fleets, document_id: str) -> DocumentStatus:
    with fleets.ledger.reading() as connection:
        return documents.view(connection, DEFAULT_TENANT, document_id).status


def check_cleaned_up(fleets: Fleets, task_id: str) -> None:
    """Nothing is left of the version: neither points, nor blobs, nor its password."""
    job = fleets.job(task_id)
    assert job.version_id is not None
    wait_until(lambda: fleets.redis.exists(f"discarded:{job.version_id}"))
    wait_until(lambda: not fleets.blobs.exists(version_prefix(job.tenant_id, job.version_id)))
    assert version_state(fleets, job.version_id) == "failed"
    assert "password" not in job.payload


def test_a_document_goes_all_the_way(fleets: Fleets) -> None:
    accepted = fleets.ingest()
    task = fleets.end(accepted.task_id)

    assert task.status is TaskStatus.COMPLETED, task
    assert sorted(fleets.calls(task.task_id)) == sorted(WHOLE)
    assert task.result["version"] == 1
    assert task.progress == Progress(done=3, total=3, unit="chunks")
    assert task.stage == "vectorstore.publish"
    assert document_status(fleets, accepted.document_id) is DocumentStatus.READY
    assert "password" not in fleets.job(task.task_id).payload


def test_a_long_document_goes_on_after_its_page_ranges(fleets: Fleets) -> None:
    task = fleets.end(fleets.ingest(long=True).task_id)

    assert task.status is TaskStatus.COMPLETED, task
    assert sorted(fleets.calls(task.task_id)) == sorted(WHOLE + RANGES)
    assert fleets.redis.lrange(f"ranges:{task.task_id}", 0, -1) == ["3"]


def test_what_a_replaced_version_left_in_the_blobs_is_removed(fleets: Fleets) -> None:
    old = fleets.job(fleets.end(fleets.ingest("terms.pdf").task_id).task_id)
    new = fleets.job(fleets.end(fleets.ingest("terms.pdf").task_id).task_id)

    assert old.document_id == new.document_id
    assert version_state(fleets, old.version_id) == "retired"
    wait_until(lambda: not fleets.blobs.exists(version_prefix(DEFAULT_TENANT, str(old.version_id))))
    assert fleets.blobs.exists(version_prefix(DEFAULT_TENANT, str(new.version_id)))


def test_a_passing_error_is_tried_again_and_the_attempt_shown(fleets: Fleets) -> None:
    conduct = {pipelines.CONVERT: ["retryable", "retryable", "hold"]}
    task_id = fleets.ingest(conduct=conduct).task_id
    fleets.held(task_id)
    held = fleets.task(task_id)
    fleets.release(task_id)
    task = fleets.end(task_id)

    assert (held.status, held.attempt) == (TaskStatus.PROCESSING, 3)
    assert task.status is TaskStatus.COMPLETED, task
    assert fleets.calls(task_id)[:3] == [f"document.convert:0:{n}" for n in (1, 2, 3)]
    with fleets.ledger.reading() as connection:
        kept = connection.execute(
            select(FAILURES.c.attempt, FAILURES.c.code).where(FAILURES.c.job_id == task_id)
        ).all()
    assert sorted(kept) == [(1, "source_unavailable"), (2, "source_unavailable")]


def test_a_passing_error_of_one_part_delays_that_part_alone(fleets: Fleets) -> None:
    conduct = {f"{pipelines.INDEX}:1": ["retryable", "ok"]}
    task = fleets.end(fleets.ingest(conduct=conduct).task_id)

    assert task.status is TaskStatus.COMPLETED, task
    assert sorted(fleets.calls(task.task_id)) == sorted([*WHOLE, "vectorstore.index:1:2"])


def test_an_error_that_does_not_pass_fails_after_the_last_attempt(fleets: Fleets) -> None:
    accepted = fleets.ingest(conduct={pipelines.SPLIT: ["retryable"]})
    task = fleets.end(accepted.task_id)

    assert task.status is TaskStatus.FAILED
    assert task.error is not None
    assert (task.error.stage, task.error.code) == ("document.split", "source_unavailable")
    assert task.error.retryable
    assert len(fleets.calls(task.task_id)) == 1 + MAX_ATTEMPTS
    check_cleaned_up(fleets, task.task_id)


def test_retry_after_is_waited_for(fleets: Fleets) -> None:
    task_id = fleets.ingest(conduct={pipelines.INDEX: ["later 1.5", "ok"]}).task_id
    task = fleets.end(task_id)

    assert task.status is TaskStatus.COMPLETED, task
    assert task.finished_at is not None
    with fleets.ledger.reading() as connection:
        failed = connection.scalar(
            select(FAILURES.c.failed_at).where(FAILURES.c.job_id == task_id).limit(1)
        )
    assert failed is not None
    assert task.finished_at - failed >= timedelta(seconds=1.5)


def test_a_wait_that_the_broker_would_not_survive_is_a_failure(fleets: Fleets) -> None:
    task = fleets.end(fleets.ingest(conduct={pipelines.INDEX: ["later 3600"]}).task_id)

    assert task.error is not None
    assert (task.error.code, task.error.retryable) == ("model_unavailable", True)


@pytest.mark.parametrize(
    ("stage", "long"),
    [
        (pipelines.CONVERT, False),
        (f"{pipelines.CONVERT_RANGE}:1", True),
        (pipelines.SPLIT, False),
        (f"{pipelines.INDEX}:2", False),
        (pipelines.PUBLISH, False),
    ],
)
def test_a_final_error_ends_the_job_with_its_stage_and_sentence(
    fleets: Fleets, stage: str, long: bool
) -> None:
    accepted = fleets.ingest(conduct={stage: ["final"]}, long=long)
    task = fleets.end(accepted.task_id)

    assert task.status is TaskStatus.FAILED
    assert task.error is not None
    assert (task.error.stage, task.error.code) == (stage.partition(":")[0], "file_corrupt")
    assert task.error.message == "The file is damaged: send a whole one."
    assert not task.error.retryable
    assert document_status(fleets, accepted.document_id) is DocumentStatus.FAILED
    check_cleaned_up(fleets, task.task_id)


def test_an_unexpected_error_does_not_tell_what_it_holds(fleets: Fleets) -> None:
    task = fleets.end(fleets.ingest(conduct={pipelines.CONVERT: ["crash"]}).task_id)

    assert task.error is not None
    assert (task.error.code, task.error.retryable) == ("internal_error", False)
    assert "ValueError" in task.error.message
    assert SECRET not in task.model_dump_json()
    with fleets.ledger.reading() as connection:
        messages = connection.scalars(
            select(FAILURES.c.message).where(FAILURES.c.job_id == task.task_id)
        ).all()
    assert messages
    assert not any(SECRET in message for message in messages)


def test_the_soft_time_limit_is_an_error_of_its_own(fleets: Fleets) -> None:
    task = fleets.end(fleets.ingest(conduct={pipelines.CONVERT: ["linger"]}).task_id)

    assert task.error is not None
    assert task.error.code == "time_limit"


def test_a_document_deleted_meanwhile_stops_where_it_is(fleets: Fleets) -> None:
    accepted = fleets.ingest(conduct={pipelines.CONVERT: ["hold"]})
    fleets.held(accepted.task_id)
    with fleets.ledger.writing() as connection:
        documents.mark_deleted(connection, DEFAULT_TENANT, accepted.document_id)
    fleets.release(accepted.task_id)
    task = fleets.end(accepted.task_id)
    fleets.idle()

    assert (task.status, task.error) == (TaskStatus.CANCELLED, None)
    assert fleets.calls(task.task_id) == ["document.convert:0:1"]
    assert version_state(fleets, fleets.job(task.task_id).version_id) == "failed"


def test_a_process_killed_once_costs_one_attempt(fleets: Fleets) -> None:
    conduct = {f"{pipelines.INDEX}:1": ["kill", "ok"]}
    task = fleets.end(fleets.ingest(conduct=conduct).task_id)

    assert task.status is TaskStatus.COMPLETED, task
    assert "vectorstore.index:1:2" in fleets.calls(task.task_id)


def test_a_document_that_kills_every_process_is_set_aside(fleets: Fleets) -> None:
    accepted = fleets.ingest(conduct={pipelines.CONVERT: ["kill"]})
    task = fleets.end(accepted.task_id)

    assert task.error is not None
    assert (task.error.stage, task.error.code) == ("document.convert", "worker_lost")
    assert len(fleets.calls(task.task_id)) == MAX_ATTEMPTS
    check_cleaned_up(fleets, task.task_id)
    assert fleets.end(fleets.ingest().task_id).status is TaskStatus.COMPLETED


def test_a_process_ended_at_the_hard_time_limit_ends_its_job(fleets: Fleets) -> None:
    conduct = {pipelines.FETCH: ["hold"]}
    task = fleets.end(fleets.ingest(stage=pipelines.FETCH, conduct=conduct).task_id)

    assert task.error is not None
    assert (task.error.stage, task.error.code) == ("document.fetch", "worker_lost")
    assert fleets.calls(task.task_id) == ["document.fetch:0:1"]
    check_cleaned_up(fleets, task.task_id)


def test_a_stage_waits_for_a_ledger_that_is_out_of_reach(fleets: Fleets) -> None:
    task_id = fleets.ingest(conduct={pipelines.CONVERT: ["hold", "ok"]}).task_id
    fleets.held(task_id)
    with fleets.ledger.writing() as connection:
        connection.execute(text("ALTER TABLE steps RENAME TO steps_away"))
    fleets.release(task_id)
    try:
        wait_until(lambda: "ledger_unavailable" in fleets.log.read_text())
    finally:
        with fleets.ledger.writing() as connection:
            connection.execute(text("ALTER TABLE steps_away RENAME TO steps"))

    task = fleets.end(task_id)
    assert task.status is TaskStatus.COMPLETED, task


def test_a_stage_delivered_twice_while_its_parts_are_at_work_waits_for_them(
    fleets: Fleets,
) -> None:
    conduct = {f"{pipelines.CONVERT_RANGE}:1": ["hold", "hold"]}
    task_id = fleets.ingest(conduct=conduct, long=True).task_id
    fleets.held(task_id)
    pipelines.ingest(task_id, pipelines.CONVERT)
    wait_until(lambda: "document.convert_range:1:2" in fleets.calls(task_id))
    fleets.release(task_id)
    task = fleets.end(task_id)
    fleets.idle()

    assert task.status is TaskStatus.COMPLETED, task
    assert set(fleets.redis.lrange(f"ranges:{task_id}", 0, -1)) == {"3"}
    assert fleets.calls(task_id).count("document.convert_range:0:1") == 1


def test_what_is_delivered_again_after_the_end_changes_nothing(fleets: Fleets) -> None:
    task = fleets.end(fleets.ingest().task_id)
    calls = fleets.calls(task.task_id)
    pipelines.ingest(task.task_id, pipelines.CONVERT)
    pipelines.fail(task.task_id)
    fleets.idle()

    assert fleets.task(task.task_id) == task
    assert fleets.calls(task.task_id) == calls
    job = fleets.job(task.task_id)
    assert version_state(fleets, job.version_id) == "live"
    assert not fleets.redis.exists(f"discarded:{job.version_id}")


def test_a_part_that_is_done_is_skipped_and_the_chain_goes_on(fleets: Fleets) -> None:
    conduct = {pipelines.PUBLISH: ["hold", "ok"]}
    task_id = fleets.ingest(conduct=conduct).task_id
    fleets.held(task_id)
    pipelines.ingest(task_id, pipelines.SPLIT)
    task = fleets.end(task_id)
    fleets.release(task_id)

    assert task.status is TaskStatus.COMPLETED, task
    assert sum(call.startswith("vectorstore.index") for call in fleets.calls(task_id)) == 3


def test_no_password_stands_in_a_message_or_in_the_ledger_at_the_end(fleets: Fleets) -> None:
    task_id = fleets.ingest(conduct={pipelines.CONVERT: ["hold"]}).task_id
    fleets.held(task_id)
    everything = str(fleets.redis.hgetall("unacked:default"))
    fleets.release(task_id)
    fleets.end(task_id)

    assert task_id in everything
    assert "sesame" not in everything
    with fleets.ledger.reading() as connection:
        payload = connection.scalar(select(JOBS.c.payload).where(JOBS.c.id == task_id))
    assert "sesame" not in str(payload)
