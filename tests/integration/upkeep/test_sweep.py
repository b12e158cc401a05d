"""The sweep over stored blobs: what belongs to nobody goes, whatever is being written stays."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from flotilla.blobs import BlobStore, chunks_ref, source_ref, version_prefix
from flotilla.errors import SweepRefused
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, now
from flotilla.ledger.sweep import UPLOAD_GRACE
from flotilla.ledger.tables import DOCUMENTS, VERSIONS
from flotilla.schemas.sweeps import BlobFindings
from flotilla.upkeep.sweep import BlobSweep
from tests.doubles.ledger_rows import (
    OLD,
    YEAR,
    add_document,
    add_job,
    add_version,
    aged_id,
    make_ledger,
)

LONG_AGO = 2 * UPLOAD_GRACE


@pytest.fixture
def ledger() -> Iterator[Database]:
    database = make_ledger()
    yield database
    database.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def blobs(folder: Path) -> BlobStore:
    return BlobStore(f"file://{folder}")


def store(blobs: BlobStore, folder: Path, version_id: str, *, aged: bool = True) -> None:
    """A source of four bytes and a batch of chunks of six, written long ago."""
    blobs.put(source_ref(DEFAULT_TENANT, version_id), b"1234")
    blobs.put(chunks_ref(DEFAULT_TENANT, version_id, 0), b"123456")
    if aged:
        age(folder / version_prefix(DEFAULT_TENANT, version_id))


def age(folder: Path, age: timedelta = LONG_AGO) -> None:
    moment = time.time() - age.total_seconds()
    for path in folder.rglob("*"):
        os.utime(path, (moment, moment))


def there(blobs: BlobStore, version_id: str) -> bool:
    return blobs.exists(source_ref(DEFAULT_TENANT, version_id))


def sweep(ledger: Database, blobs: BlobStore, *, dry_run: bool = False) -> BlobFindings:
    half = BlobSweep(ledger, blobs, lambda: None, dry_run=dry_run)
    found = half.remove_orphans()
    half.finish_deletions(found)
    return found


def test_blobs_without_a_row_go_and_all_others_stay(
    ledger: Database, blobs: BlobStore, folder: Path
) -> None:
    kept = {}
    for state in ("live", "pending", "failed"):
        document = add_document(ledger)
        kept[state] = add_version(ledger, document, state)
        add_job(ledger, "ingest", "failed", document_id=document, version_id=kept[state])
        store(blobs, folder, kept[state])
    lost = aged_id()
    store(blobs, folder, lost)
    foreign = aged_id(2 * YEAR)
    store(blobs, folder, foreign)

    found = sweep(ledger, blobs, dry_run=True)
    assert found == BlobFindings(
        versions_looked_at=5,
        orphaned=2,
        orphaned_bytes=10,
        orphaned_versions=1,
        foreign_versions=1,
    )
    assert there(blobs, lost)

    assert sweep(ledger, blobs) == found
    assert not there(blobs, lost)
    assert all(there(blobs, one) for one in (*kept.values(), foreign))
    assert sweep(ledger, blobs).orphaned == 0


def test_an_upload_that_takes_hours_is_left_alone(
    ledger: Database, blobs: BlobStore, folder: Path
) -> None:
    uploading = aged_id()
    with blobs.writer(source_ref(DEFAULT_TENANT, uploading)) as sink:
        sink.write(b"the first part, ")
        assert sweep(ledger, blobs).orphaned == 0
        sink.write(b"the second")
    assert sweep(ledger, blobs).orphaned == 0
    assert blobs.get(source_ref(DEFAULT_TENANT, uploading)) == b"the first part, the second"

    age(folder)  # its gateway died before it wrote the row
    assert sweep(ledger, blobs).orphaned == 1


def test_the_first_files_of_a_request_that_takes_hours_are_left_alone(
    ledger: Database, blobs: BlobStore, folder: Path
) -> None:
    replaced = add_version(ledger, add_document(ledger), "retired")
    arrived = aged_id()
    for version_id in (replaced, arrived):
        store(blobs, folder, version_id)
        age(folder / version_prefix(DEFAULT_TENANT, version_id), OLD)
    assert sweep(ledger, blobs).orphaned_versions == 1
    assert not there(blobs, replaced)
    assert there(blobs, arrived)

    age(folder)  # its gateway died before it wrote the row
    assert sweep(ledger, blobs).orphaned_versions == 1


def test_an_upload_that_has_just_made_its_folder_is_left_alone(
    ledger: Database, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploading = aged_id()
    open_file, swept = blobs.fs.open, []

    def sweep_first(path: str, *arguments: object, **options: object) -> object:
        if uploading in path and not swept:
            swept.append(sweep(ledger, blobs))
        return open_file(path, *arguments, **options)

    monkeypatch.setattr(blobs.fs, "open", sweep_first)
    blobs.put(source_ref(DEFAULT_TENANT, uploading), b"whole")
    assert [found.orphaned_versions for found in swept] == [0]
    assert there(blobs, uploading)


def test_what_an_upload_left_half_written_goes_too(
    ledger: Database, blobs: BlobStore, folder: Path
) -> None:
    broken = aged_id()
    part = folder / version_prefix(DEFAULT_TENANT, broken) / "source.0123.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"half")
    age(part.parent)
    assert sweep(ledger, blobs).orphaned_bytes == 4
    assert not part.parent.exists()


def test_a_deletion_that_failed_is_finished(
    ledger: Database, blobs: BlobStore, folder: Path
) -> None:
    document = add_document(ledger, deleted_at=now() - OLD)
    version_id = add_version(ledger, document, "live")
    add_job(ledger, "delete", "failed", payload={"document_ids": [document]})
    store(blobs, folder, version_id)

    assert sweep(ledger, blobs, dry_run=True).deleted_documents == 1
    assert there(blobs, version_id)

    found = sweep(ledger, blobs)
    assert (found.deleted_documents, found.orphaned) == (1, 2)
    with ledger.reading() as connection:
        for table in (DOCUMENTS, VERSIONS):
            assert connection.scalar(select(func.count()).select_from(table)) == 0
    assert sweep(ledger, blobs) == BlobFindings()


def test_a_lost_ledger_does_not_cost_the_blobs(
    ledger: Database, blobs: BlobStore, folder: Path
) -> None:
    lost = [aged_id() for _ in range(21)]
    for version_id in lost:
        store(blobs, folder, version_id)
    with pytest.raises(SweepRefused):
        sweep(ledger, blobs)
    assert all(there(blobs, version_id) for version_id in lost)


def test_nothing_that_is_being_uploaded_or_ingested_is_ever_swept(
    ledger: Database, blobs: BlobStore, folder: Path
) -> None:
    done = threading.Event()

    def sweep_on() -> int:
        rounds = 0
        while not done.is_set():
            sweep(ledger, blobs)
            rounds += 1
        return rounds

    def ingest(_: int) -> list[str]:
        written = []
        for _ in range(9):  # more uploads at once would look like another ledger's store
            document = add_document(ledger)
            version_id = aged_id()
            blobs.put(source_ref(DEFAULT_TENANT, version_id), b"source")
            row = add_version(ledger, document, "pending")
            # The row that this upload gets carries the age of an old one, as its id does.
            blobs.put(chunks_ref(DEFAULT_TENANT, row, 0), b"chunk")
            age(folder / version_prefix(DEFAULT_TENANT, row))
            assert there(blobs, version_id)
            written.append(row)
        return written

    with ThreadPoolExecutor(3) as pool:
        sweeping = pool.submit(sweep_on)
        rows = [row for part in pool.map(ingest, range(2)) for row in part]
        done.set()
        assert sweeping.result() > 0
    assert all(blobs.exists(chunks_ref(DEFAULT_TENANT, row, 0)) for row in rows)
