"""A model of a job's states against the ledger: whatever is tried in whatever order."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from flotilla.ledger import job_ends, job_views, jobs
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.ledger.jobs import NewJob
from flotilla.schemas import Task, TaskError, TaskStatus

FINAL = (TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED)


class JobStates(RuleBasedStateMachine):
    """One job; `expected` is what it has to be."""

    ledger: Database

    def __init__(self) -> None:
        super().__init__()
        self.job = NewJob(
            tenant_id=DEFAULT_TENANT, kind="query", queue="rag", stage="rag.answer", payload={}
        )
        with self.ledger.writing() as connection:
            jobs.add(connection, [self.job])
        self.expected = TaskStatus.PENDING
        self.ended: Task | None = None

    def end(self, task: Task | None, status: TaskStatus) -> None:
        assert (task is None) == (self.expected in FINAL)
        if task is not None:
            self.expected, self.ended = status, task

    @rule(stage=st.sampled_from(["rag.answer", "rag.search"]))
    def claim(self, stage: str) -> None:
        with self.ledger.writing() as connection:
            job = jobs.claim(connection, self.job.id, stage, "rag")
        assert (job is None) == (self.expected in FINAL)
        if job is not None:
            self.expected = TaskStatus.PROCESSING

    @rule(result=st.none() | st.integers(0, 9) | st.text("äöü", max_size=3))
    def complete(self, result: object) -> None:
        with self.ledger.writing() as connection:
            self.end(job_ends.complete(connection, self.job.id, result), TaskStatus.COMPLETED)

    @rule(retryable=st.booleans())
    def fail(self, retryable: bool) -> None:
        error = TaskError(stage="rag.answer", code="c", message="m", retryable=retryable)
        with self.ledger.writing() as connection:
            self.end(job_ends.fail(connection, self.job.id, error), TaskStatus.FAILED)

    @rule()
    def cancel(self) -> None:
        with self.ledger.writing() as connection:
            self.end(job_ends.cancel(connection, self.job.id), TaskStatus.CANCELLED)

    @rule(done=st.integers(0, 9))
    def progress(self, done: int) -> None:
        with self.ledger.writing() as connection:
            jobs.progress(connection, self.job.id, done, 9, "pages")

    @invariant()
    def the_ledger_agrees(self) -> None:
        with self.ledger.reading() as connection:
            task = job_views.view(connection, DEFAULT_TENANT, self.job.id)
        assert task is not None
        assert task.status is self.expected
        assert (task.finished_at is not None) == (self.expected in FINAL)
        assert (task.error is not None) == (self.expected is TaskStatus.FAILED)

    @precondition(lambda self: self.ended is not None)
    @invariant()
    def a_final_state_never_changes(self) -> None:
        with self.ledger.reading() as connection:
            task = job_views.view(connection, DEFAULT_TENANT, self.job.id)
        assert task is not None
        assert task.model_copy(update={"failures": None}) == self.ended


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_whatever_is_tried_a_job_ends_once(ledger: Database, effort: int) -> None:
    machine = type("OnThisLedger", (JobStates,), {"ledger": ledger})
    run(
        machine,
        settings=settings(
            max_examples=25 * effort,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
