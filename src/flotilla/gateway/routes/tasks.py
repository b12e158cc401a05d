"""Tasks: poll, list, and the fleets that carry them out."""

import asyncio
import json
import time
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query
from redis.exceptions import RedisError

from flotilla import dispatch
from flotilla.errors import DependencyUnavailable, TaskNotFound
from flotilla.gateway import examples, problems
from flotilla.gateway.dependencies import (
    PartDep,
    Services,
    ServicesDep,
    TenantDep,
    cursor_after,
    read_cursor,
)
from flotilla.heartbeats import WORKER_KEY
from flotilla.ledger import endings, failed_jobs, job_views, retries
from flotilla.priorities import lanes
from flotilla.schemas import (
    COLLECTION_NAME,
    FleetsInfo,
    Listing,
    Queue,
    Retried,
    RetryRefused,
    RetryRequest,
    Task,
    TaskAccepted,
    TaskKind,
    TaskStatus,
    Worker,
)
from flotilla.settings import FLEETS

router = APIRouter(prefix="/tasks", tags=["tasks"])

CANCEL_SECONDS = 3.0
"""For which a request cancels a batch's members; the reaper cancels the rest."""

RETRY_SECONDS = 3.0
"""For which a request makes failed tasks pending again. The rest of a batch's is the reaper's, and
that of others the next request's."""

SEND_SECONDS = 2.0
"""For which it sends those that do not wait for admission; the reaper sends the rest."""


@router.get(
    "/info",
    summary="Look at the queues, the tasks and the workers",
    responses=problems.responses(examples.OUT_OF_REACH),
)
async def get_fleets(services: ServicesDep) -> FleetsInfo:
    try:
        return await read_fleets(services)
    except (RedisError, OSError) as error:
        raise DependencyUnavailable("Redis does not answer: try again.", retry_after=1) from error


async def read_fleets(services: Services) -> FleetsInfo:
    """The fleets as Redis shows them. Raises RedisError."""
    async with services.redis.pipeline(transaction=False) as pipe:
        for fleet in FLEETS:
            for lane in lanes(fleet):
                pipe.llen(lane)
            pipe.zcard(f"unacked_index:{fleet}")
        counts: list[int] = await pipe.execute()
    keys = [key async for key in services.redis.scan_iter(match=f"{WORKER_KEY}*", count=1000)]
    shown: list[dict[str, Any]] = [
        json.loads(text) for text in (await services.redis.mget(keys) if keys else []) if text
    ]
    tasks: dict[str, set[str]] = {fleet: set() for fleet in FLEETS}
    for worker in shown:
        tasks[worker["fleet"]].update(worker["tasks"])
    return FleetsInfo(
        queues=[
            Queue(name=fleet, depth=again + new, unacknowledged=taken)
            for fleet, again, new, taken in zip(
                FLEETS, counts[::3], counts[1::3], counts[2::3], strict=True
            )
        ],
        tasks={fleet: sorted(names) for fleet, names in tasks.items()},
        workers=[
            Worker(
                name=worker["name"],
                fleet=worker["fleet"],
                pid=worker["pid"],
                concurrency=worker["concurrency"],
                seen_at=datetime.fromtimestamp(worker["seen_at"], UTC),
            )
            for worker in sorted(shown, key=lambda worker: (worker["fleet"], worker["name"]))
        ],
    )


@router.get(
    "", summary="List tasks, newest first", responses=problems.responses(examples.BAD_PARAMETER)
)
async def list_tasks(
    services: ServicesDep,
    tenant: TenantDep,
    part: PartDep,
    status: Annotated[TaskStatus | None, Query(description="In this state alone.")] = None,
    kind: Annotated[TaskKind | None, Query(description="Of this kind alone.")] = None,
    parent: Annotated[
        str | None, Query(max_length=64, description="Members of this batch alone.")
    ] = None,
    collection: Annotated[
        str | None, Query(pattern=COLLECTION_NAME, description="Of this collection alone.")
    ] = None,
    stage: Annotated[
        str | None,
        Query(max_length=64, description="At this stage alone, or that ended in it."),
    ] = None,
    code: Annotated[
        str | None,
        Query(max_length=64, description="That failed with this code alone."),
    ] = None,
) -> Listing[Task]:
    items = await services.read(
        job_views.listing,
        tenant,
        status=status,
        kind=kind.value if kind is not None else None,
        before=part.after,
        limit=part.wanted,
        parent_id=parent,
        collection=collection,
        stage=stage,
        code=code,
    )
    return part.listing(items, lambda item: item.task_id)


@router.get(
    "/{task_id}",
    summary="Poll a task",
    responses=problems.responses(examples.NO_TASK, examples.BAD_PARAMETER),
)
@router.get(
    "/status/{task_id}",
    summary="Poll a task, by its older address",
    responses=problems.responses(examples.NO_TASK, examples.BAD_PARAMETER),
)
async def get_task(
    task_id: str,
    services: ServicesDep,
    tenant: TenantDep,
    wait: Annotated[float, Query(ge=0, le=600, description="Seconds to wait for its end.")] = 0.0,
) -> Task:
    """The task's state; with `wait`, as soon as it has ended or the time is over."""
    look = partial(services.read, job_views.view, tenant, task_id)
    task = await look()
    if task is None:
        raise job_views.missing(task_id)
    if wait > 0 and not task.status.final:
        clock = asyncio.get_running_loop().time
        until = clock() + min(wait, services.settings.gateway.max_wait)
        async with services.replies.follow(task_id) as reply:
            task = await look()
            if task is not None and not task.status.final:
                ended = await reply.wait(until - clock(), look)
                task = ended.whole() if ended is not None else await look()
    if task is None:
        raise TaskNotFound("The task was deleted while it was waited for.")
    return task


@router.delete(
    "/{task_id}",
    summary="Cancel a task",
    responses=problems.responses(examples.NO_TASK, examples.TASK_OVER),
)
async def cancel_task(task_id: str, services: ServicesDep, tenant: TenantDep) -> Task:
    """What waits never starts; what runs stops at its next page range, batch or call of a model,
    and nothing of it stays. A batch is cancelled with its members: of a large one the reply may
    still say `processing`, while its members end."""
    ended = await services.write(endings.cancel_by_user, tenant, task_id)

    def see_through() -> None:
        for task in ended:
            endings.tell(services.database, task)
        if not ended:
            endings.cancel_members(services.database, task_id, CANCEL_SECONDS)

    await services.after_commit(see_through)
    await services.release()
    found = await services.read(job_views.view, tenant, task_id)
    assert found is not None  # noqa: S101 - cancelled a moment ago
    return found


@router.post(
    "/retry",
    status_code=202,
    summary="Send failed tasks again",
    responses=problems.responses(examples.BODY_TOO_LARGE, examples.BAD_FIELD),
)
async def retry_tasks(body: RetryRequest, services: ServicesDep, tenant: TenantDep) -> Retried:
    """The oldest first, as many as `limit` says and as a few seconds allow: where `next_cursor` is
    not null, more are left. `GET /tasks?status=failed` lists what failed. Failures that lie
    in the file itself, such as `file_corrupt` and `quarantined`, are meant only where `code` or
    `batch` names them, and changes of the embedding model and questions where `kind` does. What
    would be refused, as a file that was when it was submitted, is left out."""
    after = read_cursor(body.cursor)
    wanted = failed_jobs.Filter(
        kind=body.kind.value if body.kind is not None else None,
        stage=body.stage,
        code=body.code,
        collection=body.collection,
        parent_id=body.batch,
        created_after=body.created_after,
    )
    outcome = await services.in_thread(
        retries.retry_failed,
        services.database,
        tenant,
        wanted,
        body.limit,
        after=after or "",
        seconds=RETRY_SECONDS,
    )
    await _send(services, outcome)
    return Retried(
        task_ids=outcome.taken,
        refused=[
            RetryRefused(task_id=task_id, code=error.code, message=error.message)
            for task_id, error in outcome.refused.items()
        ],
        next_cursor=cursor_after(outcome.last) if outcome.last is not None else None,
    )


@router.post(
    "/{task_id}/retry",
    status_code=202,
    summary="Send a failed task again",
    responses=problems.responses(examples.NO_TASK, examples.TASK_OVER),
)
async def retry_task(task_id: str, services: ServicesDep, tenant: TenantDep) -> TaskAccepted:
    """It goes on at the stage where it failed; of a batch, all members that failed, those of a
    large one little by little."""
    outcome = await services.in_thread(
        retries.retry, services.database, tenant, task_id, RETRY_SECONDS
    )
    await _send(services, outcome)
    return TaskAccepted(task_id=task_id)


async def _send(services: Services, outcome: retries.Outcome) -> None:
    def send() -> None:
        deadline = time.monotonic() + SEND_SECONDS
        for job in outcome.to_send:
            if time.monotonic() >= deadline:
                break
            dispatch.send(services.database, job)

    await services.after_commit(send)
    await services.release()
