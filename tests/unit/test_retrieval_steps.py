"""What a request asks of a search's steps, and what follows from it and the settings."""

from typing import Any

import pytest
from pydantic import ValidationError

from flotilla.errors import InvalidRequest
from flotilla.retrieval_steps import (
    FusionKind,
    Rerank,
    Retrieval,
    RetrievalSteps,
    Search,
    check,
    chosen,
    resolve,
)
from flotilla.settings import RetrievalSettings


def test_what_a_request_leaves_open_the_settings_say() -> None:
    settings = RetrievalSettings(fusion="dbsf", prefetch=70, mmr=0.25)
    steps = resolve(Retrieval(prefetch=20, rerank=Rerank.LATE_INTERACTION), settings)
    assert (steps.prefetch, steps.rerank) == (20, Rerank.LATE_INTERACTION)
    assert (steps.fusion, steps.mmr, steps.search) == (FusionKind.DBSF, 0.25, Search.HYBRID)


def test_zero_is_a_value_and_not_left_open() -> None:
    settings = RetrievalSettings(expand_tokens=500, documents=3, queries=2)
    steps = resolve(Retrieval(expand_tokens=0, documents=0, queries=0), settings)
    assert (steps.expand_tokens, steps.documents, steps.queries) == (0, 0, 0)


def test_a_request_may_name_each_step() -> None:
    assert set(Retrieval.model_fields) == set(RetrievalSteps.model_fields)
    assert set(RetrievalSettings.model_fields) == {*RetrievalSteps.model_fields, "rerank_model"}


def test_what_is_chosen_once_stays_chosen() -> None:
    once = chosen(Retrieval(fusion=FusionKind.LINEAR), RetrievalSettings())
    others = RetrievalSettings(search="dense", prefetch=7, dense_weight=0.1)
    assert chosen(once, others) == once
    assert chosen(Retrieval(prefetch=100), RetrievalSettings()) == chosen(
        Retrieval(), RetrievalSettings()
    )


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"search": "dense", "fusion": "linear"}, "fusion"),
        ({"search": "dense", "bm25_weight": 0.5}, "bm25_weight"),
        ({"search": "bm25", "rrf_k": 10}, "rrf_k"),
        ({"dense_weight": 0, "bm25_weight": 0}, "bm25_weight"),
        ({"fusion": "linear", "rrf_k": 10}, "rrf_k"),
        ({"search": "dense", "prefetch": 10}, "prefetch"),
        ({"search": "bm25", "prefetch": 10, "rerank": "cross_encoder"}, "prefetch"),
        ({"rerank_depth": 10}, "rerank_depth"),
        ({"rerank": "none", "rerank_depth": 10}, "rerank_depth"),
    ],
)
def test_parts_that_mean_nothing_together_are_refused(asked: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check(Retrieval.model_validate(asked), RetrievalSettings())
    assert caught.value.field == f"retrieval.{field}"


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"search": "dense"},
        {"fusion": "dbsf", "dense_weight": 0},
        {"fusion": "rrf", "rrf_k": 10, "prefetch": 1000},
        {"rerank": "cross_encoder", "rerank_depth": 10},
        {"search": "dense", "prefetch": 10, "mmr": 0.5},
        {"search": "bm25", "prefetch": 10, "documents": 2},
        {"search": "dense", "prefetch": 10, "queries": 2, "rrf_k": 10},
        {"fusion": "linear", "queries": 2, "rrf_k": 10},
    ],
)
def test_parts_that_mean_something_are_taken(asked: dict[str, Any]) -> None:
    check(Retrieval.model_validate(asked), RetrievalSettings())


def test_a_request_is_not_refused_for_what_the_settings_hold() -> None:
    check(Retrieval(fusion=FusionKind.LINEAR), RetrievalSettings(rrf_k=3, rerank_depth=9))
    with pytest.raises(InvalidRequest):
        check(Retrieval(bm25_weight=0), RetrievalSettings(dense_weight=0, bm25_weight=1))


@pytest.mark.parametrize(
    "asked",
    [{"prefetch": 0}, {"mmr": 1.1}, {"fusion": "sum"}, {"depth": 3}, {"queries": True}],
)
def test_values_out_of_range_are_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Retrieval.model_validate(asked)
