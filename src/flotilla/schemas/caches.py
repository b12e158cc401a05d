"""The caches: how they do, and the questions that fill them."""

from pydantic import Field

from flotilla.models import Metadata
from flotilla.schemas.base import Integer, Request, Response
from flotilla.schemas.webhooks import CallbackURL

MOST_QUESTIONS = 1000


class CacheCounts(Response):
    """How one cache has served the tenant since it was cleared."""

    ttl: int = Field(description="Seconds for which an entry is kept; 0 where it is switched off.")
    hits: int = 0
    misses: int = 0
    hit_rate: float | None = Field(
        None, description="Hits among all looks, from 0 to 1; null before the first one."
    )


class CachesState(Response):
    """The tenant's hits and misses, and the room that the caches of all tenants take."""

    available: bool = Field(description="Whether there are caches: their Redis answers.")
    caches: dict[str, CacheCounts] = Field(
        description="By cache: `answer`, `semantic`, `retrieval`, `embedding`."
    )
    used_bytes: int | None = Field(None, description="Memory of their Redis.")
    max_bytes: int | None = Field(None, description="What it may take; null without a limit.")
    entries: int | None = Field(None, description="Keys, of all tenants together.")
    evictions: int | None = Field(
        None, description="Entries that had to make room since their Redis was started."
    )


class CachesCleared(Response):
    """What was removed."""

    removed: int = Field(description="Entries.")


class WarmRequest(Request):
    """Questions that the caches are filled with, as they will be asked."""

    prose = frozenset({"questions"})

    questions: list[str] = Field(
        min_length=1,
        max_length=MOST_QUESTIONS,
        examples=[["How old do I have to be for a test drive?"]],
    )
    top_k: Integer | None = Field(
        None, ge=1, le=100, description="Passages that retrieval returns."
    )
    filter: Metadata = Field(
        default_factory=dict, description="Conditions on metadata, as a question has them."
    )
    callback_url: CallbackURL = None
