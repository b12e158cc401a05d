"""Events: what `GET /tasks/{task_id}/events` tells of a task while it runs."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from flotilla.schemas.base import Response
from flotilla.schemas.tasks import Progress, TaskError, TaskStatus


class TaskEventName(StrEnum):
    """What an event tells; the `event` field of the stream."""

    STATE = "state"  # another status, stage or attempt
    PROGRESS = "progress"  # more of the same stage is done
    END = "end"  # the status is final, and nothing follows


class TaskEvent(Response):
    """One event of a task: where it stands now.

    `done` never goes back within one unit. `error` and `result` come with the end.
    """

    event: TaskEventName
    id: str | None = Field(
        None,
        description="Send the last one as `Last-Event-ID` to go on after a broken connection. "
        "It begins with an id of the Redis stream; take it as it is.",
        examples=["1795166131842-0/vectorstore.index/chunks/12"],
    )
    task_id: str
    kind: str = Field(examples=["ingest"])
    status: TaskStatus
    stage: str | None = Field(None, description="The stage it is at, or ended in.")
    attempt: int = Field(1, description="Which attempt at the stage this is, from 1.")
    progress: Progress | None = None
    result: Any | None = Field(None, description="What the task gave, with its end.")
    error: TaskError | None = Field(None, description="Why it failed, with its end.")
