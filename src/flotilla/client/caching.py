"""The calls about the caches, in the way of `operations`."""

from collections.abc import Sequence

from flotilla.client.operation import Operation, delete, get, post, segment
from flotilla.models import Metadata
from flotilla.schemas import TaskAccepted
from flotilla.schemas.caches import CachesCleared, CachesState, WarmRequest


def caches() -> Operation[CachesState]:
    """Hits and misses of each cache, and the room that all take."""
    return get("/caches", CachesState)


def clear_caches() -> Operation[CachesCleared]:
    """Remove the answers, passages and counts of the tenant."""
    return delete("/caches", CachesCleared)


def warm(
    collection: str,
    questions: Sequence[str],
    *,
    top_k: int | None = None,
    filter: Metadata | None = None,  # noqa: A002
    callback_url: str | None = None,
) -> Operation[TaskAccepted]:
    """Have questions answered in the background, so that they are cached when they are asked."""
    body = WarmRequest.model_construct(
        questions=list(questions), top_k=top_k, filter=filter or {}, callback_url=callback_url
    )
    return post(f"/collections/{segment(collection)}/warm", body, TaskAccepted)
