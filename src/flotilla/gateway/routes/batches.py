"""Batches: many submissions as one task, which ends when all of them have."""

from fastapi import APIRouter
from sqlalchemy import Connection

from flotilla.gateway import examples, problems
from flotilla.gateway.dependencies import Services, ServicesDep, TenantDep
from flotilla.ledger import batches, job_views
from flotilla.ledger.endings import tell_batch
from flotilla.schemas import BatchRequest, RefusalsRequest, Task

router = APIRouter(prefix="/batches", tags=["batches"])


@router.post(
    "",
    status_code=201,
    summary="Open a batch",
    responses=problems.responses(
        examples.BODY_TOO_LARGE, examples.BAD_FIELD, examples.PRIVATE_CALLBACK
    ),
)
async def open_batch(body: BatchRequest, services: ServicesDep, tenant: TenantDep) -> Task:
    """Documents are added with the field `batch` of `POST /documents` and `POST /rag/pipeline`.

    Close it after the last one. One that nobody adds to for ten minutes, and before its first
    document for an hour, is closed by itself.
    """
    callback_url = await services.callbacks.check_given(body.callback_url)

    def write(connection: Connection) -> Task:
        batch_id = batches.open_batch(
            connection, tenant, name=body.name, total=body.total, callback_url=callback_url
        )
        task = job_views.view(connection, tenant, batch_id)
        assert task is not None  # noqa: S101 - just written
        return task

    return await services.write(write)


@router.post(
    "/{batch_id}/close",
    summary="Close a batch",
    responses=problems.responses(examples.NO_BATCH),
)
async def close_batch(batch_id: str, services: ServicesDep, tenant: TenantDep) -> Task:
    """It takes no more documents, and ends with the last of those that it has."""
    task = await services.write(batches.close, tenant, batch_id)
    return await _told(services, task)


@router.post(
    "/{batch_id}/refusals",
    status_code=201,
    summary="Add files that could not be submitted",
    responses=problems.responses(
        examples.NO_BATCH, examples.BATCH_CLOSED, examples.BODY_TOO_LARGE, examples.BAD_FIELD
    ),
)
async def add_refusals(
    batch_id: str, body: RefusalsRequest, services: ServicesDep, tenant: TenantDep
) -> Task:
    """Each is a failed member of the batch under its name, so that the batch's end tells of it."""
    task = await services.write(batches.refuse, tenant, batch_id, body.refusals)
    return await _told(services, task)


async def _told(services: Services, task: Task) -> Task:
    await services.after_commit(tell_batch, services.database, task.task_id)
    return task
