"""Tasks: what was submitted, and how far it is."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import Field, field_validator

from flotilla.schemas.base import COLLECTION_NAME, Integer, Request, Response


class TaskStatus(StrEnum):
    """Where a task stands. The last four are final."""

    PENDING = "pending"  # in the ledger, and waiting for a worker
    PROCESSING = "processing"  # a worker holds its lease, or its next stage waits
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PARTIAL = "partial"  # a batch of which some members failed

    @property
    def final(self) -> bool:
        """Whether the task will not change any more."""
        return self not in (TaskStatus.PENDING, TaskStatus.PROCESSING)


class TaskKind(StrEnum):
    """What a task does."""

    INGEST = "ingest"
    REINDEX = "reindex"
    DELETE = "delete"
    BATCH = "batch"
    MIGRATION = "migration"
    DROP = "drop"
    FORGET = "forget"
    SWEEP = "sweep"
    QUERY = "query"
    SEARCH = "search"
    QUESTIONS = "questions"
    WARM = "warm"
    DEMO = "demo"


class Progress(Response):
    """How much of the work is done; it never goes back within one attempt."""

    done: int = Field(examples=[12])
    total: int | None = Field(None, description="Not known yet when null.", examples=[40])
    unit: str = Field(examples=["chunks"])
    eta_seconds: float | None = Field(
        None,
        description="Seconds until all of this unit is done, at its rate so far; null while "
        "too little of it is done to tell.",
        examples=[4.2],
    )


class TaskError(Response):
    """Why a task failed."""

    stage: str = Field(examples=["document.convert"])
    code: str = Field(examples=["file_encrypted"])
    message: str = Field(examples=["terms.pdf is encrypted: send its password with the file."])
    retryable: bool = Field(examples=[False])
    retry_after: float | None = Field(
        None, description="Seconds from the failure after which another try makes sense."
    )


class TaskFailure(TaskError):
    """One attempt that failed, whatever became of the task."""

    part: int = Field(description="Which page range or batch of the stage, from 0.")
    attempt: int
    worker: str
    failed_at: datetime


class TaskNote(Response):
    """What to know of how a document was converted, although it is no failure."""

    code: str = Field(examples=["scanned_pages"])
    message: str = Field(
        examples=["Some pages hold no text and look scanned: install the extra `ocr`."]
    )
    pages: str | None = Field(
        None,
        description="The pages that it is about, as `3,7-9`; null where it is about none or all.",
        examples=["3,7-9"],
    )


class Task(Response):
    """One submitted unit of work as the ledger knows it."""

    task_id: str
    name: str | None = Field(
        None, description="Of the document or the batch, where there is one.", examples=["faq.docx"]
    )
    kind: str = Field(
        description="ingest, reindex, delete, forget, batch, migration, drop, sweep, query, "
        "search, questions, warm, demo.",
        examples=["ingest"],
    )
    status: TaskStatus
    stage: str | None = Field(None, description="The stage it is at, or ended in.")
    progress: Progress | None = None
    attempt: int = Field(1, description="Which attempt at the stage this is, from 1.")
    queue: str = Field(description="The queue of its present stage.", examples=["document"])
    queue_position: int | None = Field(
        None, description="While pending: its place in the queue, from 1."
    )
    parent_id: str | None = Field(None, description="The batch that it belongs to.")
    document_id: str | None = None
    collection: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: Any | None = Field(None, description="What the task gave, when it is completed.")
    error: TaskError | None = Field(None, description="Why it failed, when it failed.")
    notes: list[TaskNote] = Field(
        default_factory=list,
        description="What to know of how the document was converted: pages that could not be "
        "read, a converter that stood in for another.",
    )
    failures: list[TaskFailure] | None = Field(
        None,
        description="Attempts that failed, the newest first, also of a task that is completed; "
        "shown with a single task.",
    )


class TaskAccepted(Response):
    """The work is in the ledger; its state is at `/tasks/{task_id}`."""

    task_id: str
    status: TaskStatus = TaskStatus.PENDING


class RetryRequest(Request):
    """Which failed tasks to send again; what is not given does not matter."""

    kind: TaskKind | None = Field(
        None, description="Ingestions, re-indexings and deletions when left out."
    )
    stage: str | None = Field(None, max_length=64, examples=["vectorstore.index"])
    code: str | None = Field(None, max_length=64, examples=["dependency_unavailable"])
    collection: str | None = Field(None, pattern=COLLECTION_NAME)
    batch: str | None = Field(None, max_length=64, description="Members of this batch.")
    created_after: datetime | None = Field(None, description="UTC where no zone is given.")
    limit: Integer = Field(1000, ge=1, le=10_000, description="Most tasks to send again.")
    cursor: str | None = Field(
        None,
        max_length=1000,
        description="`next_cursor` of the reply before, to go on with what that has left.",
    )

    @field_validator("created_after")
    @classmethod
    def _in_utc(cls, value: datetime | None) -> datetime | None:
        if value is None or value.tzinfo is None:
            return value and value.replace(tzinfo=UTC)
        try:
            return value.astimezone(UTC)
        except OverflowError:
            raise ValueError("in UTC it is not between the years 1 and 9999") from None


class RetryRefused(Response):
    """A task that was not sent again."""

    task_id: str
    code: str
    message: str


class Retried(Response):
    """The tasks that were sent again."""

    task_ids: list[str]
    refused: list[RetryRefused]
    next_cursor: str | None = Field(
        None, description="Send it with the same filter while more are left; null at the end."
    )
