"""Settings of the caches and of the Redis that holds them."""

from pydantic import Field
from pydantic_settings import BaseSettings

from flotilla.settings.addresses import RedisURL
from flotilla.settings.base import MEBIBYTE, group_config

OFF = "; 0 switches this cache off"


class CacheSettings(BaseSettings):
    """The caches of answers, passages and questions' vectors."""

    model_config = group_config("FLOTILLA_CACHE_")

    url: RedisURL | None = Field(
        None,
        description="Redis of the caches, never that of the queues; its maxmemory-policy ought to "
        "be allkeys-lru. `flotilla up` starts one of its own when it is not set; elsewhere there "
        "are no caches then.",
    )
    max_memory: int = Field(
        256 * MEBIBYTE,
        ge=MEBIBYTE,
        description="Bytes that the stack's own Redis of the caches holds before it evicts what "
        "was not used for longest.",
    )
    answer_ttl: int = Field(
        1800, ge=0, description=f"Seconds for which an answer is kept{OFF}, and the semantic one."
    )
    refusal_ttl: int = Field(
        300,
        ge=0,
        description="Seconds for which it is kept that the documents hold no answer; 0 for not.",
    )
    fallback_ttl: int = Field(
        86_400,
        ge=0,
        description="Seconds for which an answer is kept for when no model answers, where "
        "`FLOTILLA_LLM_FALLBACKS` has `cached`; no longer than the documents stay as they are.",
    )
    semantic_ttl: int = Field(
        1800,
        ge=0,
        description="Seconds for which a question may be answered with the answer to an earlier "
        f"one that means the same, at most `FLOTILLA_CACHE_ANSWER_TTL`{OFF}.",
    )
    semantic_threshold: float = Field(
        0.85,
        ge=0,
        le=1,
        description="Cosine of two questions' vectors from which they may mean the same. Their "
        "words have to agree as well.",
    )
    retrieval_ttl: int = Field(
        3600, ge=0, description=f"Seconds for which the passages of a query are kept{OFF}."
    )
    embedding_ttl: int = Field(
        86_400, ge=0, description=f"Seconds for which a question's vector is kept{OFF}."
    )
    timeout: float = Field(
        0.25,
        gt=0,
        le=10,
        description="Seconds that a request to the caches may take before it is done without them.",
    )
    rest: float = Field(
        5.0,
        ge=0,
        description="Seconds for which the caches are left alone after a request to them failed.",
    )

    @property
    def wanted(self) -> bool:
        """Whether any cache is switched on."""
        return any((self.answer_ttl, self.retrieval_ttl, self.embedding_ttl))
