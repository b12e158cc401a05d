"""Calls of the API that are an operator's."""

from flotilla.client.operation import Operation, delete, get, post, segment
from flotilla.schemas import TaskAccepted
from flotilla.schemas.models import MigrationRequest, ModelSpaces
from flotilla.schemas.sweeps import SweepRequest


def sweep(*, dry_run: bool = False, callback_url: str | None = None) -> Operation[TaskAccepted]:
    """Remove points and blobs that belong to no document, and mend documents that lack points.

    The task's result is a `SweepReport`; with `dry_run` nothing is changed.
    """
    request = SweepRequest.model_construct(dry_run=dry_run)
    return post("/admin/sweep", request, TaskAccepted, params={"callback_url": callback_url})


def models() -> Operation[ModelSpaces]:
    """The embedding models in use, the one that answers first."""
    return get("/models", ModelSpaces)


def migrate_model(model: str, *, callback_url: str | None = None) -> Operation[TaskAccepted]:
    """Change the embedding model: a second collection is filled, then it answers.

    `model` is one of fastembed's, and has to be on the workers' machines.
    """
    request = MigrationRequest.model_construct(model=model)
    params = {"callback_url": callback_url}
    return post("/models/migrations", request, TaskAccepted, params=params)


def roll_back_model(*, callback_url: str | None = None) -> Operation[TaskAccepted]:
    """Go back to the embedding model that answered before."""
    params = {"callback_url": callback_url}
    return Operation("POST", "/models/rollback", TaskAccepted.model_validate_json, params)


def drop_model(space_id: str, *, callback_url: str | None = None) -> Operation[TaskAccepted]:
    """Stop writing to a model's collection, and delete it."""
    return delete(f"/models/{segment(space_id)}", TaskAccepted, callback_url=callback_url)
