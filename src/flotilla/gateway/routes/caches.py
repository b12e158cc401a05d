"""The caches: how they do, clearing them, filling them."""

from fastapi import APIRouter
from sqlalchemy import Connection

from flotilla import dispatch
from flotilla.cache_store import CacheStore
from flotilla.errors import CachesOff, DependencyUnavailable, QuestionTooLong
from flotilla.filters import parse_filter
from flotilla.gateway import examples, problems
from flotilla.gateway.dependencies import Services, ServicesDep, TenantDep
from flotilla.gateway.question_text import checked_question
from flotilla.ledger import jobs, warmings
from flotilla.schemas import TaskAccepted
from flotilla.schemas.caches import CacheCounts, CachesCleared, CachesState, WarmRequest

router = APIRouter(tags=["caches"])

MOST_CHARACTERS = 500_000
"""Of all questions of a warming together, which stand in its job."""


@router.get("/caches", summary="See how the caches do")
async def get_caches(services: ServicesDep, tenant: TenantDep) -> CachesState:
    """Hits and misses of the tenant since its caches were cleared, and the room that all take.

    Counts are written a moment after the answer, so that no question waits for them.
    """
    store = services.caches
    if store is None:
        return CachesState(available=False, caches=_counts(services, {}))
    try:
        counts = await services.in_thread(store.counts, tenant)
        size = await services.in_thread(store.size)
    except DependencyUnavailable:
        return CachesState(available=False, caches=_counts(services, {}))
    return CachesState(
        available=True,
        caches=_counts(services, counts),
        used_bytes=size.used,
        max_bytes=size.limit,
        entries=size.keys,
        evictions=size.evictions,
    )


def _counts(services: Services, counts: dict[str, int]) -> dict[str, CacheCounts]:
    settings = services.settings.cache
    seconds = {
        "answer": settings.answer_ttl,
        "semantic": min(settings.semantic_ttl, settings.answer_ttl),
        "retrieval": settings.retrieval_ttl,
        "embedding": settings.embedding_ttl,
    }
    found = {}
    for cache, ttl in seconds.items():
        hits, misses = counts.get(f"{cache}:hit", 0), counts.get(f"{cache}:miss", 0)
        rate = round(hits / (hits + misses), 4) if hits + misses else None
        found[cache] = CacheCounts(ttl=ttl, hits=hits, misses=misses, hit_rate=rate)
    return found


@router.delete(
    "/caches",
    summary="Clear the caches",
    responses=problems.responses(examples.CACHES_OFF, examples.CACHES_AWAY),
)
async def clear_caches(services: ServicesDep, tenant: TenantDep) -> CachesCleared:
    """Remove the tenant's answers, passages, questions and counts.

    Questions' vectors stay: they are no tenant's own, and cannot be out of date.
    """
    return CachesCleared(removed=await services.in_thread(_store(services).clear, tenant))


@router.post(
    "/collections/{name}/warm",
    status_code=202,
    summary="Fill the caches with questions",
    responses=problems.responses(
        examples.NO_COLLECTION_HERE,
        examples.CACHES_OFF,
        examples.BODY_TOO_LARGE,
        examples.EMPTY_QUESTION,
        examples.BAD_FIELD,
        examples.PRIVATE_CALLBACK,
    ),
)
async def warm_collection(
    name: str, body: WarmRequest, services: ServicesDep, tenant: TenantDep
) -> TaskAccepted:
    """Have the questions answered in the background, so that they are cached when they are asked.

    Nobody who asks meanwhile waits for it. The result counts what was answered, refused, failed,
    and cached already.
    """
    _store(services)
    limit = services.settings.gateway.max_question_chars
    questions = list(
        dict.fromkeys(
            checked_question(text, limit, f"questions.{at}")
            for at, text in enumerate(body.questions)
        )
    )
    if sum(map(len, questions)) > MOST_CHARACTERS:
        raise QuestionTooLong(
            f"The questions have more than {MOST_CHARACTERS:,} characters together: send them in "
            "several requests.",
            field="questions",
        )
    parse_filter(body.filter)
    callback_url = await services.callbacks.check_given(body.callback_url)

    def write(connection: Connection) -> jobs.Job | None:
        job_id = warmings.submit(
            connection,
            tenant,
            name,
            questions,
            top_k=body.top_k or services.settings.rag.top_k,
            filter=body.filter,
            callback_url=callback_url,
        )
        return jobs.get(connection, job_id)

    job = await services.write(write)
    assert job is not None  # noqa: S101 - written a moment ago
    await services.in_thread(dispatch.send, services.database, job)
    return TaskAccepted(task_id=job.id)


def _store(services: Services) -> CacheStore:
    if services.caches is None:
        raise CachesOff("There are no caches here: set FLOTILLA_CACHE_URL to a Redis for them.")
    return services.caches
