"""The steps behind the fusion on a real node: documents, neighbours, diversity, reranking."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from tokenizers import Tokenizer

from flotilla.errors import InvalidRequest
from flotilla.local.model.pull import pull
from flotilla.models import Chunk, Passage, Query, chunk_id
from flotilla.retrieval_steps import Rerank, Retrieval, Search
from flotilla.settings import RetrievalSettings, Settings
from flotilla.step_times import timing_steps
from flotilla.vectorstore.bm25 import Bm25Encoder
from flotilla.vectorstore.cross_encoder import CrossEncoder
from flotilla.vectorstore.embedder import Matrix, Vector
from flotilla.vectorstore.embedders import load_embedder
from flotilla.vectorstore.points import PointStore
from flotilla.vectorstore.query_vectors import QueryVectors
from flotilla.vectorstore.reranking import Scoring
from flotilla.vectorstore.search import Retriever
from tests.doubles.model_folder import lay_model


class Letters:
    """A vector that counts four letters."""

    name, dimensions, max_tokens = "letters", 4, 256

    def embed_query(self, text: str) -> Vector:
        counts = np.array([text.count(letter) + 0.01 for letter in "wxyz"], np.float32)
        return counts / np.linalg.norm(counts)

    def embed_queries(self, texts: Sequence[str]) -> Matrix:
        return np.stack([self.embed_query(text) for text in texts])

    embed_passages = embed_queries

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]


class Library:
    """Documents of which each chunk is a line."""

    def __init__(self, points: PointStore, bm25: Bm25Encoder) -> None:
        self._points, self._bm25 = points, bm25
        self.texts: dict[str, str] = {}

    def add(self, name: str, lines: Sequence[str], *, live: bool = True) -> None:
        text = self.texts[name] = "\n".join(lines)
        chunks, start = [], 0
        for place, line in enumerate(lines):
            chunks.append(
                Chunk(
                    id=chunk_id(name, "v", place),
                    document_id=name,
                    version_id="v",
                    position=place,
                    text=line,
                    start=start,
                    end=start + len(line),
                    page_start=place + 1,
                    page_end=place + 1,
                    tokens=len(line.split()),
                )
            )
            start += len(line) + 1
        assert all(text[each.start : each.end] == each.text for each in chunks)
        vectors = Letters().embed_passages(lines)
        sparse = self._bm25.encode_passages(lines)
        self._points.upsert("t", "c", f"{name}.pdf", {}, chunks, vectors, sparse)
        if live:
            self._points.publish("t", name, "v")

    def retriever(self, scoring: Scoring | None = None) -> Retriever:
        return Retriever(
            self._points,
            Letters(),
            self._bm25,
            RetrievalSettings(),
            (lambda: scoring) if scoring else None,
        )

    def search(
        self, question: str, top_k: int = 3, scoring: Scoring | None = None, **asked: Any
    ) -> list[Passage]:
        query = Query(
            tenant_id="t",
            question=question,
            collection_ids=("c",),
            top_k=top_k,
            retrieval=Retrieval(**asked),
        )
        retriever = self.retriever(scoring)
        return retriever.expand(query, retriever.search(query))


@pytest.fixture
def library(points: PointStore, bm25: Bm25Encoder) -> Library:
    return Library(points, bm25)


def test_passages_come_from_the_documents_that_the_question_is_about(library: Library) -> None:
    for year in range(2017, 2023):
        lines = [f"Line {n} says what fares the ferries took" for n in range(5)]
        library.add(f"Ferries_{year}", [*lines, "Dorothy steered"] if year == 2019 else lines)
    question = "What fares did Dorothy take in 2019?"
    asked: dict[str, Any] = {"top_k": 5, "prefetch": 3}
    anywhere = library.search(question, **asked)
    assert {each.document_id for each in anywhere} > {"Ferries_2019"}
    # The first search has few of the document's passages: more are looked for within it.
    found = library.search(question, documents=1, **asked)
    assert len(found) == 5
    assert {each.document_id for each in found} == {"Ferries_2019"}
    two = library.search(question, documents=2, **asked)
    assert two[0].document_id == "Ferries_2019"
    assert len({each.document_id for each in two}) <= 2
    scores = [each.score for each in two]
    assert scores == sorted(scores, reverse=True)


def test_passages_of_one_score_are_in_the_order_of_their_ids(library: Library) -> None:
    for n in range(9):
        library.add(f"copy{n}", ["wwww ferry"])
    for asked in ({}, {"search": "dense"}, {"search": "bm25"}, {"fusion": "linear"}):
        found = library.search("wwww ferry", top_k=9, **asked)
        # Ranks are apart even where scores are not.
        order = [(-each.score, each.chunk_id) for each in found]
        assert order == sorted(order)
        if asked:
            assert len({each.score for each in found}) == 1


def test_a_document_is_chosen_under_the_requests_filter(library: Library) -> None:
    library.add("one", ["ferry wwww"])
    library.add("two", ["ferry wwwx"])
    query = Query(
        tenant_id="t",
        question="ferry wwww",
        collection_ids=("another",),
        retrieval=Retrieval(documents=1),
    )
    assert library.retriever().search(query) == []


def test_a_passage_grows_by_its_neighbours_in_the_documents_own_words(library: Library) -> None:
    library.add("d", [f"line {n} {'w' if n == 3 else 'z' * 9}" for n in range(7)])
    library.add("e", ["other zzzz"])
    with timing_steps() as times:
        [found] = library.search("w", top_k=1, expand_tokens=6, search=Search.DENSE)
    assert [part.page_start for part in found.parts] == [3, 4, 5]
    assert found.text == library.texts["d"][found.start : found.end]
    assert "expand" in times.milliseconds()
    [alone] = library.search("w", top_k=1, search=Search.DENSE)
    assert (alone.parts, alone.chunk_id) == ((), found.chunk_id)


def test_another_tenants_chunks_are_no_neighbours(library: Library, points: PointStore) -> None:
    library.add("d", ["line w", "line z"])
    ids = [chunk_id("d", "v", place) for place in (0, 1)]
    assert set(points.passages("t", ids)) == set(ids)
    assert points.passages("another", ids) == {}
    assert points.dense_vectors("another", ids) == {}


def test_what_is_not_live_is_no_neighbour(library: Library, points: PointStore) -> None:
    library.add("d", ["line w", "line z"], live=False)
    assert points.count("t", live=False) == 2
    assert points.passages("t", [chunk_id("d", "v", 0)]) == {}


def test_passages_that_say_the_same_give_way(library: Library) -> None:
    for n in range(4):
        library.add(f"copy{n}", ["wwwwwwww"])
    library.add("other", ["wwwwxxxx"])
    alike = library.search("wwwwwwww", top_k=2, search=Search.DENSE)
    assert {each.document_id for each in alike} <= {f"copy{n}" for n in range(4)}
    found = library.search("wwwwwwww", top_k=2, search=Search.DENSE, mmr=0.8)
    assert found[1].document_id == "other"


def test_the_best_candidates_are_ordered_anew(library: Library) -> None:
    for n in range(6):
        library.add(f"d{n}", [f"{'w' * (9 - n)}{'x' * n} text {n}"])

    def last(_question: str, texts: Sequence[str], /) -> list[float]:
        return [float(text[-1]) for text in texts]

    asked: dict[str, Any] = {"search": Search.DENSE, "rerank": Rerank.CROSS_ENCODER}
    found = library.search("w", top_k=2, scoring=last, rerank_depth=4, **asked)
    assert [(each.document_id, each.score) for each in found] == [("d3", 3), ("d2", 2)]
    # As many as are wanted are there, however few are to be reranked.
    assert len(library.search("w", top_k=3, scoring=last, rerank_depth=1, **asked)) == 3


def test_an_embedding_model_on_a_server_cannot_rerank(library: Library) -> None:
    library.add("d", ["line w"])
    with pytest.raises(InvalidRequest) as caught:
        library.search("w", rerank=Rerank.LATE_INTERACTION)
    assert caught.value.field == "retrieval.rerank"


@pytest.fixture(scope="module")
def model_folder() -> Path:
    return pull(Settings())


RERANKER = "Xenova/ms-marco-MiniLM-L-6-v2"


def counting(original: Path, word: str) -> onnx.ModelProto:
    """A cross-encoder whose score is how often a word stands in question and passage."""
    tokenizer = Tokenizer.from_file(str(original / "tokenizer.json"))
    weights = np.zeros(tokenizer.get_vocab_size(), np.float32)
    weights[tokenizer.token_to_id(word)] = 1.0
    ids, shape = onnx.TensorProto.INT64, ["batch", "tokens"]
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Gather", ["weights", "input_ids"], ["each"]),
            onnx.helper.make_node("ReduceSum", ["each", "last"], ["logits"], keepdims=1),
        ],
        "counting",
        [
            onnx.helper.make_tensor_value_info(name, ids, shape)
            for name in ("input_ids", "attention_mask", "token_type_ids")
        ],
        [onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch", 1])],
        [
            onnx.numpy_helper.from_array(weights, "weights"),
            onnx.numpy_helper.from_array(np.array([1], np.int64), "last"),
        ],
    )
    return onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9
    )


def test_a_cross_encoder_from_its_folder_orders_passages(
    library: Library, model_folder: Path, tmp_path: Path
) -> None:
    folder = lay_model(
        model_folder,
        tmp_path,
        RERANKER,
        counting(model_folder, "harbour"),
        file="onnx/model.onnx",
        dimensions=1,
        max_tokens=512,
    )
    encoder = CrossEncoder(folder, RERANKER)
    texts = ["a quay", "harbour by the harbour", "the harbour", "harbour " * 9]
    assert encoder("Where?", texts) == [0.0, 2.0, 1.0, 9.0]
    assert encoder("Where?", []) == []
    for n, text in enumerate(texts):
        library.add(f"d{n}", [text])
    found = library.search("quay", scoring=encoder, rerank=Rerank.CROSS_ENCODER)
    assert [each.document_id for each in found] == ["d3", "d1", "d2"]


def test_late_interaction_by_the_loaded_model_tells_passages_apart(model_folder: Path) -> None:
    embedder = QueryVectors(load_embedder(Settings(), threads=1))
    texts = ["The ferry leaves the harbour at nine.", "Bread is baked every night.", "Ferries"]
    tokens = embedder.embed_tokens([*texts, ""])
    counts = embedder.count_tokens(texts)
    assert [len(each) for each in tokens] == [*counts, 0]
    lengths = [np.linalg.norm(each, axis=1) for each in tokens]
    assert np.concatenate(lengths) == pytest.approx(1.0, abs=1e-5)
    # Of a batch or alone, a token has the same vector.
    assert embedder.embed_tokens(texts[:1])[0] == pytest.approx(tokens[0], abs=1e-4)
