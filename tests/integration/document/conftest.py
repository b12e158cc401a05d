"""The stages of ingestion, run in the tests' own process over a ledger and a folder of blobs."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from flotilla import pipelines
from flotilla.document import tasks
from flotilla.document.splitter import SectionSplitter
from flotilla.ledger import endings, runs, stages
from flotilla.ledger.database import Database
from flotilla.ledger.leases import Lease
from tests.doubles.frozen_blobs import Blobs
from tests.doubles.ledger_rows import make_ledger


class Keeper:
    def holding(self, lease: Lease) -> AbstractContextManager[Lease]:
        return nullcontext(lease)


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    database = make_ledger()
    monkeypatch.setattr(stages, "get_database", lambda: database)
    # Nobody follows the tasks, and nothing is sent on, so that no Redis is needed.
    monkeypatch.setattr(runs.task_events, "tell", lambda _task: None)
    monkeypatch.setattr(endings, "announce", lambda _task: None)
    monkeypatch.setattr(pipelines, "index_batches", lambda _job_id, _parts: None)
    monkeypatch.setattr(stages, "get_keeper", Keeper)  # nobody renews, as in a frozen process
    yield database
    database.close()


@pytest.fixture
def blobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Blobs:
    blobs = Blobs(tmp_path / "blobs")
    splitter = SectionSplitter(lambda text: len(text.split()), chunk_tokens=100, overlap=0)
    monkeypatch.setattr(tasks, "_blobs", lambda: blobs)
    monkeypatch.setattr(tasks, "_splitter", lambda: splitter)
    return blobs
