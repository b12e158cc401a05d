"""Addresses that give the bytes which another task is ingesting: they wait for that task."""

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from flotilla import pipelines
from flotilla.blobs import BlobStore
from flotilla.document import tasks
from flotilla.ledger import endings, job_ends, jobs, locks, runs, submissions, versions
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, new_id, now
from flotilla.ledger.tables import STEPS
from flotilla.schemas import TaskError, TaskStatus

ADDRESS = "https://example.com/notice.txt"
MIRROR = "https://example.org/the-same.txt"
NOTICE = b"The office is closed on Monday."
CORRUPT = TaskError(
    stage=pipelines.CONVERT, code="file_corrupt", message="It is damaged.", retryable=False
)


class Site:
    """What an address gives, and how often it was asked."""

    def __init__(self) -> None:
        self.given = NOTICE
        self.asked = 0

    def fetch(self, _url: str, path: Path, **_: object) -> tasks.FetchedSource:
        self.asked += 1
        path.write_bytes(self.given)
        return tasks.FetchedSource(
            name="notice.txt",
            content_type=None,
            size=len(self.given),
            sha256=hashlib.sha256(self.given).hexdigest(),
            final_url=ADDRESS,
            etag=None,
        )


@pytest.fixture
def site(blobs: BlobStore, monkeypatch: pytest.MonkeyPatch) -> Site:
    site = Site()
    monkeypatch.setattr(tasks, "fetch_url", site.fetch)
    # A task that is run in place is also tried again in place, and at once.
    monkeypatch.setattr(runs, "SHORTEST_PAUSE", 60.0)
    return site


class Submission:
    """An address that was handed in, and has been fetched."""

    def __init__(self, ledger: Database, url: str = ADDRESS) -> None:
        self.ledger = ledger
        self.version_id = new_id()
        source = submissions.NewSource(
            version_id=self.version_id,
            source=url,
            name=url,
            metadata={},
            first_stage=pipelines.FETCH,
            source_url=url,
        )
        with ledger.writing() as connection:
            [accepted] = submissions.submit(connection, DEFAULT_TENANT, "default", [source])
        self.document_id, self.job_id = accepted.document_id, accepted.task_id
        self.fetch()

    def fetch(self) -> None:
        tasks.fetch.apply([self.job_id])

    def fetch_later(self) -> None:
        """Begin again after the pause of a job that waits."""
        with self.ledger.writing() as connection:
            step = update(STEPS).where(STEPS.c.job_id == self.job_id)
            connection.execute(step.values(due_at=now() - timedelta(seconds=1)))
        self.fetch()

    def publish(self) -> None:
        with self.ledger.writing() as connection:
            collection = versions.get(connection, self.version_id).collection_id
            locks.lock_collections(connection, [collection])
            assert versions.publish(connection, self.document_id, self.version_id)
            assert job_ends.complete(connection, self.job_id, {}) is not None

    @property
    def job(self) -> jobs.Job:
        with self.ledger.reading() as connection:
            job = jobs.get(connection, self.job_id)
        assert job is not None
        return job

    @property
    def is_taken(self) -> bool:
        """Whether its bytes were noted, so that it goes on to be ingested."""
        with self.ledger.reading() as connection:
            return versions.get(connection, self.version_id).sha256 is not None

    def step(self) -> tuple[str, int]:
        """The state of its fetching, and the attempts at it."""
        with self.ledger.reading() as connection:
            query = select(STEPS.c.state, STEPS.c.attempts).where(STEPS.c.job_id == self.job_id)
            return tuple(connection.execute(query).one())  # type: ignore[return-value]


@pytest.mark.parametrize("address", [ADDRESS, MIRROR])
def test_a_task_does_not_complete_before_its_bytes_can_be_searched(
    ledger: Database, site: Site, address: str
) -> None:
    first = Submission(ledger)
    second = Submission(ledger, address)

    assert second.job.status is TaskStatus.PROCESSING
    assert second.step() == ("waiting", 0)
    second.fetch_later()
    assert second.job.status is TaskStatus.PROCESSING
    assert site.asked == 2  # not again, as long as it waits

    first.publish()
    second.fetch_later()
    assert second.job.status is TaskStatus.COMPLETED


@pytest.mark.parametrize("address", [ADDRESS, MIRROR])
def test_a_task_ingests_the_bytes_itself_when_the_other_fails(
    ledger: Database, site: Site, address: str
) -> None:
    first = Submission(ledger)
    second = Submission(ledger, address)
    endings.fail(ledger, first.job_id, CORRUPT)

    second.fetch_later()

    assert second.job.status is TaskStatus.PROCESSING
    assert second.is_taken
    assert second.step() == ("done", 1)


def test_of_three_one_ingests_and_two_wait(ledger: Database, site: Site) -> None:
    first, *others = (Submission(ledger, url) for url in (ADDRESS, ADDRESS, MIRROR))
    assert [each.is_taken for each in (first, *others)] == [True, False, False]
    endings.cancel(ledger, first.job_id)

    for each in others:
        each.fetch_later()
    assert [each.is_taken for each in others] == [True, False]
    others[0].publish()
    others[1].fetch_later()

    assert [each.job.status for each in others] == [TaskStatus.COMPLETED] * 2


def test_bytes_that_are_sent_while_a_task_waits_make_no_second_document(
    ledger: Database, site: Site
) -> None:
    first = Submission(ledger)
    waiting = Submission(ledger)
    assert waiting.document_id == first.document_id
    source = submissions.NewSource(
        version_id=new_id(),
        source="notice.txt",
        name="notice.txt",
        metadata={},
        first_stage=pipelines.CONVERT,
        sha256=hashlib.sha256(NOTICE).hexdigest(),
    )
    with ledger.writing() as connection:
        [accepted] = submissions.submit(connection, DEFAULT_TENANT, "default", [source])
    assert accepted.duplicate_of == first.document_id
    assert accepted.task_id == first.job_id


def test_a_task_that_waits_can_be_cancelled(ledger: Database, site: Site) -> None:
    first = Submission(ledger)
    waiting = Submission(ledger)
    endings.cancel(ledger, waiting.job_id)
    waiting.fetch_later()
    assert waiting.job.status is TaskStatus.CANCELLED
    first.publish()
    assert first.job.status is TaskStatus.COMPLETED
