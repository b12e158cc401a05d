"""A thread that hangs: its work goes on elsewhere, and its process makes room for another."""

import pytest

from flotilla import pipelines
from flotilla.ledger.leases import STUCK_EXIT
from flotilla.schemas import TaskStatus
from tests.integration.upkeep.processes import PATIENCE, Fleets, Worker

STALL = (
    "env",
    "STAGES_POOL=threads",
    "FLOTILLA_JOB_STALL_SECONDS=4",
    "FLOTILLA_RAG_BUDGET_SECONDS=2",
    "FLOTILLA_LLM_TIMEOUT=1",
)


@pytest.fixture
def threads(fleets: Fleets) -> Worker:
    """The only worker: one whose tasks run in threads, and that has little patience."""
    for worker in fleets.workers:
        worker.end()
    return fleets.start(*STALL)


def test_a_step_that_hangs_is_given_to_another_worker_and_its_own_is_replaced(
    fleets: Fleets, threads: Worker
) -> None:
    task_id = fleets.ingest(conduct={"vectorstore.index:1": ["hold", "ok"]}).task_id
    fleets.held(task_id)
    assert threads.process.wait(PATIENCE) == STUCK_EXIT
    step = fleets.step(task_id, pipelines.INDEX, 1)
    assert (step.state, step.kills, step.losses) == ("waiting", 1, 0)
    assert "lease.stuck" in threads.log.read_text()

    fleets.only_one()
    with fleets.beat():
        task = fleets.end(task_id)
    assert task.status is TaskStatus.COMPLETED, task
    assert fleets.failures(task_id) == [(1, "time_limit")]


def test_a_question_that_hangs_is_over(fleets: Fleets, threads: Worker) -> None:
    job_id = fleets.add(payload={"conduct": ["hold"]})
    pipelines.answer(job_id)
    fleets.held(job_id)
    task = fleets.end(job_id)

    assert task.error is not None
    assert task.error.code == "time_limit"
    assert threads.process.wait(PATIENCE) == STUCK_EXIT
