"""Documents that kill their worker: set aside, with the reason, while the fleet lives on."""

import pytest

from flotilla import pipelines
from flotilla.schemas import TaskStatus
from tests.integration.upkeep.processes import MEMORY_LIMIT, Fleets


@pytest.mark.parametrize(
    ("act", "code", "words"),
    [
        ("segfault", "crashed", "a segmentation fault"),
        pytest.param(
            *("out of memory", "out_of_memory", "more memory than there is"),
            marks=pytest.mark.thorough,
        ),
        (f"allocate {2 * MEMORY_LIMIT}", "out_of_memory", "more memory than there is"),
    ],
)
def test_a_document_that_kills_its_worker_twice_is_set_aside(
    fleets: Fleets, act: str, code: str, words: str
) -> None:
    accepted = fleets.ingest(conduct={pipelines.CONVERT: [act]})
    task = fleets.end(accepted.task_id)

    assert task.error is not None
    assert (task.error.stage, task.error.code) == (pipelines.CONVERT, "quarantined")
    assert words in task.error.message
    assert not task.error.retryable
    # On a machine that is too busy to tell of a death in time, the lease runs out first.
    failures = [each for _, each in fleets.failures(task.task_id)]
    assert [each for each in failures if each != "worker_lost"] == [code, code]
    assert len(fleets.calls(task.task_id)) == len(failures)
    assert fleets.end(fleets.ingest().task_id).status is TaskStatus.COMPLETED


def test_a_document_that_takes_too_long_twice_is_set_aside(fleets: Fleets) -> None:
    accepted = fleets.ingest(stage=pipelines.FETCH, conduct={pipelines.FETCH: ["hold"]})
    with fleets.beat():
        task = fleets.end(accepted.task_id)

    assert task.error is not None
    assert (task.error.stage, task.error.code) == (pipelines.FETCH, "quarantined")
    assert "1 seconds" in task.error.message
    assert fleets.failures(task.task_id) == [(1, "time_limit"), (2, "time_limit")]


def test_one_crash_is_forgiven(fleets: Fleets) -> None:
    conduct = {pipelines.CONVERT: ["segfault", "retryable", "ok"]}
    task = fleets.end(fleets.ingest(conduct=conduct).task_id)

    assert task.status is TaskStatus.COMPLETED, task
    assert fleets.failures(task.task_id) == [(1, "crashed"), (2, "source_unavailable")]


def test_memory_that_the_kernel_refuses_ends_the_job_and_not_the_worker(fleets: Fleets) -> None:
    process = None
    accepted = fleets.ingest(conduct={pipelines.CONVERT: [f"grab {8 * MEMORY_LIMIT}"]})
    task = fleets.end(accepted.task_id)
    process = fleets.process_of(task.task_id)

    assert task.error is not None
    assert (task.error.stage, task.error.code) == (pipelines.CONVERT, "out_of_memory")
    fleets.idle()
    assert process in fleets.worker.children()
    assert fleets.end(fleets.ingest().task_id).status is TaskStatus.COMPLETED
