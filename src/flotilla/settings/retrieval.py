"""Settings of the search for passages, which a request may override one by one."""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

from flotilla.settings.base import group_config


class RetrievalSettings(BaseSettings):
    """The steps of a search, where a request does not say otherwise."""

    model_config = group_config("FLOTILLA_RETRIEVAL_")

    search: Literal["hybrid", "dense", "bm25"] = Field(
        "hybrid", description="By what candidates are found: by meaning, by words, or by both."
    )
    fusion: Literal["rrf", "dbsf", "linear", "linear_exact"] = Field(
        "linear",
        description="How the two rankings of a hybrid search become one: `rrf`, weighted "
        "reciprocal ranks; `dbsf`, scores spread about their mean; `linear`, scores from the "
        "candidates' least to their highest; `linear_exact`, the same with scores asked for that a "
        "search has not returned.",
    )
    dense_weight: float = Field(
        0.5, ge=0, le=1000, description="Weight of the dense search in the fusion."
    )
    bm25_weight: float = Field(
        0.5, ge=0, le=1000, description="Weight of the BM25 search in the fusion."
    )
    rrf_k: int = Field(60, ge=1, le=10_000, description="The k of the reciprocal rank fusion.")
    prefetch: int = Field(
        100,
        ge=1,
        le=1000,
        description="Candidates that dense and BM25 search each hand to the fusion.",
    )
    expand_tokens: int = Field(
        0,
        ge=0,
        le=100_000,
        description="Tokens by which the passages of a question together grow by what stands "
        "around them; 0 leaves them as they are.",
    )
    documents: int = Field(
        0,
        ge=0,
        le=100,
        description="Documents that passages are taken from, the best of them; 0 for any.",
    )
    mmr: float = Field(
        0.0,
        ge=0,
        le=1,
        description="How much it counts that passages differ from one another: from 0, not at "
        "all, to 1, nothing else.",
    )
    queries: int = Field(
        0,
        ge=0,
        le=10,
        description="Other wordings of the question that a language model gives, and that are "
        "searched for as well.",
    )
    rerank: Literal["none", "late_interaction", "cross_encoder"] = Field(
        "none",
        description="What orders the best candidates anew: `late_interaction` compares the tokens "
        "of question and passage by the embedding model, `cross_encoder` has a model read both.",
    )
    rerank_depth: int = Field(20, ge=1, le=200, description="Candidates that are ordered anew.")
    rerank_model: str = Field(
        "Xenova/ms-marco-MiniLM-L-6-v2",
        min_length=1,
        description="Model of `cross_encoder`, one of fastembed's; `flotilla models pull` brings "
        "it here.",
    )

    @field_validator("bm25_weight")
    @classmethod
    def _some_weight(cls, weight: float, info: ValidationInfo) -> float:
        if weight == 0 and info.data.get("dense_weight") == 0:
            raise ValueError("one of the two weights has to be more than 0")
        return weight
