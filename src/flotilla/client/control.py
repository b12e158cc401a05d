"""The calls that end work or begin it again, in the way of `operations`."""

from datetime import datetime
from typing import Any

from flotilla.client.operation import Operation, delete, post, segment
from flotilla.schemas import Retried, RetryRequest, Task, TaskAccepted


def cancel(task_id: str) -> Operation[Task]:
    """Cancel a task; a batch with all its members."""
    return delete(f"/tasks/{segment(task_id)}", Task)


def retry(task_id: str) -> Operation[TaskAccepted]:
    """Send a failed task again, from the stage where it failed; of a batch, all that failed."""
    path = f"/tasks/{segment(task_id)}/retry"
    return Operation("POST", path, TaskAccepted.model_validate_json)


def retry_failed(
    *,
    kind: str | None = None,
    stage: str | None = None,
    code: str | None = None,
    collection: str | None = None,
    batch: str | None = None,
    created_after: datetime | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Operation[Retried]:
    """Send the failed tasks again that all of this holds of, the oldest first.

    Without a `kind` these are ingestions, re-indexings and deletions. While the reply has a
    `next_cursor`, more are left: call it again with that as `cursor`.
    """
    given: dict[str, Any] = {"kind": kind, "stage": stage, "code": code, "collection": collection}
    given |= {"batch": batch, "created_after": created_after, "limit": limit, "cursor": cursor}
    return post("/tasks/retry", RetryRequest.model_construct(**given), Retried)


def reindex_document(
    document_id: str, *, callback_url: str | None = None
) -> Operation[TaskAccepted]:
    """Embed a document's stored chunks anew; it goes on answering meanwhile."""
    return _reindex(f"/documents/{segment(document_id)}", callback_url)


def reindex_collection(name: str, *, callback_url: str | None = None) -> Operation[TaskAccepted]:
    """Embed all stored chunks of a collection anew; the task is a batch of its documents'."""
    return _reindex(f"/collections/{segment(name)}", callback_url)


def _reindex(address: str, callback_url: str | None) -> Operation[TaskAccepted]:
    # While one is on its way, the reply names that one: it may be asked for again.
    return Operation(
        "POST",
        f"{address}/reindex",
        TaskAccepted.model_validate_json,
        {"callback_url": callback_url},
        repeatable=True,
    )
