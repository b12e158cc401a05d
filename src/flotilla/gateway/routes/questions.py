"""Questions: answered now, answered later, or searched for alone."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from flotilla import pipelines
from flotilla.errors import AnswerTimeout, Cancelled
from flotilla.filters import parse_filter
from flotilla.gateway import examples, problems
from flotilla.gateway.cache_control import CachePolicyDep
from flotilla.gateway.dependencies import Services, ServicesDep, TenantDep
from flotilla.gateway.problems import from_task
from flotilla.gateway.question_text import checked_question
from flotilla.gateway.replies import Ended
from flotilla.gateway.submissions import Batch, Prepare
from flotilla.ledger import job_views
from flotilla.ledger.database import new_id
from flotilla.ledger.jobs import NewJob
from flotilla.retrieval_steps import check
from flotilla.schemas import (
    DEFAULT_COLLECTION,
    AnswerResponse,
    QuestionRequest,
    SearchResponse,
    TaskAccepted,
    TaskFailure,
    TaskStatus,
)

router = APIRouter(prefix="/rag", tags=["questions"])

Timeout = Annotated[
    float | None,
    Query(gt=0, le=600, description="Seconds to wait, at most the gateway's own limit."),
]


REFUSALS = (
    examples.NO_COLLECTION,
    examples.BODY_TOO_LARGE,
    examples.EMPTY_QUESTION,
    examples.BAD_FIELD,
    examples.PRIVATE_CALLBACK,
    examples.OUT_OF_REACH,
    examples.BUSY,
)


@router.post(
    "/query",
    status_code=202,
    summary="Ask, and poll the answer",
    responses=problems.responses(*REFUSALS),
)
async def ask(
    body: QuestionRequest, services: ServicesDep, tenant: TenantDep, cache: CachePolicyDep
) -> TaskAccepted:
    """The answer is the `result` of the task."""
    job_id = new_id()
    prepare = await preparation(body, services, tenant, job_id, "query", pipelines.ANSWER, cache)
    await services.submissions.submit(prepare, pipelines.answer)
    return TaskAccepted(task_id=job_id)


@router.post(
    "/query/sync",
    response_model=AnswerResponse,
    summary="Ask, and wait for the answer",
    responses=problems.responses(*REFUSALS, examples.LATE),
)
async def ask_and_wait(
    body: QuestionRequest,
    services: ServicesDep,
    tenant: TenantDep,
    cache: CachePolicyDep,
    timeout: Timeout = None,
) -> Response:
    """The answer with its citations; 504 with the task id when it takes too long."""
    job_id = new_id()
    prepare = await preparation(body, services, tenant, job_id, "query", pipelines.ANSWER, cache)
    return await answered(services, tenant, job_id, prepare, pipelines.answer, timeout)


@router.post(
    "/search",
    response_model=SearchResponse,
    summary="Search, without an answer",
    responses=problems.responses(*REFUSALS, examples.LATE),
)
async def search(
    body: QuestionRequest,
    services: ServicesDep,
    tenant: TenantDep,
    cache: CachePolicyDep,
    timeout: Timeout = None,
) -> Response:
    """The passages that retrieval finds, best first."""
    job_id = new_id()
    prepare = await preparation(body, services, tenant, job_id, "search", pipelines.SEARCH, cache)
    return await answered(services, tenant, job_id, prepare, pipelines.search, timeout)


async def preparation(
    body: QuestionRequest,
    services: Services,
    tenant: str,
    job_id: str,
    kind: str,
    stage: str,
    cache: dict[str, Any],
    *,
    stream: bool = False,
) -> Prepare:
    """Check the question; returns what makes its job where the ledger is at hand.

    With `stream` its answer is told while it is being written, and wanted by its readers alone
    where no callback is asked for.
    """
    limit = services.settings.gateway.max_question_chars
    question = checked_question(body.question, limit, body.question_field)
    parse_filter(body.filter)
    retrieval = _checked_retrieval(body, services)
    callback_url = await services.callbacks.check_given(body.callback_url)
    names = body.collections or [body.collection or DEFAULT_COLLECTION]
    field = "collections" if body.collections else "collection"

    def prepare(batch: Batch) -> NewJob:
        return NewJob(
            id=job_id,
            tenant_id=tenant,
            kind=kind,
            queue="rag",
            stage=stage,
            sent=True,
            payload={
                "question": question,
                "collection_ids": batch.collection_ids(tenant, names, field),
                "top_k": body.top_k or services.settings.rag.top_k,
                "filter": body.filter,
            }
            | ({"retrieval": retrieval} if retrieval else {})
            | ({"mode": body.mode.value} if body.mode is not None else {})
            | ({"cache": cache} if cache else {})
            | ({"stream": True} if stream else {}),
            collection=names[0] if len(names) == 1 else None,
            callback_url=callback_url,
        )

    return prepare


def _checked_retrieval(body: QuestionRequest, services: Services) -> dict[str, Any]:
    """What a question asks of the search's steps, as its job's payload has it."""
    if body.retrieval is None:
        return {}
    check(body.retrieval, services.settings.retrieval)
    return body.retrieval.model_dump(mode="json", exclude_none=True)


async def answered(
    services: Services,
    tenant: str,
    job_id: str,
    prepare: Prepare,
    send: Callable[[str, str], None],
    timeout: float | None,
) -> Response:
    """Submit a job and await its result, which is sent on with the task's id in it."""
    result = await awaited(services, tenant, job_id, prepare, send, timeout)
    # Without parsing what may be long.
    body = f'{{"task_id":"{job_id}",{result.lstrip()[1:]}'
    return Response(body.encode(), media_type="application/json")


async def awaited(
    services: Services,
    tenant: str,
    job_id: str,
    prepare: Prepare,
    send: Callable[[str, str], None],
    timeout: float | None,
) -> str:
    """Submit a job and await its result, the JSON that its fleet wrote.

    Raises:
        AnswerTimeout: with the id of the task, which goes on, and for how long yet its last attempt
            was told to wait.
        Cancelled, or what the task failed with.
    """
    limit = services.settings.gateway.sync_timeout
    async with services.replies.expect(job_id) as reply:
        await services.submissions.submit(
            prepare, lambda sent_id: send(sent_id, services.replies.address)
        )
        ended = await reply.wait(
            min(timeout or limit, limit), partial(services.read, job_views.view, tenant, job_id)
        )
    if ended is None:
        task = await services.read(job_views.view, tenant, job_id)
        failures = (task.failures if task is not None else None) or []
        why = f" Its last attempt failed: {failures[0].message}" if failures else ""
        raise AnswerTimeout(
            f"The answer was not ready in time: its task goes on, poll it at /tasks/{job_id}.{why}",
            task_id=job_id,
            retry_after=_wait_left(failures[0]) if failures else None,
        )
    return _result(ended)


def _wait_left(failure: TaskFailure) -> float | None:
    """The seconds that are left of those to wait for, at least 1; None where there were none."""
    if failure.retry_after is None:
        return None
    gone = (datetime.now(UTC) - failure.failed_at).total_seconds()
    return max(1.0, round(failure.retry_after - gone, 2))


def _result(ended: Ended) -> str:
    task = ended.task
    if task.error is not None:
        raise from_task(task.error, task.task_id)
    if task.status is TaskStatus.CANCELLED:
        raise Cancelled("The task was cancelled before it had an answer.", task_id=task.task_id)
    return ended.result
