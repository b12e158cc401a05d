"""A sweep's job from its submission to its report, both halves run as their workers run them."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from qdrant_client import QdrantClient

from flotilla import dispatch, pipelines
from flotilla.blobs import BlobStore
from flotilla.ledger import endings, job_views, runs, stages
from flotilla.ledger import sweep as ledger_sweep
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.ledger.spaces import SpaceState
from flotilla.schemas import Task
from flotilla.schemas.sweeps import SweepReport
from flotilla.upkeep import sweep as blob_half
from flotilla.vectorstore import sweep as point_half
from flotilla.vectorstore.census import PointCensus
from flotilla.vectorstore.points import PointStore
from flotilla.vectorstore.turn_points import TurnPoints
from tests.doubles.ledger_rows import add_document, add_version, aged_id, make_ledger
from tests.integration.vectorstore.passages import DIMENSIONS, write


@pytest.fixture
def ledger(
    tmp_path: Path,
    client: QdrantClient,
    points: PointStore,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Database]:
    """A ledger that the tasks of this process work with, as with the points and the blobs."""
    database = make_ledger()
    monkeypatch.setattr(stages, "get_database", lambda: database)
    monkeypatch.setattr(blob_half, "get_database", lambda: database)
    space = SimpleNamespace(
        row=SimpleNamespace(state=SpaceState.ACTIVE),
        points=points,
        census=PointCensus(client, points.collection),
        turns=TurnPoints(client, points.collection, DIMENSIONS),
    )
    spaces = SimpleNamespace(writable=lambda **_: [space], delete_dropped=lambda: None)
    monkeypatch.setattr(point_half, "get_spaces", lambda: spaces)
    store = BlobStore(f"file://{tmp_path / 'blobs'}")
    monkeypatch.setattr(blob_half, "_blobs", lambda: store)
    # Nobody follows the task, so that no Redis is needed.
    monkeypatch.setattr(runs.task_events, "tell", lambda _task: None)
    monkeypatch.setattr(endings, "announce", lambda _task: None)
    monkeypatch.setitem(
        pipelines.ORDER, ledger_sweep.KIND, (ledger_sweep.POINTS_STAGE, ledger_sweep.BLOBS_STAGE)
    )
    yield database
    database.close()


def shown(ledger: Database, job_id: str) -> Task:
    with ledger.reading() as connection:
        task = job_views.view(connection, DEFAULT_TENANT, job_id)
    assert task is not None
    return task


def test_a_sweep_is_a_job_whose_result_is_its_report(
    ledger: Database, points: PointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[Any, ...]] = []
    monkeypatch.setattr(pipelines, "begin", lambda *what: sent.append(what[:3]))
    document = add_document(ledger)
    version_id = add_version(ledger, document, "live")
    write(points, document, version_id, tenant=DEFAULT_TENANT, chunks=2, live=True)
    write(points, aged_id(), aged_id(), tenant=DEFAULT_TENANT)

    job_id = blob_half.begin.apply().get()
    assert sent == [("sweep", job_id, ledger_sweep.POINTS_STAGE)]
    assert blob_half.begin.apply().get() == job_id
    assert len(sent) == 1

    point_half.sweep.apply([job_id])
    with ledger.reading() as connection:
        assert stages.jobs.is_open(connection, job_id)
    blob_half.sweep.apply([job_id])

    task = shown(ledger, job_id)
    assert (task.status, task.kind) == ("completed", "sweep"), task
    report = SweepReport.model_validate(task.result)
    assert report.dry_run is False
    assert report.points.orphaned == 3
    assert [one.document_id for one in report.documents.listed] == [document]
    mending = shown(ledger, str(report.documents.listed[0].task_id))
    assert (mending.kind, mending.document_id) == ("reindex", document)
    assert points.count(DEFAULT_TENANT) == 2


def test_a_half_that_runs_twice_finds_nothing_more_to_do(
    ledger: Database, points: PointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipelines, "begin", lambda *_: None)
    write(points, aged_id(), aged_id(), tenant=DEFAULT_TENANT)
    job_id = blob_half.start(ledger, dry_run=True)
    for half in (point_half.sweep, point_half.sweep, blob_half.sweep, blob_half.sweep):
        half.apply([job_id])
    report = SweepReport.model_validate(shown(ledger, job_id).result)
    assert report.dry_run
    assert report.points.orphaned == 3
    assert points.count(DEFAULT_TENANT) == 3


def test_a_broker_that_is_away_does_not_hinder_the_job(
    ledger: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: str) -> None:
        raise ConnectionError("no broker")

    monkeypatch.setattr(dispatch.pipelines, "begin", away)
    assert shown(ledger, blob_half.start(ledger, dry_run=False)).status == "pending"
