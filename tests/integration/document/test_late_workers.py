"""Workers that were frozen in the middle of their work, and what they find when they go on."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas
from sqlalchemy import select, update

from flotilla import pipelines
from flotilla.blobs import chunks_ref, pages_ref, source_ref, version_prefix
from flotilla.document import tasks
from flotilla.ledger import (
    documents,
    endings,
    fan_outs,
    job_ends,
    jobs,
    retries,
    steps,
    submissions,
    versions,
)
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, new_id, now
from flotilla.ledger.steps import Key
from flotilla.ledger.tables import JOBS, STEPS
from flotilla.models import Chunk
from flotilla.schemas import TaskError, TaskStatus
from tests.doubles.frozen_blobs import Blobs

QUARANTINED = TaskError(
    stage=pipelines.CONVERT_RANGE, code="quarantined", message="Set aside.", retryable=False
)


ORDINALS = ("", "first", "second", "third", "fourth")


class Ingestion:
    """A document on its way."""

    def __init__(self, ledger: Database, blobs: Blobs, name: str, data: bytes) -> None:
        self.ledger = ledger
        self.version_id = new_id()
        ref = source_ref(DEFAULT_TENANT, self.version_id)
        blobs.put(ref, data)
        source = submissions.NewSource(
            version_id=self.version_id,
            source=name,
            name=name,
            metadata={},
            first_stage=pipelines.CONVERT,
            blob=ref,
            sha256=hashlib.sha256(data).hexdigest(),
            size=len(data),
        )
        with ledger.writing() as connection:
            [accepted] = submissions.submit(connection, DEFAULT_TENANT, "default", [source])
        self.job_id, self.document_id = accepted.task_id, accepted.document_id

    def lose(self) -> None:
        """Let the time pass after which its worker is thought dead."""
        past = now() - timedelta(seconds=1)
        with self.ledger.writing() as connection:
            connection.execute(
                update(STEPS)
                .where(STEPS.c.job_id == self.job_id, STEPS.c.lease_until.is_not(None))
                .values(lease_until=past)
            )

    def publish(self) -> None:
        with self.ledger.writing() as connection:
            assert versions.publish(connection, self.document_id, self.version_id)
            assert job_ends.complete(connection, self.job_id, {}) is not None

    def status(self) -> TaskStatus:
        with self.ledger.reading() as connection:
            job = jobs.get(connection, self.job_id)
        assert job is not None
        return job.status


def a_text(ledger: Database, blobs: Blobs, text: str = "A notice.") -> Ingestion:
    return Ingestion(ledger, blobs, "notice.txt", text.encode())


def of_version(blobs: Blobs, version_id: str) -> set[str]:
    folder = Path(blobs.root) / version_prefix(DEFAULT_TENANT, version_id)
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_worker_that_was_frozen_over_the_completion_takes_nothing_away(
    ledger: Database, blobs: Blobs
) -> None:
    document = a_text(ledger, blobs)

    def another_worker_does_all() -> None:
        document.lose()
        tasks.convert.apply([document.job_id])
        tasks.split.apply([document.job_id])
        document.publish()

    blobs.meanwhile = another_worker_does_all
    tasks.convert.apply([document.job_id])

    assert blobs.thawed == 1
    assert document.status() is TaskStatus.COMPLETED
    assert of_version(blobs, document.version_id) == {
        "source",
        "pages/00000.jsonl",
        "pages/index.jsonl",
        "chunks/00000.jsonl",
    }


def go_on(document: Ingestion) -> None:
    document.lose()
    with document.ledger.writing() as connection:
        steps.begin(connection, Key(document.job_id, pipelines.CONVERT), "another")


def complete(document: Ingestion) -> None:
    document.publish()


def fail(document: Ingestion) -> None:
    assert endings.fail(document.ledger, document.job_id, QUARANTINED) is not None


def cancel(document: Ingestion) -> None:
    with document.ledger.writing() as connection:
        assert endings.cancel_in(connection, [document.job_id])


def request_cancellation(document: Ingestion) -> None:
    """As of a batch, whose members end a little later."""
    with document.ledger.writing() as connection:
        row = update(JOBS).where(JOBS.c.id == document.job_id)
        connection.execute(row.values(cancel_requested_at=now()))


def delete(document: Ingestion) -> None:
    with document.ledger.writing() as connection:
        documents.mark_deleted(connection, DEFAULT_TENANT, document.document_id)
        endings.cancel_in(connection, [document.job_id])


def purge(document: Ingestion) -> None:
    delete(document)
    with document.ledger.writing() as connection:
        documents.purge(connection, [document.document_id])


def replace(document: Ingestion) -> None:
    document.publish()
    blobs = tasks._blobs()
    assert isinstance(blobs, Blobs)
    Ingestion(document.ledger, blobs, "notice.txt", b"Another notice.").publish()


@pytest.mark.parametrize("happens", [go_on, complete, fail, request_cancellation])
def test_what_may_be_needed_stays(
    ledger: Database, blobs: Blobs, happens: Callable[[Ingestion], None]
) -> None:
    document = a_text(ledger, blobs)
    blobs.meanwhile = lambda: happens(document)
    tasks.convert.apply([document.job_id])
    assert blobs.thawed == 1
    assert of_version(blobs, document.version_id) == {"source", "pages/00000.jsonl"}


@pytest.mark.parametrize("happens", [cancel, delete, purge, replace])
def test_what_nobody_will_need_is_taken_back(
    ledger: Database, blobs: Blobs, happens: Callable[[Ingestion], None]
) -> None:
    document = a_text(ledger, blobs)

    def happens_and_is_cleaned_up() -> None:
        happens(document)
        blobs.delete(version_prefix(DEFAULT_TENANT, document.version_id))

    blobs.meanwhile = happens_and_is_cleaned_up
    tasks.convert.apply([document.job_id])
    assert blobs.thawed == 1
    assert of_version(blobs, document.version_id) == set()


def test_a_page_range_that_fails_leaves_the_others_what_a_retry_needs(
    ledger: Database, blobs: Blobs, tmp_path: Path
) -> None:
    document = Ingestion(ledger, blobs, "long.pdf", a_pdf(tmp_path, pages=4))
    with ledger.writing() as connection:
        steps.begin(connection, Key(document.job_id, pipelines.CONVERT), "planner")
        versions.describe(connection, document.version_id, pages=4)
        fan_outs.plan(connection, document.job_id, pipelines.CONVERT_RANGE, [(1, 2), (3, 4)])
        done = update(STEPS).where(STEPS.c.stage == pipelines.CONVERT)
        connection.execute(done.values(state="done", lease_until=None))
    blobs.meanwhile = lambda: fail(document)  # as the first range has killed two workers
    tasks.convert_range.apply([document.job_id, 1, 3, 4])
    assert blobs.thawed == 1
    assert document.status() is TaskStatus.FAILED

    assert retries.retry(ledger, DEFAULT_TENANT, document.job_id).taken == [document.job_id]
    tasks.convert_range.apply([document.job_id, 0, 1, 2])
    tasks.convert_range.apply([document.job_id, 1, 3, 4])
    tasks.split.apply([document.job_id])
    with ledger.reading() as connection:
        states = select(STEPS.c.state).where(
            STEPS.c.job_id == document.job_id, STEPS.c.stage != pipelines.INDEX
        )
        assert set(connection.scalars(states)) == {"done"}
    chunks = list(blobs.values(chunks_ref(DEFAULT_TENANT, document.version_id, 0), Chunk))
    text = " ".join(chunk.text for chunk in chunks)
    assert all(f"The {ordinal} item" in text for ordinal in ORDINALS[1:])
    document.publish()
    assert blobs.exists(pages_ref(DEFAULT_TENANT, document.version_id, 1))


def stored(blobs: Blobs, document: Ingestion, part: int) -> None:
    """A batch of chunks as somebody else has written it."""
    [chunk] = blobs.values(chunks_ref(DEFAULT_TENANT, document.version_id, 0), Chunk)
    blobs.put_values(chunks_ref(DEFAULT_TENANT, document.version_id, part), [chunk])


def test_chunks_of_an_attempt_with_other_settings_are_not_the_versions(
    ledger: Database, blobs: Blobs
) -> None:
    """It was killed before it could plan what it had written."""
    document = a_text(ledger, blobs)
    tasks.convert.apply([document.job_id])
    tasks.split.apply([document.job_id])
    for part in (1, 2, 3):
        stored(blobs, document, part)
    with ledger.writing() as connection:
        connection.execute(STEPS.delete().where(STEPS.c.stage == pipelines.SPLIT))

    tasks.split.apply([document.job_id])
    assert of_version(blobs, document.version_id) == {
        "source",
        "pages/00000.jsonl",
        "pages/index.jsonl",
        "chunks/00000.jsonl",
    }


def test_a_worker_that_was_frozen_leaves_the_chunks_of_the_next(
    ledger: Database, blobs: Blobs
) -> None:
    document = a_text(ledger, blobs)
    tasks.convert.apply([document.job_id])

    def another_worker_writes_more() -> None:
        document.lose()
        tasks.split.apply([document.job_id])
        stored(blobs, document, 1)

    blobs.meanwhile = another_worker_writes_more
    tasks.split.apply([document.job_id])
    assert blobs.thawed == 1
    assert blobs.exists(chunks_ref(DEFAULT_TENANT, document.version_id, 1))


def a_pdf(folder: Path, pages: int) -> bytes:
    path = folder / "long.pdf"
    canvas = Canvas(str(path))
    for page in range(1, pages + 1):
        canvas.drawString(72, 780, f"The {ORDINALS[page]} item is due within {page} days.")
        canvas.showPage()
    canvas.save()
    return path.read_bytes()


def test_a_slow_fetch_does_not_put_other_bytes_in_the_place_of_what_was_taken(
    ledger: Database, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address gave other bytes to a second worker, which has noted theirs."""
    document = a_text(ledger, blobs, "What was taken.")
    fetched: list[Path] = []
    with ledger.writing() as connection:
        job = update(JOBS).where(JOBS.c.id == document.job_id)
        connection.execute(job.values(payload={"url": "https://example.com/notice.txt"}))

    def fetch_slowly(_url: str, path: Path, **_: object) -> tasks.FetchedSource:
        path.write_text("What came late.")
        document.lose()
        with ledger.writing() as connection:
            steps.begin(connection, Key(document.job_id, pipelines.FETCH), "another")
        fetched.append(path)
        return tasks.FetchedSource(
            name="notice.txt",
            content_type=None,
            size=15,
            sha256="0" * 64,
            final_url="https://example.com/notice.txt",
            etag=None,
        )

    monkeypatch.setattr(tasks, "fetch_url", fetch_slowly)
    tasks.fetch.apply([document.job_id])
    assert fetched
    assert blobs.get(source_ref(DEFAULT_TENANT, document.version_id)) == b"What was taken."
