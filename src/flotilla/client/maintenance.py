"""Calls of the API that are an operator's."""

from flotilla.client.operation import Operation, delete, get, post, segment
from flotilla.schemas import TaskAccepted
from flotilla.schemas.models import MigrationRequest, ModelSpaces
from flotilla.schemas.sweeps import SweepRequest


def sweep(*, dry_run: bool = False) -> Operation[TaskAccepted]:
    """Remove points and blobs that belong to no document, and mend documents that lack points.

    The task's result is a `SweepReport`; with `dry_run` nothing is changed.
    """
    return post("/admin/sweep", SweepRequest.model_construct(dry_run=dry_run), TaskAccepted)


def models() -> Operation[ModelSpaces]:
    """The embedding models in use, the one that answers first."""
    return get("/models", ModelSpaces)


def migrate_model(model: str) -> Operation[TaskAccepted]:
    """Change the embedding model: a second collection is filled, then it answers.

    `model` is one of fastembed's, and has to be on the workers' machines.
    """
    request = MigrationRequest.model_construct(model=model)
    return post("/models/migrations", request, TaskAccepted)


def roll_back_model() -> Operation[TaskAccepted]:
    """Go back to the embedding model that answered before."""
    return Operation("POST", "/models/rollback", TaskAccepted.model_validate_json)


def drop_model(space_id: str) -> Operation[TaskAccepted]:
    """Stop writing to a model's collection, and delete it."""
    return delete(f"/models/{segment(space_id)}", TaskAccepted)
