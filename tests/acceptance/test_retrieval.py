"""The steps of retrieval over the sample documents, through the gateway and the rag fleet."""

from typing import Any

import pytest

from flotilla.client import Flotilla, FlotillaAPIError
from flotilla.retrieval_steps import FusionKind, Retrieval
from flotilla.schemas import Document

QUESTION = "How old do I have to be for a test drive?"
WHERE = "terms-of-use.pdf"


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"search": "dense"},
        {"search": "bm25"},
        {"fusion": "linear", "dense_weight": 0.5, "bm25_weight": 0.5},
        {"fusion": "linear_exact"},
        {"fusion": "dbsf"},
        {"documents": 1},
        {"mmr": 0.3},
        {"rerank": "late_interaction", "rerank_depth": 8},
        {"expand_tokens": 300},
        {"queries": 2},
        {"fusion": "linear", "documents": 2, "mmr": 0.1, "expand_tokens": 200},
    ],
    ids=lambda asked: ",".join(f"{name}={value}" for name, value in asked.items()),
)
def test_each_step_finds_where_the_answer_stands(
    client: Flotilla, samples: dict[str, Document], asked: dict[str, Any]
) -> None:
    found = client.search(
        QUESTION, collections=["samples"], top_k=4, retrieval=asked, cache_control="no-cache"
    )
    assert WHERE in {passage.document_name for passage in found.passages}
    assert found.retrieval is not None
    used = found.retrieval.model_dump(mode="json")
    assert {name: used[name] for name in asked} == asked
    assert {"retrieve", "embed", "search"} <= found.timings.keys()
    assert bool(found.notes) is ("queries" in asked)  # there is no model


def test_a_passage_that_has_grown_is_the_documents_own_text(
    client: Flotilla, samples: dict[str, Document]
) -> None:
    asked = Retrieval(expand_tokens=600, fusion=FusionKind.LINEAR)
    found = client.search(QUESTION, collections=["samples"], top_k=3, retrieval=asked)
    grown = [passage for passage in found.passages if passage.parts]
    assert grown
    for passage in grown:
        chunks = {chunk.chunk_id: chunk for chunk in client.chunks(passage.document_id)}
        for part in passage.parts:
            own = passage.text[part.start - passage.start : part.end - passage.start]
            assert own == chunks[part.chunk_id].text


def test_answers_from_grown_passages_cite_chunks_that_hold_their_quotes(
    client: Flotilla, samples: dict[str, Document]
) -> None:
    answer = client.ask(QUESTION, collections=["samples"], retrieval={"expand_tokens": 600})
    assert answer.answerable
    assert any(passage.parts for passage in answer.passages)
    retrieve = next(step for step in answer.trace if step.name == "retrieve")
    assert retrieve.saw["retrieval"]["expand_tokens"] == 600
    assert "expand" in retrieve.saw["took"]
    for citation in answer.citations:
        chunks = {chunk.chunk_id: chunk for chunk in client.chunks(citation.document_id)}
        assert citation.quote in chunks[citation.chunk_id].text


def test_a_cross_encoder_that_is_not_here_says_how_to_bring_it(
    client: Flotilla, samples: dict[str, Document]
) -> None:
    with pytest.raises(FlotillaAPIError, match="flotilla models pull") as caught:
        client.search(QUESTION, collections=["samples"], retrieval={"rerank": "cross_encoder"})
    assert caught.value.code == "model_missing"
