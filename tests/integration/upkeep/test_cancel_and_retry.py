"""Jobs that are taken back, and jobs that are sent again after they failed."""

from typing import Any

import pytest
from sqlalchemy import select

from flotilla import dispatch, pipelines
from flotilla.blobs import version_prefix
from flotilla.errors import Conflict
from flotilla.ledger import endings, retries
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.tables import JOBS, VERSIONS
from flotilla.schemas import TaskStatus
from tests.conftest import wait_until
from tests.integration.upkeep.processes import PATIENCE, Fleets


def cancel(fleets: Fleets, task_id: str) -> None:
    with fleets.ledger.writing() as connection:
        assert endings.cancel_by_user(connection, DEFAULT_TENANT, task_id)


def column(fleets: Fleets, task_id: str, name: str) -> Any:
    with fleets.ledger.reading() as connection:
        return connection.scalar(select(JOBS.c[name]).where(JOBS.c.id == task_id))


def check_nothing_is_left(fleets: Fleets, task_id: str) -> None:
    job = fleets.job(task_id)
    wait_until(lambda: column(fleets, task_id, "cleaned_at"), PATIENCE)
    assert fleets.redis.exists(f"discarded:{job.version_id}")
    assert not fleets.blobs.exists(version_prefix(job.tenant_id, str(job.version_id)))
    assert "password" not in job.payload
    assert fleets.task(task_id).status is TaskStatus.CANCELLED


def test_what_waits_is_never_begun(fleets: Fleets) -> None:
    unsent, sent = fleets.write(), fleets.write()
    for accepted in (unsent, sent):
        cancel(fleets, accepted.task_id)
    fleets.send(sent.task_id)
    with fleets.beat():
        for accepted in (unsent, sent):
            check_nothing_is_left(fleets, accepted.task_id)

    assert fleets.calls(unsent.task_id) == fleets.calls(sent.task_id) == []


@pytest.mark.parametrize(
    ("stage", "long"),
    [
        (pipelines.CONVERT, False),
        (f"{pipelines.CONVERT_RANGE}:1", True),
        (f"{pipelines.INDEX}:2", False),
    ],
)
def test_what_runs_stops_at_its_next_checkpoint(fleets: Fleets, stage: str, long: bool) -> None:
    task_id = fleets.ingest(conduct={stage: ["hold"]}, long=long).task_id
    fleets.held(task_id)
    cancel(fleets, task_id)
    with fleets.beat():
        # As long as somebody works on it, it may still write.
        other = fleets.end(fleets.ingest().task_id)
        assert other.status is TaskStatus.COMPLETED
        assert fleets.blobs.exists(version_prefix(DEFAULT_TENANT, column_version(fleets, task_id)))
        calls = fleets.calls(task_id)
        fleets.release(task_id)
        check_nothing_is_left(fleets, task_id)
    fleets.idle()

    new = [call for call in fleets.calls(task_id)[len(calls) :] if not call.startswith("document")]
    assert new == []
    assert pipelines.PUBLISH not in fleets.stages(task_id)


def column_version(fleets: Fleets, task_id: str) -> str:
    return str(fleets.job(task_id).version_id)


def test_a_version_that_is_being_published_is_not_taken_back(fleets: Fleets) -> None:
    task_id = fleets.ingest(conduct={pipelines.PUBLISH: ["hold"]}).task_id
    fleets.held(task_id)

    with pytest.raises(Conflict, match="being published"), fleets.ledger.writing() as connection:
        endings.cancel_by_user(connection, DEFAULT_TENANT, task_id)
    fleets.release(task_id)

    assert fleets.end(task_id).status is TaskStatus.COMPLETED


def test_a_stray_message_to_clean_up_takes_nothing_of_what_answers(fleets: Fleets) -> None:
    task = fleets.end(fleets.ingest().task_id)
    version_id = column_version(fleets, task.task_id)
    pipelines.fail(task.task_id)
    fleets.idle()

    assert fleets.blobs.exists(version_prefix(DEFAULT_TENANT, version_id))
    assert not fleets.redis.exists(f"discarded:{version_id}")


@pytest.mark.parametrize(
    ("stage", "again"),
    [
        (pipelines.SPLIT, ["document.split:0"]),
        (f"{pipelines.INDEX}:1", ["vectorstore.index:1"]),
        (pipelines.PUBLISH, []),
    ],
)
def test_a_failed_job_goes_on_at_the_stage_where_it_failed(
    fleets: Fleets, stage: str, again: list[str]
) -> None:
    task_id = fleets.ingest(conduct={stage: ["final", "ok"]}).task_id
    assert fleets.end(task_id).status is TaskStatus.FAILED
    fleets.idle()
    before = fleets.calls(task_id)

    retries.retry(fleets.ledger, DEFAULT_TENANT, task_id)
    pending = fleets.task(task_id)
    with fleets.beat():
        task = fleets.end(task_id)

    assert (pending.status, pending.error) == (TaskStatus.PENDING, None)
    assert task.status is TaskStatus.COMPLETED, task
    since = [call.rpartition(":")[0] for call in fleets.calls(task_id)[len(before) :]]
    assert set(again) <= set(since)
    assert pipelines.CONVERT not in {call.partition(":")[0] for call in since}
    assert len(since) == len(set(since))
    assert fleets.failures(task_id) == [(1, "file_corrupt")]


def test_a_job_is_retried_once_by_whoever_comes_first(fleets: Fleets) -> None:
    task_id = fleets.ingest(conduct={pipelines.CONVERT: ["final", "hold"]}).task_id
    fleets.end(task_id)
    fleets.idle()

    retries.retry(fleets.ledger, DEFAULT_TENANT, task_id)
    with pytest.raises(Conflict):
        retries.retry(fleets.ledger, DEFAULT_TENANT, task_id)
    with fleets.beat():
        fleets.held(task_id)
        fleets.release(task_id)
        assert fleets.end(task_id).status is TaskStatus.COMPLETED


def test_a_version_that_failed_after_the_live_one_keeps_what_its_retry_needs(
    fleets: Fleets,
) -> None:
    fleets.end(fleets.ingest("terms.pdf").task_id)
    failed = fleets.ingest("terms.pdf", conduct={pipelines.SPLIT: ["final", "ok"]}).task_id
    fleets.end(failed)
    live = fleets.end(fleets.ingest("other.pdf").task_id)
    assert live.status is TaskStatus.COMPLETED
    with fleets.ledger.reading() as connection:
        first = connection.execute(
            select(VERSIONS).where(VERSIONS.c.document_id == fleets.job(failed).document_id)
        ).first()
    assert first is not None
    reindex = fleets.add(
        kind="reindex",
        queue="vectorstore",
        stage=pipelines.REINDEX,
        payload={"name": "x", "metadata": {}},
        document_id=first.document_id,
        version_id=first.id,
        sent=True,
    )
    dispatch_and_end(fleets, reindex)

    assert fleets.blobs.exists(version_prefix(DEFAULT_TENANT, column_version(fleets, failed)))
    retries.retry(fleets.ledger, DEFAULT_TENANT, failed)
    with fleets.beat():
        assert fleets.end(failed).status is TaskStatus.COMPLETED


def dispatch_and_end(fleets: Fleets, job_id: str) -> None:
    assert dispatch.resume(fleets.ledger, fleets.job(job_id))
    assert fleets.end(job_id).status is TaskStatus.COMPLETED
