"""The fleets' smoke tests: one task, a chain, a group with a chord."""

from collections.abc import Callable

from fastapi import APIRouter

from flotilla import pipelines
from flotilla.gateway import examples, problems
from flotilla.gateway.dependencies import Services, ServicesDep, TenantDep
from flotilla.ledger.jobs import NewJob
from flotilla.schemas import (
    AddRequest,
    ChainRequest,
    DivideRequest,
    ParallelRequest,
    ProcessRequest,
    SmokeRequest,
    TaskAccepted,
)

router = APIRouter(
    prefix="/tasks",
    tags=["smoke tests"],
    responses=problems.responses(
        examples.BODY_TOO_LARGE,
        examples.BAD_FIELD,
        examples.PRIVATE_CALLBACK,
        examples.OUT_OF_REACH,
        examples.FULL_OF_TESTS,
    ),
)


async def _start(
    services: Services, tenant: str, stage: str, body: SmokeRequest, send: Callable[[str], None]
) -> TaskAccepted:
    body.callback_url = await services.callbacks.check_given(body.callback_url)
    job = NewJob(
        tenant_id=tenant,
        kind="demo",
        queue="default",
        stage=stage,
        sent=True,
        payload=body.model_dump(),
    )
    await services.submissions.submit(lambda _batch: job, send)
    return TaskAccepted(task_id=job.id)


@router.post(
    "/process",
    status_code=202,
    summary="One task",
)
async def process(body: ProcessRequest, services: ServicesDep, tenant: TenantDep) -> TaskAccepted:
    return await _start(
        services, tenant, pipelines.PROCESS, body, lambda id_: pipelines.process(id_, body.data)
    )


@router.post(
    "/calculate/add",
    status_code=202,
    summary="One task with two arguments",
)
async def add(body: AddRequest, services: ServicesDep, tenant: TenantDep) -> TaskAccepted:
    return await _start(
        services, tenant, pipelines.ADD, body, lambda id_: pipelines.add(id_, body.x, body.y)
    )


@router.post(
    "/calculate/divide",
    status_code=202,
    summary="One task that can fail",
)
async def divide(body: DivideRequest, services: ServicesDep, tenant: TenantDep) -> TaskAccepted:
    return await _start(
        services,
        tenant,
        pipelines.DIVIDE,
        body,
        lambda id_: pipelines.divide(id_, body.dividend, body.divisor),
    )


@router.post(
    "/workflow/chain",
    status_code=202,
    summary="A chain: add, then divide",
)
async def chain(body: ChainRequest, services: ServicesDep, tenant: TenantDep) -> TaskAccepted:
    return await _start(
        services,
        tenant,
        pipelines.ADD,
        body,
        lambda id_: pipelines.add_then_divide(id_, body.x, body.y, body.divisor),
    )


@router.post(
    "/workflow/parallel",
    status_code=202,
    summary="A group, and a chord that sums it",
)
async def parallel(body: ParallelRequest, services: ServicesDep, tenant: TenantDep) -> TaskAccepted:
    return await _start(
        services,
        tenant,
        pipelines.TOTAL,
        body,
        lambda id_: pipelines.add_and_divide(id_, body.x, body.y, body.z),
    )
