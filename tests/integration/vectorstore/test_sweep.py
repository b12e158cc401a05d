"""The sweep over a real Qdrant node: orphans go, whatever is being written stays."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from qdrant_client import QdrantClient, models
from sqlalchemy import update

from flotilla.errors import Cancelled, SweepRefused
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.ledger.sweep import LiveVersion
from flotilla.ledger.tables import DOCUMENTS, VERSIONS
from flotilla.vectorstore.census import PointCensus
from flotilla.vectorstore.points import PointStore
from flotilla.vectorstore.sweep import PointSweep
from tests.doubles.ledger_rows import (
    add_document,
    add_job,
    add_version,
    aged_id,
    make_ledger,
    set_document,
    set_version,
)
from tests.integration.vectorstore.passages import DIMENSIONS, write


@pytest.fixture
def ledger() -> Iterator[Database]:
    database = make_ledger()
    yield database
    database.close()


class Sweeps:
    """Sweeps over the test's points, and what they asked to have indexed anew."""

    def __init__(self, ledger: Database, client: QdrantClient, points: PointStore) -> None:
        self.reindexed: list[LiveVersion] = []
        self.ledger = ledger
        self.points = points
        self.census = PointCensus(client, points.collection)

    def make(
        self, *, dry_run: bool = False, checkpoint: Callable[[], None] = lambda: None
    ) -> PointSweep:
        return PointSweep(
            self.ledger, self.census, self.points, self._reindex, checkpoint, dry_run=dry_run
        )

    def _reindex(self, version: LiveVersion) -> str:
        self.reindexed.append(version)
        return f"task-{version.document_id}"


@pytest.fixture
def sweeps(ledger: Database, client: QdrantClient, points: PointStore) -> Sweeps:
    return Sweeps(ledger, client, points)


def put(points: PointStore, document: str, version: str, **options: object) -> None:
    write(points, document, version, tenant=DEFAULT_TENANT, **options)  # type: ignore[arg-type]


def left(points: PointStore, version_id: str) -> int:
    return points.count(DEFAULT_TENANT, version_id=version_id)


def test_points_without_a_document_go_and_all_others_stay(
    ledger: Database, points: PointStore, sweeps: Sweeps
) -> None:
    states = {}
    for state in ("live", "pending", "retired"):
        document = add_document(ledger)
        states[state] = add_version(ledger, document, state)
        put(points, document, states[state], live=state == "live")
    lost, lost_live = aged_id(), aged_id()
    put(points, aged_id(), lost)
    put(points, aged_id(), lost_live, chunks=5, live=True)

    found = sweeps.make(dry_run=True).remove_orphans()
    assert (found.looked_at, found.orphaned, found.orphaned_versions) == (17, 11, 3)
    assert points.count(DEFAULT_TENANT) == 17

    assert sweeps.make().remove_orphans() == found
    assert points.count(DEFAULT_TENANT) == 6
    assert left(points, states["live"]) == left(points, states["pending"]) == 3
    assert sweeps.make().remove_orphans().orphaned == 0


def test_the_points_of_every_tenant_are_looked_at(
    ledger: Database, points: PointStore, sweeps: Sweeps
) -> None:
    write(points, aged_id(), aged_id(), tenant="another")
    assert sweeps.make().remove_orphans().orphaned == 3
    assert points.count("another") == 0


def test_points_of_another_ledger_are_left_alone(
    points: PointStore, client: QdrantClient, sweeps: Sweeps
) -> None:
    put(points, "d", "not-an-id")
    strange = models.PointStruct(id=7, vector={"dense": [1.0, 0, 0, 0]}, payload={"mine": True})
    client.upsert(points.collection, [strange])
    found = sweeps.make().remove_orphans()
    assert (found.orphaned, found.foreign) == (0, 3)
    assert client.count(points.collection).count == 4


def test_a_lost_ledger_does_not_cost_the_points(points: PointStore, sweeps: Sweeps) -> None:
    for _ in range(21):
        put(points, aged_id(), aged_id(), chunks=1, live=True)
    with pytest.raises(SweepRefused):
        sweeps.make().remove_orphans()
    assert points.count(DEFAULT_TENANT) == 21


def test_pages_cover_all_points_once(points: PointStore, sweeps: Sweeps) -> None:
    for _ in range(5):
        put(points, aged_id(), aged_id(), chunks=5)
    pages = list(sweeps.census.pages(size=7))
    assert [len(page) for page in pages] == [7, 7, 7, 4]
    assert len({origin.version_id for page in pages for origin in page}) == 5


def test_without_a_collection_every_document_is_incomplete(
    ledger: Database, client: QdrantClient
) -> None:
    document = add_document(ledger)
    add_version(ledger, document, "live")
    sweeps = Sweeps(ledger, client, PointStore(client, "test-absent", DIMENSIONS))
    assert sweeps.make().remove_orphans().looked_at == 0
    [one] = sweeps.make().mend_documents().listed
    assert (one.document_id, one.points, one.chunks) == (document, 0, 3)


def test_documents_that_lack_points_are_indexed_anew(
    ledger: Database, points: PointStore, sweeps: Sweeps
) -> None:
    documents = {name: add_document(ledger) for name in ("whole", "short", "empty", "hidden")}
    versions = {name: add_version(ledger, one, "live") for name, one in documents.items()}
    put(points, documents["whole"], versions["whole"], live=True)
    put(points, documents["short"], versions["short"], chunks=2, live=True)
    put(points, documents["hidden"], versions["hidden"])
    wanted = {documents[name] for name in ("short", "empty", "hidden")}

    found = sweeps.make(dry_run=True).mend_documents()
    assert (found.looked_at, found.incomplete) == (4, 3)
    assert {one.document_id: one.points for one in found.listed} == {
        documents["short"]: 2,
        documents["empty"]: 0,
        documents["hidden"]: 0,
    }
    assert sweeps.reindexed == []

    found = sweeps.make().mend_documents()
    assert {version.document_id for version in sweeps.reindexed} == wanted
    assert {one.task_id for one in found.listed} == {f"task-{one}" for one in wanted}


def test_the_real_reindexing_is_a_job_of_the_ledger(ledger: Database) -> None:
    from flotilla.ledger import jobs
    from flotilla.vectorstore.sweep import _reindex

    document = add_document(ledger)
    version_id = add_version(ledger, document, "live")
    version = LiveVersion(version_id, DEFAULT_TENANT, document, 3)
    job_id = _reindex(ledger, version)
    assert job_id is not None
    assert _reindex(ledger, version) == job_id
    with ledger.reading() as connection:
        job = jobs.get(connection, job_id)
    assert job is not None
    assert (job.kind, job.document_id) == ("reindex", document)
    set_document(ledger, document, deleted_at=job.started_at, live_version_id=None)
    gone = LiveVersion(version_id, DEFAULT_TENANT, aged_id(), 3)
    assert _reindex(ledger, gone) is None


def test_a_sweep_that_is_cancelled_stops_between_two_pages(
    points: PointStore, sweeps: Sweeps
) -> None:
    put(points, aged_id(), aged_id())

    def checkpoint() -> None:
        raise Cancelled("Not wanted any more.")

    with pytest.raises(Cancelled):
        sweeps.make(checkpoint=checkpoint).remove_orphans()
    assert points.count(DEFAULT_TENANT) == 3


# --- races: ids are old, so that the grace protects nothing --------------------------------


def sweep_until(sweeps: Sweeps, done: threading.Event) -> int:
    rounds = 0
    while not done.is_set():
        sweeps.make().remove_orphans()
        sweeps.make().mend_documents()
        rounds += 1
    return rounds


def go_live(ledger: Database, document: str, version_id: str) -> None:
    with ledger.writing() as connection:
        connection.execute(
            update(VERSIONS)
            .where(VERSIONS.c.document_id == document, VERSIONS.c.state == "live")
            .values(state="retired")
        )
        connection.execute(update(VERSIONS).where(VERSIONS.c.id == version_id).values(state="live"))
        connection.execute(
            update(DOCUMENTS).where(DOCUMENTS.c.id == document).values(live_version_id=version_id)
        )


def test_nothing_that_is_being_ingested_or_replaced_is_ever_swept(
    ledger: Database, points: PointStore, sweeps: Sweeps
) -> None:
    done = threading.Event()
    missing: list[str] = []

    def ingest(_: int) -> str:
        document = add_document(ledger)
        before: list[str] = []
        for number in range(1, 7):
            version_id = add_version(ledger, document, "pending", number=number)
            put(points, document, version_id)
            points.publish(DEFAULT_TENANT, document, version_id)
            go_live(ledger, document, version_id)
            for old in before:
                points.remove_version(DEFAULT_TENANT, document, old)
            if left(points, version_id) != 3:
                missing.append(version_id)
            before = [version_id]
        return before[0]

    with ThreadPoolExecutor(4) as pool:
        sweeping = pool.submit(sweep_until, sweeps, done)
        last = list(pool.map(ingest, range(3)))
        done.set()
        assert sweeping.result() > 0
    assert missing == []
    assert [points.count(DEFAULT_TENANT, version_id=one, live=True) for one in last] == [3, 3, 3]
    assert sweeps.make().remove_orphans().orphaned == 0
    assert sweeps.reindexed == []


def test_nothing_that_is_being_rewritten_or_retried_is_ever_swept(
    ledger: Database, points: PointStore, sweeps: Sweeps
) -> None:
    import numpy as np

    from flotilla.vectorstore.bm25 import SparseVector

    done = threading.Event()
    live_document, retried_document = add_document(ledger), add_document(ledger)
    live = add_version(ledger, live_document, "live")
    retried = add_version(ledger, retried_document, "failed")
    job = add_job(ledger, "ingest", "failed", document_id=retried_document, version_id=retried)
    chunks = write(points, live_document, live, tenant=DEFAULT_TENANT, live=True)
    seen: set[int] = set()

    def rewrite() -> None:
        dense = np.eye(3, DIMENSIONS, dtype=np.float32)
        sparse = [SparseVector([1], [1.0])] * 3
        for _ in range(15):
            points.rewrite(DEFAULT_TENANT, "c1", "d.pdf", {}, chunks, dense, sparse)
            seen.add(points.count(DEFAULT_TENANT, version_id=live, live=True))

    def retry() -> None:
        for _ in range(15):
            put(points, retried_document, retried)
            set_version(ledger, retried, state="pending")
            seen.add(left(points, retried))
            set_version(ledger, retried, state="failed")
            seen.add(left(points, retried))

    with ThreadPoolExecutor(3) as pool:
        sweeping = pool.submit(sweep_until, sweeps, done)
        for work in [pool.submit(rewrite), pool.submit(retry)]:
            work.result()
        done.set()
        assert sweeping.result() > 0
    assert seen == {3}, job
