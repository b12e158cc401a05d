"""Workers that were frozen in the middle of a write, and what they find when they go on."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from flotilla import pipelines
from flotilla.ledger import documents, endings, job_ends, jobs, stages, steps, versions
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, now
from flotilla.ledger.leases import Lease
from flotilla.ledger.tables import JOBS, STEPS
from flotilla.schemas import TaskError, TaskStatus
from flotilla.vectorstore import tasks
from flotilla.vectorstore.indexing import Indexer
from flotilla.vectorstore.points import PointStore
from tests.doubles.ledger_rows import add_document, add_job
from tests.integration.vectorstore.small_models import CHUNKS, Process, passages, pending

LOST = TaskError(
    stage=pipelines.INDEX, code="worker_lost", message="Eight were lost.", retryable=True
)

Freeze = Callable[..., None]


@pytest.fixture(autouse=True)
def _nobody_renews(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that is frozen."""
    monkeypatch.setattr(stages, "get_keeper", Keeper)


class Keeper:
    def holding(self, lease: Lease) -> AbstractContextManager[Lease]:
        return nullcontext(lease)


@pytest.fixture
def freeze(monkeypatch: pytest.MonkeyPatch) -> Freeze:
    """Has things happen between the last checkpoint of the next write of points and the write."""

    def arrange(event: Callable[[], Any], writer: type = Indexer, method: str = "upsert") -> None:
        write_points = getattr(writer, method)
        events = [event]

        def frozen(*arguments: Any, **options: Any) -> Any:
            if events:
                events.pop()()
            return write_points(*arguments, **options)

        monkeypatch.setattr(writer, method, frozen)

    return arrange


class Ingestion:
    """A document whose chunks wait to be indexed."""

    def __init__(
        self, ledger: Database, folder: Path, document_id: str | None = None, number: int = 1
    ) -> None:
        self.ledger = ledger
        self.document_id = document_id or add_document(ledger)
        self.job_id = pending(ledger, folder, self.document_id, number)
        job = self.job()
        assert job.version_id is not None
        self.version_id = job.version_id

    def job(self) -> jobs.Job:
        with self.ledger.reading() as connection:
            job = jobs.get(connection, self.job_id)
        assert job is not None
        return job

    def lose(self) -> None:
        """Let the time pass after which its worker is thought dead."""
        with self.ledger.writing() as connection:
            connection.execute(
                update(STEPS)
                .where(STEPS.c.job_id == self.job_id, STEPS.c.lease_until.is_not(None))
                .values(lease_until=now() - timedelta(seconds=1))
            )

    def complete(self) -> None:
        """What is left is done by another worker."""
        self.lose()
        tasks.index.apply([self.job_id])
        tasks.publish.apply([self.job_id])
        with self.ledger.writing() as connection:
            assert versions.is_live(connection, self.version_id)
            assert job_ends.complete(connection, self.job_id, {}) is not None

    def points(self, process: Process, live: bool | None = None) -> int:
        [space] = process.spaces.writable(fresh=True)
        return space.points.count(DEFAULT_TENANT, version_id=self.version_id, live=live)

    def remove_points(self, process: Process) -> None:
        for space in process.spaces.writable(fresh=True):
            space.points.remove_version(DEFAULT_TENANT, self.document_id, self.version_id)


def test_an_index_worker_frozen_over_the_completion_takes_no_point_away(
    ledger: Database, process: Process, tmp_path: Path, freeze: Freeze
) -> None:
    document = Ingestion(ledger, tmp_path)
    freeze(document.complete)
    tasks.index.apply([document.job_id])
    assert document.job().status is TaskStatus.COMPLETED
    assert document.points(process, live=True) == document.points(process) == CHUNKS
    assert len(passages(process, "passage 1")) == CHUNKS


def fail(document: Ingestion, _process: Process) -> None:
    assert endings.fail(document.ledger, document.job_id, LOST) is not None


def lose(document: Ingestion, _process: Process) -> None:
    document.lose()
    with document.ledger.writing() as connection:
        key = steps.Key(document.job_id, pipelines.INDEX)
        assert isinstance(steps.begin(connection, key, "another"), steps.Held)


def cancel(document: Ingestion, process: Process) -> None:
    with document.ledger.writing() as connection:
        assert endings.cancel_in(connection, [document.job_id])
    document.remove_points(process)


def delete(document: Ingestion, process: Process) -> None:
    with document.ledger.writing() as connection:
        documents.mark_deleted(connection, DEFAULT_TENANT, document.document_id)
        endings.cancel_in(connection, [document.job_id])
    document.remove_points(process)


def purge(document: Ingestion, process: Process) -> None:
    delete(document, process)
    with document.ledger.writing() as connection:
        documents.purge(connection, [document.document_id])


@pytest.mark.parametrize("happens", [fail, lose])
def test_hidden_points_that_may_be_needed_stay(
    ledger: Database,
    process: Process,
    tmp_path: Path,
    freeze: Freeze,
    happens: Callable[[Ingestion, Process], None],
) -> None:
    document = Ingestion(ledger, tmp_path)
    freeze(lambda: happens(document, process))
    tasks.index.apply([document.job_id])
    assert document.points(process, live=False) == CHUNKS


@pytest.mark.parametrize("happens", [cancel, delete, purge])
def test_points_that_nobody_will_need_are_taken_back(
    ledger: Database,
    process: Process,
    tmp_path: Path,
    freeze: Freeze,
    happens: Callable[[Ingestion, Process], None],
) -> None:
    document = Ingestion(ledger, tmp_path)
    freeze(lambda: happens(document, process))
    tasks.index.apply([document.job_id])
    assert document.points(process) == 0


@pytest.mark.parametrize("stage", ["index", "publish"])
def test_a_worker_frozen_over_the_next_version_leaves_nothing_of_its_own(
    ledger: Database, process: Process, tmp_path: Path, freeze: Freeze, stage: str
) -> None:
    first = Ingestion(ledger, tmp_path)
    second = Ingestion(ledger, tmp_path, first.document_id, number=2)

    def replace() -> None:
        first.complete()
        second.complete()
        assert first.points(process) == 0

    freeze(replace)
    # Without its points, publishing has to write them itself.
    getattr(tasks, stage).apply([first.job_id])
    assert first.points(process) == 0
    assert second.points(process, live=True) == CHUNKS


@pytest.mark.parametrize("replaced", [True, False])
@pytest.mark.parametrize("status", [TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED])
def test_a_late_reindexing_takes_back_what_was_replaced_and_nothing_else(
    ledger: Database,
    process: Process,
    tmp_path: Path,
    freeze: Freeze,
    status: TaskStatus,
    replaced: bool,
) -> None:
    first = Ingestion(ledger, tmp_path)
    first.complete()
    again = add_job(
        ledger,
        "reindex",
        "processing",
        document_id=first.document_id,
        version_id=first.version_id,
        queue="vectorstore",
        stage=pipelines.REINDEX,
    )

    def end() -> None:
        with ledger.writing() as connection:
            connection.execute(
                update(JOBS)
                .where(JOBS.c.id == again)
                .values(status=status.value, finished_at=now(), cleaned_at=now())
            )
        if replaced:
            Ingestion(ledger, tmp_path, first.document_id, number=2).complete()
            assert first.points(process) == 0

    freeze(end, PointStore, "rewrite")
    tasks.index_again.apply([again])
    assert first.points(process) == (0 if replaced else CHUNKS)
    assert len(passages(process, "passage 1")) == CHUNKS
