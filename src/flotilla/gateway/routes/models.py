"""Embedding models: which one answers, migrate to another, go back, drop."""

import asyncio

import httpx
from fastapi import APIRouter
from sqlalchemy import Connection

from flotilla import dispatch
from flotilla.gateway import examples, problems
from flotilla.gateway.dependencies import CallbackDep, Services, ServicesDep
from flotilla.ledger import documents, job_views, jobs, model_migrations, spaces
from flotilla.ledger.spaces import Space, SpaceState
from flotilla.schemas import Task, TaskAccepted
from flotilla.schemas.models import MigrationRequest, ModelSpace, ModelSpaces, with_provider

router = APIRouter(prefix="/models", tags=["models"])


@router.get("", summary="List the embedding models in use")
async def list_models(services: ServicesDep) -> ModelSpaces:
    """The one that answers first. Others are being filled, or are kept for a way back."""

    def read(connection: Connection) -> tuple[list[Space], dict[str, Task], int]:
        tasks = {
            space_id: task
            for space_id, job_id in model_migrations.tasks_of(connection).items()
            if (task := job_views.find(connection, job_id)) is not None
        }
        return spaces.undropped(connection), tasks, documents.count_live(connection)

    found, tasks, live = await services.read(read)
    points = await asyncio.gather(*(_points(services, space) for space in found))
    return ModelSpaces(
        items=[
            _shown(space, tasks.get(space.id), live, count)
            for space, count in zip(found, points, strict=True)
        ]
    )


def _shown(space: Space, task: Task | None, live: int, points: int | None) -> ModelSpace:
    filled = space.state in (SpaceState.ACTIVE, SpaceState.STANDBY)
    written = task.progress.done if task is not None and task.progress is not None else 0
    return ModelSpace(
        space_id=space.id,
        model=space.name,
        state=space.state.value,
        collection=space.collection,
        dimensions=space.dimensions,
        points=points,
        documents=live if filled else written,
        task_id=task.task_id if task is not None else None,
        task_status=task.status if task is not None else None,
        created_at=space.created_at,
        switched_at=space.switched_at,
    )


async def _points(services: Services, space: Space) -> int | None:
    """How many points the collection has; by HTTP, since the gateway has no client of Qdrant's."""
    qdrant = services.settings.qdrant
    headers = {"api-key": qdrant.api_key.get_secret_value()} if qdrant.api_key else {}
    url = f"{qdrant.url.rstrip('/')}/collections/{space.collection}/points/count"
    try:
        response = await services.http.post(url, headers=headers, json={"exact": True})
        if response.status_code == 404:
            return 0
        return int(response.raise_for_status().json()["result"]["count"])
    except (httpx.HTTPError, KeyError, TypeError, ValueError):
        return None


@router.post(
    "/migrations",
    status_code=202,
    summary="Change the embedding model",
    responses=problems.responses(
        examples.MIGRATION_RUNNING,
        examples.BODY_TOO_LARGE,
        examples.BAD_MODEL,
        examples.PRIVATE_CALLBACK,
    ),
)
async def start_migration(
    body: MigrationRequest, services: ServicesDep, callback_url: CallbackDep
) -> TaskAccepted:
    """A second collection is filled in the background while the first answers; new documents go to
    both. When every document is in it, it answers; the first is kept up to date for a way back.

    To cancel the task drops what was filled.
    """
    model = with_provider(body.model)
    prefix = services.settings.qdrant.collection
    job_id = await services.write(model_migrations.migrate, model, prefix, callback_url)
    return await _send(services, job_id)


@router.post(
    "/rollback",
    status_code=202,
    summary="Go back to the embedding model before",
    responses=problems.responses(examples.MIGRATION_RUNNING, examples.PRIVATE_CALLBACK),
)
async def roll_back(services: ServicesDep, callback_url: CallbackDep) -> TaskAccepted:
    """Its collection is compared with the ledger, and then it answers again."""
    return await _send(services, await services.write(model_migrations.roll_back, callback_url))


@router.delete(
    "/{space_id}",
    status_code=202,
    summary="Drop an embedding model",
    responses=problems.responses(
        examples.NO_MODEL, examples.MIGRATION_RUNNING, examples.PRIVATE_CALLBACK
    ),
)
async def drop_model(
    space_id: str, services: ServicesDep, callback_url: CallbackDep
) -> TaskAccepted:
    """Nothing is written to it from now on, and its collection is deleted by a task. The model
    that answers cannot be dropped."""
    job_id = await services.write(model_migrations.drop, space_id, callback_url)
    return await _send(services, job_id)


async def _send(services: Services, job_id: str) -> TaskAccepted:
    """Send a job; should the broker not answer, the reaper sends it."""
    job = await services.read(jobs.get, job_id)
    if job is not None:
        await services.in_thread(dispatch.send, services.database, job)
    return TaskAccepted(task_id=job_id)
