"""A file that was handed in, whose stages a test runs in its own process."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from flotilla import pipelines
from flotilla.blobs import pages_ref, source_ref
from flotilla.document import tasks
from flotilla.ledger import documents, job_views, jobs, submissions
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, new_id, now
from flotilla.ledger.tables import STEPS, VERSIONS
from flotilla.models import ConverterName, Page
from flotilla.schemas import Document, Task
from tests.doubles.frozen_blobs import Blobs


class IngestedFile:
    """A file of the default collection."""

    def __init__(
        self,
        ledger: Database,
        blobs: Blobs,
        name: str,
        content: bytes,
        converter: ConverterName = ConverterName.AUTO,
        password: str | None = None,
    ) -> None:
        self.ledger = ledger
        self.blobs = blobs
        self.version_id = new_id()
        ref = source_ref(DEFAULT_TENANT, self.version_id)
        blobs.put(ref, content)
        source = submissions.NewSource(
            version_id=self.version_id,
            source=name,
            name=name,
            metadata={},
            first_stage=pipelines.CONVERT,
            blob=ref,
            converter=converter,
            password=password,
        )
        with ledger.writing() as connection:
            [accepted] = submissions.submit(connection, DEFAULT_TENANT, "default", [source])
        self.document_id, self.job_id = accepted.document_id, accepted.task_id

    def convert(self) -> None:
        """Run the conversion's message."""
        tasks.convert.apply([self.job_id])

    def convert_later(self) -> None:
        """Run it again, after whatever pause it is to keep."""
        with self.ledger.writing() as connection:
            step = update(STEPS).where(STEPS.c.job_id == self.job_id)
            connection.execute(step.values(due_at=now() - timedelta(seconds=1)))
        self.convert()

    def convert_ranges(self) -> None:
        """Run the messages of its page ranges."""
        with self.ledger.reading() as connection:
            parts = connection.execute(
                select(STEPS.c.part, STEPS.c.args)
                .where(STEPS.c.job_id == self.job_id, STEPS.c.stage == pipelines.CONVERT_RANGE)
                .order_by(STEPS.c.part)
            ).all()
        for part, args in parts:
            tasks.convert_range.apply([self.job_id, part, *args])

    def pages(self, part: int = 0) -> list[Page]:
        """What was read, by page range."""
        return list(self.blobs.values(pages_ref(DEFAULT_TENANT, self.version_id, part), Page))

    @property
    def is_converted(self) -> bool:
        return self.step()[0] == "done"

    def step(self) -> tuple[str, int]:
        """The state of its conversion, and the attempts at it."""
        with self.ledger.reading() as connection:
            query = select(STEPS.c.state, STEPS.c.attempts).where(
                STEPS.c.job_id == self.job_id, STEPS.c.stage == pipelines.CONVERT
            )
            return tuple(connection.execute(query).one())  # type: ignore[return-value]

    @property
    def task(self) -> Task:
        with self.ledger.reading() as connection:
            task = job_views.find(connection, self.job_id)
        assert task is not None
        return task

    @property
    def payload(self) -> dict[str, Any]:
        with self.ledger.reading() as connection:
            job = jobs.get(connection, self.job_id)
        assert job is not None
        return job.payload

    @property
    def document(self) -> Document:
        with self.ledger.reading() as connection:
            return documents.view(connection, DEFAULT_TENANT, self.document_id)

    @property
    def converter(self) -> str | None:
        with self.ledger.reading() as connection:
            query = select(VERSIONS.c.converter).where(VERSIONS.c.id == self.version_id)
            return connection.scalar(query)

    def notes(self) -> list[tuple[str, str | None]]:
        """Codes and pages of what there is to say."""
        return [(note.code, note.pages) for note in self.task.notes]
