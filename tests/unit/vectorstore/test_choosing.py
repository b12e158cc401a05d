"""What is done with candidates: documents chosen, passages made to differ, and ordered anew."""

from collections.abc import Sequence

import numpy as np
import pytest

from flotilla.errors import InvalidRequest, ModelMissing
from flotilla.models import Passage
from flotilla.vectorstore.bm25 import Bm25Encoder
from flotilla.vectorstore.cross_encoder import CrossEncoder
from flotilla.vectorstore.diversity import diverse
from flotilla.vectorstore.document_scores import by_documents, document_scores
from flotilla.vectorstore.embedder import Matrix
from flotilla.vectorstore.reranking import late_interaction, reranked


def passage(name: str, score: float, document: str = "d", **more: object) -> Passage:
    return Passage.model_validate(
        {
            "chunk_id": name,
            "document_id": document,
            "document_name": f"{document}.pdf",
            "version_id": "v",
            "collection": "c",
            "position": 0,
            "text": name,
            "start": 0,
            "end": len(name),
            "page_start": None,
            "page_end": None,
            "score": score,
            **more,
        }
    )


@pytest.fixture(scope="module")
def encoder() -> Bm25Encoder:
    return Bm25Encoder()


def scores_of(encoder: Bm25Encoder, question: str, passages: Sequence[Passage]) -> dict[str, float]:
    return document_scores(question, passages, lambda text: encoder.encode_query(text).indices)


def test_reports_that_say_the_same_are_told_apart_by_the_year_in_their_titles(
    encoder: Bm25Encoder,
) -> None:
    reports = [f"Harbour_Ferries_{year}_annual-report" for year in range(2017, 2024)]
    passages = [
        passage(f"{report}-{n}", 0.9 - n / 100, report) for n in range(3) for report in reports
    ]
    passages.sort(key=lambda each: -each.score)
    scores = scores_of(encoder, "What did Harbour Ferries earn in 2021?", passages)
    assert max(scores, key=scores.__getitem__) == "Harbour_Ferries_2021_annual-report"
    years = scores_of(encoder, "Which year was the best for Harbour Ferries?", passages)
    assert len(set(years.values())) == 1  # nothing in the question tells them apart


@pytest.mark.parametrize("name", ["FERRY2021Q3", "ferry 2021-q3", "10K_ferry_2021"])
def test_a_year_is_read_out_of_a_files_name(encoder: Bm25Encoder, name: str) -> None:
    others = [passage("a", 0.5, name), passage("b", 0.5, "FERRY2020Q3")]
    scores = scores_of(encoder, "ferries in 2021", others)
    assert scores[name] > scores["FERRY2020Q3"]


def test_a_document_with_several_good_passages_is_better_than_one_with_a_single_one(
    encoder: Bm25Encoder,
) -> None:
    passages = [
        passage("a", 0.9, "one"),
        passage("b", 0.88, "several"),
        passage("c", 0.87, "several"),
        passage("d", 0.86, "several"),
        passage("e", 0.1, "last"),
    ]
    scores = scores_of(encoder, "anything", passages)
    assert sorted(scores, key=lambda each: -scores[each]) == ["several", "one", "last"]


def test_many_poor_passages_do_not_make_a_document(encoder: Bm25Encoder) -> None:
    passages = [passage("a", 1.0, "good")]
    passages += [passage(f"p{n}", 0.2 - n / 1000, "long") for n in range(50)]
    scores = scores_of(encoder, "anything", passages)
    assert scores["good"] > scores["long"]


def test_passages_stand_by_their_documents_and_their_own_scores() -> None:
    passages = [
        passage("a", 1.0, "x"),
        passage("b", 0.9, "y"),
        passage("c", 0.5, "y"),
        passage("d", 0.1, "y"),
        passage("e", 0.0, "x"),
    ]
    ordered = by_documents(passages, {"x": 0.5, "y": 1.0})
    # Of y all of 0.9, 0.5 and 0.1 by 0.9; of x half of 1 and of 0.
    assert [each.chunk_id for each in ordered] == ["b", "c", "a", "d", "e"]
    scores = [each.score for each in ordered]
    assert scores == sorted(scores, reverse=True)


VECTORS = {
    "a": np.array([1.0, 0.0], np.float32),
    "b": np.array([0.999, 0.045], np.float32),
    "c": np.array([0.0, 1.0], np.float32),
}
ABC = [passage("a", 0.9), passage("b", 0.8), passage("c", 0.1)]


def test_diversity_chooses_what_differs() -> None:
    assert [each.chunk_id for each in diverse(ABC, VECTORS, 0.0, 3)] == ["a", "b", "c"]
    assert [each.chunk_id for each in diverse(ABC, VECTORS, 0.7, 2)] == ["a", "c"]
    assert [each.chunk_id for each in diverse(ABC, VECTORS, 1.0, 3)] == ["a", "c", "b"]
    assert [each.score for each in diverse(ABC, VECTORS, 0.7, 2)] == [0.9, 0.1]


def test_a_passage_whose_vector_is_gone_is_like_no_other() -> None:
    gone = {name: vector for name, vector in VECTORS.items() if name != "b"}
    assert len(diverse(ABC, gone, 0.5, 3)) == 3
    assert diverse([], {}, 0.5, 3) == []


def test_reranking_orders_the_head_and_leaves_the_rest_out() -> None:
    def longest(_question: str, texts: Sequence[str], /) -> list[float]:
        return [float(len(text)) for text in texts]

    passages = [passage(name, 1 - n / 10) for n, name in enumerate(("aa", "b", "cccc", "ddddd"))]
    found = reranked("?", passages, 3, longest)
    assert [(each.chunk_id, each.score) for each in found] == [("cccc", 4), ("aa", 2), ("b", 1)]
    assert reranked("?", [], 3, longest) == []


class Letters:
    """Each letter is a token with a direction of its own."""

    name, dimensions, max_tokens = "letters", 26, 100

    def embed_tokens(self, texts: Sequence[str]) -> list[Matrix]:
        return [
            np.eye(26, dtype=np.float32)[[ord(letter) - 97 for letter in text]] for text in texts
        ]


def test_late_interaction_counts_what_share_of_the_questions_tokens_is_met() -> None:
    scores = late_interaction(Letters())("abcd", ["abxx", "dcba", "zz", ""])  # type: ignore[arg-type]
    assert scores == [0.5, 1.0, 0.0, 0.0]


def test_an_embedder_without_tokens_cannot_rerank() -> None:
    class Remote:
        name = "openai:somewhere"

    with pytest.raises(InvalidRequest) as caught:
        late_interaction(Remote())("a", ["b"])  # type: ignore[arg-type]
    assert caught.value.field == "retrieval.rerank"


def test_a_cross_encoder_that_is_not_there_says_how_to_bring_it(tmp_path: object) -> None:
    with pytest.raises(ModelMissing, match="flotilla models pull some/model"):
        CrossEncoder(tmp_path / "nothing", "some/model")  # type: ignore[operator]
