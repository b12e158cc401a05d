"""The steps of a search for passages, as a request asks for them and as they are carried out.

What a request leaves open the settings say (`FLOTILLA_RETRIEVAL_…`), and `resolve` puts the two
together.
"""

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from flotilla.errors import InvalidRequest

if TYPE_CHECKING:
    from flotilla.settings import RetrievalSettings

FIELD = "retrieval"
"""The part of a request that the steps stand in, for errors to name."""


class Search(StrEnum):
    """By what candidates are found."""

    HYBRID = "hybrid"
    """By meaning and by words."""
    DENSE = "dense"
    """By meaning alone."""
    BM25 = "bm25"
    """By words alone."""


class FusionKind(StrEnum):
    """How the two rankings of a hybrid search become one."""

    RRF = "rrf"
    """Weighted reciprocal ranks."""
    DBSF = "dbsf"
    """Scores spread by three standard deviations about their mean."""
    LINEAR = "linear"
    """Scores from each search's least, 0, to its highest, 1, added up; what a search has not
    returned counts as its least."""
    LINEAR_EXACT = "linear_exact"
    """The same, with the scores that a search has not returned asked for."""


class Rerank(StrEnum):
    """What orders the best candidates anew."""

    NONE = "none"
    LATE_INTERACTION = "late_interaction"
    """The tokens of question and passage compared one by one, by the embedding model."""
    CROSS_ENCODER = "cross_encoder"
    """A model that reads question and passage together."""


class RetrievalSteps(BaseModel):
    """The steps of one search, each with its value.

    `expand_tokens`, `documents`, `mmr` and `queries` are 0 where the step is left out; the fields'
    meaning is that of `Retrieval`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    search: Search
    fusion: FusionKind
    dense_weight: float
    bm25_weight: float
    rrf_k: int
    prefetch: int
    expand_tokens: int
    documents: int
    mmr: float
    queries: int
    rerank: Rerank
    rerank_depth: int


class Retrieval(BaseModel):
    """What a request asks of the steps; None leaves one to the settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    search: Search | None = Field(
        None, description="By what candidates are found: `hybrid`, `dense` or `bm25`."
    )
    fusion: FusionKind | None = Field(
        None,
        description="How the two rankings of a hybrid search become one: `rrf`, `dbsf`, `linear` "
        "or `linear_exact`.",
    )
    dense_weight: float | None = Field(
        None, ge=0, le=1000, description="Weight of the dense search in the fusion."
    )
    bm25_weight: float | None = Field(
        None, ge=0, le=1000, description="Weight of the BM25 search in the fusion."
    )
    rrf_k: int | None = Field(None, ge=1, le=10_000, description="The k of `rrf`.")
    prefetch: int | None = Field(
        None, ge=1, le=1000, description="Candidates that each search hands to the fusion."
    )
    expand_tokens: int | None = Field(
        None,
        ge=0,
        le=100_000,
        description="Tokens by which the passages together grow by what stands around them; 0 "
        "leaves them as they are.",
    )
    documents: int | None = Field(
        None,
        ge=0,
        le=100,
        description="Documents that the passages are taken from, the best of them; 0 for any.",
    )
    mmr: float | None = Field(
        None,
        ge=0,
        le=1,
        description="How much it counts that passages differ from one another: from 0, not at "
        "all, to 1, nothing else.",
    )
    queries: int | None = Field(
        None,
        ge=0,
        le=10,
        description="Other wordings of the question that a model gives, and that are searched for "
        "as well.",
    )
    rerank: Rerank | None = Field(
        None,
        description="What orders the best candidates anew: `none`, `late_interaction` or "
        "`cross_encoder`.",
    )
    rerank_depth: int | None = Field(
        None, ge=1, le=200, description="Candidates that are ordered anew."
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean(cls, value: Any) -> Any:
        if isinstance(value, bool):  # which Python takes for a number
            raise ValueError("true and false are no numbers: send a number")
        return value


def resolve(asked: Retrieval, settings: "RetrievalSettings") -> RetrievalSteps:
    """The steps of a search: what was asked for, and for the rest what the settings say."""
    given = asked.model_dump(exclude_none=True)
    return RetrievalSteps.model_validate(settings.model_dump(exclude=_UNCHOSEN) | given)


def chosen(asked: Retrieval, settings: "RetrievalSettings") -> Retrieval:
    """The same with nothing left open, so that two ways of asking for one thing are one."""
    return Retrieval.model_validate(resolve(asked, settings).model_dump())


def check(asked: Retrieval, settings: "RetrievalSettings") -> None:
    """See that what a request asks for means something.

    Raises:
        InvalidRequest: a part has no meaning beside the others; its field names it.
    """
    given = asked.model_dump(exclude_none=True)
    for name, reason in _contradictions(resolve(asked, settings)):
        if name in given:
            raise InvalidRequest(reason, field=f"{FIELD}.{name}")


_UNCHOSEN = {"rerank_model"}
"""Settings that no request chooses."""


def _contradictions(steps: RetrievalSteps) -> list[tuple[str, str]]:
    """Fields that mean nothing beside the others, each with the reason: an error where a request
    names it, whereas the settings may well hold values for other requests."""
    found: list[tuple[str, str]] = []
    if steps.search is not Search.HYBRID:
        reason = (
            f"There is nothing to fuse in a search by {steps.search} alone: leave it out, or set "
            "search to hybrid."
        )
        found += [(name, reason) for name in ("fusion", "dense_weight", "bm25_weight")]
        if not (steps.documents or steps.mmr or steps.queries):
            found.append(
                (
                    "prefetch",
                    f"A search by {steps.search} alone hands candidates to no other step: leave it "
                    "out, or set search to hybrid.",
                )
            )
    elif steps.dense_weight == 0 and steps.bm25_weight == 0:
        reason = "One of the two weights has to be more than 0."
        found += [("bm25_weight", reason), ("dense_weight", reason)]
    # Other wordings' rankings are fused by reciprocal ranks, whatever each of them was found by.
    if not steps.queries:
        if steps.search is not Search.HYBRID:
            found.append(("rrf_k", reason))
        elif steps.fusion is not FusionKind.RRF:
            found.append(("rrf_k", f"Only fusion rrf has a k: leave it out of {steps.fusion}."))
    return found + _of_reranking(steps)


def _of_reranking(steps: RetrievalSteps) -> list[tuple[str, str]]:
    if steps.rerank is not Rerank.NONE:
        return []
    reason = "Nothing is reranked: leave it out, or set rerank to late_interaction or cross_encoder"
    return [("rerank_depth", f"{reason}.")]
