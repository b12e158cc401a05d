"""Tasks: what was submitted, and how far it is."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from flotilla.schemas.base import Response


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
    DELETE = "delete"
    QUERY = "query"
    SEARCH = "search"
    DEMO = "demo"


class Progress(Response):
    """How much of the work is done; it never goes back within one attempt."""

    done: int = Field(examples=[12])
    total: int | None = Field(None, description="Not known yet when null.", examples=[40])
    unit: str = Field(examples=["chunks"])


class TaskError(Response):
    """Why a task failed."""

    stage: str = Field(examples=["document.convert"])
    code: str = Field(examples=["file_encrypted"])
    message: str = Field(examples=["terms.pdf is encrypted: send its password with the file."])
    retryable: bool = Field(examples=[False])


class Task(Response):
    """One submitted unit of work as the ledger knows it."""

    task_id: str
    kind: str = Field(description="ingest, delete, query, search, demo.", examples=["ingest"])
    status: TaskStatus
    stage: str | None = Field(None, description="The stage it is at, or ended in.")
    progress: Progress | None = None
    attempt: int = Field(1, description="Which attempt at the stage this is, from 1.")
    queue: str = Field(description="The queue of its present stage.", examples=["document"])
    queue_position: int | None = Field(
        None, description="While pending: its place in the queue, from 1."
    )
    document_id: str | None = None
    collection: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: Any | None = Field(None, description="What the task gave, when it is completed.")
    error: TaskError | None = Field(None, description="Why it failed, when it failed.")


class TaskAccepted(Response):
    """The work is in the ledger; its state is at `/tasks/{task_id}`."""

    task_id: str
    status: TaskStatus = TaskStatus.PENDING
