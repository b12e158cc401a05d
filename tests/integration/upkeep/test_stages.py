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
from tests.doubles.private_content import SECRET
from tests.integration.upkeep.processes import MAX_ATTEMPTS, Fleets

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


def check_kept(fleets: Fleets, task_id: str) -> None:
    """What a retry needs is left of a version that failed; nothing is shown of its password."""
    job = fleets.job(task_id)
    assert job.version_id is not None
    fleets.idle()
    assert version_state(fleets, job.version_id) == "failed"
    assert fleets.blobs.exists(version_prefix(job.tenant_id, job.version_id))
    assert not fleets.redis.exists(f"discarded:{job.version_id}")
    assert "sesame" in job.payload["password"]
    assert "sesame" not in fleets.task(task_id).model_dump_json()


def test_a_document_goes_all_the_way(fleets: Fleets) -> None:
    accepted = fleets.ingest()
    task = fleets.end(accepted.task_id)

    assert task.status is TaskStatus.COMPLETED, task
    assert sorted(fleets.calls(task.task_id)) == sorted(WHOLE)
    assert task.result["version"] == 1
    assert task.progress == Progress(done=3, total=3, unit="chunks", eta_seconds=None)
    assert task.stage == "upkeep.finish"
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
    assert not fleets.blobs.exists(version_prefix(DEFAULT_TENANT, str(old.version_id)))
    assert version_state(fleets, old.version_id) is None  # so that nobody looks for it again
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
    check_kept(fleets, task.task_id)


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
    check_kept(fleets, task.task_id)


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


def test_a_stage_waits_for_a_ledger_that_is_out_of_reach(fleets: Fleets) -> None:
    task_id = fleets.ingest(conduct={pipelines.CONVERT: ["hold", "ok"]}).task_id
    fleets.held(task_id)
    with fleets.ledger.writing() as connection:
        connection.execute(text("ALTER TABLE steps RENAME TO steps_away"))
    fleets.release(task_id)
    try:
        wait_until(lambda: "ledger_unavailable" in fleets.worker.log.read_text())
    finally:
        with fleets.ledger.writing() as connection:
            connection.execute(text("ALTER TABLE steps_away RENAME TO steps"))

    with fleets.beat():
        task = fleets.end(task_id)
    assert task.status is TaskStatus.COMPLETED, task


def test_a_stage_delivered_twice_while_its_parts_are_at_work_waits_for_them(
    fleets: Fleets,
) -> None:
    task_id = fleets.ingest(conduct={f"{pipelines.CONVERT_RANGE}:1": ["hold"]}, long=True).task_id
    fleets.held(task_id)
    for stage in (pipelines.CONVERT, pipelines.SPLIT, pipelines.GATHER, pipelines.FINISH):
        fleets.send(task_id, stage)
    wait_until(lambda: fleets.redis.llen("default") + fleets.redis.llen("document") == 0)
    fleets.release(task_id)
    task = fleets.end(task_id)
    fleets.idle()

    assert task.status is TaskStatus.COMPLETED, task
    assert set(fleets.redis.lrange(f"ranges:{task_id}", 0, -1)) == {"3"}
    assert sorted(fleets.calls(task_id)) == sorted(WHOLE + RANGES)


def test_what_is_delivered_again_after_the_end_changes_nothing(fleets: Fleets) -> None:
    task = fleets.end(fleets.ingest().task_id)
    calls = fleets.calls(task.task_id)
    fleets.send(task.task_id)
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
    fleets.send(task_id, pipelines.SPLIT)
    wait_until(lambda: fleets.redis.llen("document") + fleets.redis.llen("default") == 0)
    assert not fleets.task(task_id).status.final
    fleets.release(task_id)
    task = fleets.end(task_id)

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
