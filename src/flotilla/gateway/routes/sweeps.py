"""The sweep: find what does not fit together between ledger, points and blobs, and mend it."""

from fastapi import APIRouter
from sqlalchemy import Connection

from flotilla import dispatch
from flotilla.gateway import examples, problems
from flotilla.gateway.dependencies import CallbackDep, ServicesDep
from flotilla.ledger import jobs, sweep
from flotilla.schemas import TaskAccepted, TaskStatus
from flotilla.schemas.sweeps import SweepRequest

router = APIRouter(prefix="/admin", tags=["admin"])


@router.post(
    "/sweep",
    status_code=202,
    summary="Sweep up what nobody needs",
    responses=problems.responses(
        examples.BODY_TOO_LARGE, examples.BAD_FIELD, examples.PRIVATE_CALLBACK
    ),
)
async def start_sweep(
    body: SweepRequest, services: ServicesDep, callback_url: CallbackDep
) -> TaskAccepted:
    """Remove points and blobs without documents, and have documents that lack points indexed
    anew. It is done every night by itself.

    The task's result is the report. There is one sweep at a time: while one is under way, the
    reply names it.
    """

    def write(connection: Connection) -> tuple[jobs.Job | None, bool, str]:
        job_id, new = sweep.submit(connection, dry_run=body.dry_run, callback_url=callback_url)
        return jobs.get(connection, job_id), new, job_id

    job, new, job_id = await services.write(write)
    if job is not None and new:
        await services.in_thread(dispatch.send, services.database, job)
    return TaskAccepted(
        task_id=job_id, status=job.status if job is not None else TaskStatus.PENDING
    )
