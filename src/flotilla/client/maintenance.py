"""Calls of the API that are an operator's."""

from flotilla.client.operation import Operation, post
from flotilla.schemas import TaskAccepted
from flotilla.schemas.sweeps import SweepRequest


def sweep(*, dry_run: bool = False) -> Operation[TaskAccepted]:
    """Remove points and blobs that belong to no document, and mend documents that lack points.

    The task's result is a `SweepReport`; with `dry_run` nothing is changed.
    """
    return post("/admin/sweep", SweepRequest.model_construct(dry_run=dry_run), TaskAccepted)
