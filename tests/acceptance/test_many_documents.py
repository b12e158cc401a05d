"""Many documents at once: a batch some of whose members fail, and two tenants on one fleet."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from flotilla import pipelines
from flotilla.blobs import BlobStore, source_ref
from flotilla.client import Flotilla
from flotilla.ledger import collections, submissions
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, new_id, now
from flotilla.ledger.submissions import NewSource
from flotilla.ledger.tables import JOBS, TENANTS
from flotilla.schemas import BatchResult, TaskStatus
from flotilla.settings import Settings
from tests.acceptance.stack import PATIENCE, Stack, wait_until

GOOD = 48
CROWD, THOUSAND = 250, 1000


@pytest.fixture(scope="module")
def ledger(stack: Stack) -> Iterator[Database]:
    database = Database(Settings(data=stack.addresses.data).ledger_url)
    yield database
    database.close()


def test_one_that_hangs_and_a_broken_one_do_not_keep_the_others(
    client: Flotilla, site: str
) -> None:
    client.create_collection("fifty")
    batch = client.open_batch(name="fifty", total=GOOD + 2).task_id
    client.ingest_url(f"{site}/endless.txt", collection="fifty", batch=batch)
    files = [
        (f"berth-{number}.txt", io.BytesIO(f"Berth {number} is {number + 3} metres deep.".encode()))
        for number in range(GOOD)
    ]
    broken = ("broken.pdf", io.BytesIO(b"%PDF-1.7\n" + bytes(500)))
    client.upload_batch(*files, broken, collection="fifty", batch=batch)
    client.close_batch(batch)

    task = client.wait(batch, timeout=2 * PATIENCE)

    assert task.status is TaskStatus.PARTIAL
    result = BatchResult.model_validate(task.result)
    assert (result.completed, result.failed) == (GOOD, 2)
    why = {failed.name: (failed.code, failed.message) for failed in result.failures}
    assert {name: code for name, (code, _) in why.items()} == {
        "broken.pdf": "file_corrupt",
        "endless.txt": "source_timeout",
    }
    assert all(message.endswith(".") for _, message in why.values())
    for number in (0, GOOD - 1):
        found = client.search(f"How deep is berth {number}?", collections=["fifty"]).passages
        assert f"Berth {number} is {number + 3} metres deep." in {each.text for each in found}


def stored(stack: Stack, tenant_id: str, name: str, number: int) -> list[NewSource]:
    """Texts whose bytes are in the store and whose rows are still to be written."""
    blobs = BlobStore(Settings(data=stack.addresses.data).blobs_url)
    sources = []
    for each in range(number):
        version_id = new_id()
        blob = source_ref(tenant_id, version_id)
        text = f"Boat {each} of {name} sails at {each % 24} o'clock.".encode()
        blobs.put(blob, text)
        source = NewSource(
            version_id=version_id,
            source=f"{each}.txt",
            name=f"{each}.txt",
            metadata={},
            first_stage=pipelines.CONVERT,
            blob=blob,
            sha256=f"{name}-{each}",
            size=len(text),
            content_type="text/plain",
        )
        sources.append(source)
    return sources


def test_a_tenant_with_one_document_does_not_wait_for_one_with_a_crowd(
    stack: Stack, client: Flotilla, ledger: Database, thorough: bool
) -> None:
    crowd = THOUSAND if thorough else CROWD
    client.create_collection("crowd")
    other = new_id()
    many = stored(stack, DEFAULT_TENANT, "crowd", crowd)
    one = stored(stack, other, "single", 1)
    # Nothing is sent before all are written, the crowd first.
    with ledger.writing() as connection:
        submissions.submit(connection, DEFAULT_TENANT, "crowd", many)
        connection.execute(insert(TENANTS).values(id=other, name="other", created_at=now()))
        collections.create(connection, other, "single", None)
        [single] = submissions.submit(connection, other, "single", one)

    def the_end_of_the_single_one() -> Any:
        job = select(JOBS.c.status, JOBS.c.finished_at).where(JOBS.c.id == single.task_id)
        with ledger.reading() as connection:
            row = connection.execute(job).one()
        return row if row.finished_at is not None else None

    end = wait_until(the_end_of_the_single_one, "the single document is ingested")
    assert end.status == "completed"
    before = select(func.count()).where(
        JOBS.c.collection == "crowd", JOBS.c.finished_at <= end.finished_at
    )
    with ledger.reading() as connection:
        assert connection.execute(before).scalar_one() < crowd / 10

    deletion = client.delete_collection("crowd")  # nobody waits for the rest of them
    assert client.wait(deletion.task_id, timeout=2 * PATIENCE).status is TaskStatus.COMPLETED
