"""The calls about batches, in the way of `operations`."""

from collections.abc import Sequence

from flotilla.client.operation import Operation, post, segment
from flotilla.client.operations import upload_request
from flotilla.client.sources import Source, UploadProgress
from flotilla.models import Metadata
from flotilla.schemas import (
    DEFAULT_COLLECTION,
    BatchRequest,
    DocumentsAccepted,
    Refusal,
    RefusalsRequest,
    Task,
)


def upload_batch(
    *sources: Source,
    collection: str = DEFAULT_COLLECTION,
    metadata: Metadata | None = None,
    password: str | None = None,
    converter: str | None = None,
    callback_url: str | None = None,
    batch: str | None = None,
    progress: UploadProgress | None = None,
) -> Operation[DocumentsAccepted]:
    """Upload files as `upload` does; the reply names the batch that they are members of.

    Several files make a batch of their own, which ends with the last of them, unless `batch` is the
    task of an open one.
    """
    return upload_request(
        sources,
        DocumentsAccepted.model_validate_json,
        collection=collection,
        metadata=metadata,
        password=password,
        converter=converter,
        callback_url=callback_url,
        batch=batch,
        progress=progress,
    )


def open_batch(
    *, name: str | None = None, total: int | None = None, callback_url: str | None = None
) -> Operation[Task]:
    """Open a batch that further requests fill: its task is their `batch`.

    `total` is how many documents will come, where that is known. Close it after the last one.
    """
    request = BatchRequest.model_construct(name=name, total=total, callback_url=callback_url)
    return post("/batches", request, Task)


def close_batch(batch_id: str) -> Operation[Task]:
    """Let a batch take no more documents; it ends with the last of those that it has."""
    path = f"/batches/{segment(batch_id)}/close"
    return Operation("POST", path, Task.model_validate_json, repeatable=True)


def add_refusals(batch_id: str, refusals: Sequence[Refusal]) -> Operation[Task]:
    """Add files that could not be submitted to a batch, as its failed members."""
    request = RefusalsRequest.model_construct(refusals=list(refusals))
    return post(f"/batches/{segment(batch_id)}/refusals", request, Task)
