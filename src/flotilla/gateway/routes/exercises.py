"""Questions made from documents, for practice and for quizzes."""

from fastapi import APIRouter, Response

from flotilla import pipelines
from flotilla.errors import QuestionEmpty
from flotilla.gateway import examples, problems
from flotilla.gateway.dependencies import ServicesDep, TenantDep
from flotilla.gateway.question_text import checked_question
from flotilla.gateway.routes.questions import Timeout, awaited
from flotilla.gateway.submissions import Batch
from flotilla.ledger.database import new_id
from flotilla.ledger.jobs import NewJob
from flotilla.schemas import (
    DEFAULT_COLLECTION,
    USUAL_QUESTIONS,
    ExerciseMode,
    GenerateQuestionsRequest,
    GenerateQuestionsResponse,
)

router = APIRouter(prefix="/api/chat", tags=["questions"])


@router.post(
    "/generate-questions",
    response_model=GenerateQuestionsResponse,
    summary="Make questions from documents",
    responses=problems.responses(
        examples.NO_COLLECTION,
        examples.BODY_TOO_LARGE,
        examples.BAD_MODE,
        examples.OUT_OF_REACH,
        examples.BUSY,
        examples.LATE,
    ),
)
async def generate_questions(
    body: GenerateQuestionsRequest,
    services: ServicesDep,
    tenant: TenantDep,
    timeout: Timeout = None,
) -> Response:
    """Questions on a topic, or on a spread of all that the collections hold, as a text.

    Without a language model they are sentences with a gap, and the text says so. There are fewer
    than asked for where the documents do not hold more. 504 with the task id when it takes too
    long; the task's result is the same body.
    """
    topic = _topic(body.topic, services.settings.gateway.max_question_chars)
    names = body.collections or [body.collection or DEFAULT_COLLECTION]
    field = "collections" if body.collections else "collection"
    job_id = new_id()

    def prepare(batch: Batch) -> NewJob:
        return NewJob(
            id=job_id,
            tenant_id=tenant,
            kind="questions",
            queue="rag",
            stage=pipelines.QUESTIONS,
            sent=True,
            payload={
                "topic": topic,
                "count": body.count or USUAL_QUESTIONS,
                "mode": (body.mode or ExerciseMode.PRACTICE).value,
                "collection_ids": batch.collection_ids(tenant, names, field),
            },
            collection=names[0] if len(names) == 1 else None,
        )

    result = await awaited(services, tenant, job_id, prepare, pipelines.questions, timeout)
    return Response(result, media_type="application/json")


def _topic(text: str | None, limit: int) -> str | None:
    """The topic; one that says nothing is none.

    Raises:
        QuestionTooLong: it is longer than the limit.
    """
    try:
        return checked_question(text or "", limit, "topic")
    except QuestionEmpty:
        return None
