"""Retrieval by size: how long a hybrid search takes as a collection grows, over made-up vectors.

Dense vectors lie about a thousand centres; words are drawn by Zipf's law. Text and payload are as
long as those of real chunks, since they are read and sent as well. The question's own embedding,
which does not depend on the collection, is measured with the fleet's model, and alone.
"""

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flotilla.models import Chunk, Query, chunk_id
from flotilla.retrieval_steps import FusionKind
from flotilla.settings import RetrievalSettings
from flotilla.vectorstore.bm25 import SparseVector
from flotilla.vectorstore.embedder import Matrix, Vector
from flotilla.vectorstore.embedders import load_embedder
from flotilla.vectorstore.points import PointStore
from flotilla.vectorstore.qdrant import connect
from flotilla.vectorstore.search import Retriever
from tests.benchmarks.corpus import questions
from tests.benchmarks.report import Outcome, Row, Table
from tests.benchmarks.stack import Stack, progress

SIZES = (1_000, 10_000, 100_000)
QUICK, FULL = SIZES[:2], (*SIZES, 1_000_000)
GOAL_SIZE, GOAL = 100_000, 10.0  # chunks, milliseconds at p95
ASKED, WARM_UP = 200, 50
PER_DOCUMENT = 500
CENTRES, SPREAD = 1_000, 0.6
VOCABULARY, EXPONENT, USUAL_WORDS = 200_000, 1.07, 60  # the commonest are stopwords
TERMS, QUESTION_TERMS = 90, 6
K1 = 1.2
TENANT, COLLECTION = "growth", "growth"
WORDS = "the keeper of the lamp wrote down what was sold at the fair and to whom it went "


class Made:
    """Vectors of chunks and questions, the same at every run.

    Args:
        dimensions: of the dense ones.
    """

    def __init__(self, dimensions: int) -> None:
        self._dice = np.random.default_rng(20)
        self._centres = _unit(self._dice.standard_normal((CENTRES, dimensions)))
        ranks = np.arange(1, VOCABULARY + 1, dtype=np.float64)
        shares = ranks**-EXPONENT
        shares[:USUAL_WORDS] = 0
        self._shares = np.cumsum(shares / shares.sum())

    def dense(self, count: int) -> Matrix:
        """Vectors of length 1 about the centres: shape (count, dimensions)."""
        of = self._centres[self._dice.integers(0, CENTRES, count)]
        noise = _unit(self._dice.standard_normal(of.shape))
        return _unit(of + SPREAD * noise).astype(np.float32)

    def sparse(self, terms: int) -> SparseVector:
        """The weights of so many words drawn one by one."""
        drawn = np.searchsorted(self._shares, self._dice.random(terms))
        found, often = np.unique(drawn, return_counts=True)
        weights = often * (K1 + 1) / (often + K1)
        return SparseVector(found.tolist(), weights.tolist())

    def question(self) -> SparseVector:
        """A question's words, each once."""
        found = self.sparse(QUESTION_TERMS)
        return SparseVector(found.indices, [1.0] * len(found.indices))


class Given:
    """Stands in for the model and for BM25: hands out a question's vectors by its number."""

    def __init__(self, dense: Matrix, sparse: Sequence[SparseVector]) -> None:
        self._dense, self._sparse = dense, sparse

    def embed_query(self, text: str) -> Vector:
        vector: Vector = self._dense[int(text)]
        return vector

    def encode_query(self, text: str) -> SparseVector:
        return self._sparse[int(text)]


ONE_REQUEST = FusionKind.DBSF
"""The fusion that Qdrant does itself, so that one request is all; it is measured beside the
fleet's own."""


@dataclass(frozen=True)
class Measured:
    """Milliseconds of the questions over so many chunks, with one fusion."""

    chunks: int
    fusion: str
    search: NDArray[np.float64]
    together: NDArray[np.float64]


def run(stack: Stack, quick: bool, *, full: bool = False, plot: Path | None = None) -> Outcome:
    """Let one collection grow, and ask at each size, when Qdrant has come to rest."""
    settings = stack.settings
    embedder = load_embedder(settings, threads=settings.rag.embedding_threads)
    store = PointStore(connect(settings), f"{COLLECTION}-{uuid.uuid4().hex}", embedder.dimensions)
    made = Made(embedder.dimensions)
    asked = questions(WARM_UP + ASKED, seed=77)
    given: Any = Given(made.dense(len(asked)), [made.question() for _ in asked])
    fusions = list(dict.fromkeys((settings.retrieval.fusion, ONE_REQUEST.value)))
    steps = [settings.retrieval.model_copy(update={"fusion": fusion}) for fusion in fusions]
    retrievers = [Retriever(store, given, given, each) for each in steps]
    store.ensure()
    found: list[Measured] = []
    there = 0
    try:
        for size in QUICK if quick else FULL if full else SIZES:
            began = time.perf_counter()
            there = _grow(store, made, there, size)
            progress(f"growth: {size:,} chunks written in {time.perf_counter() - began:.0f} s")
            stack.settle()
            for fusion, retriever in zip(fusions, retrievers, strict=True):
                embedding, search = [], []
                for number, text in enumerate(asked):
                    began = time.perf_counter()
                    embedder.embed_query(text)
                    embedded = time.perf_counter()
                    passages = retriever.search(
                        Query(tenant_id=TENANT, question=str(number), collection_ids=(COLLECTION,))
                    )
                    searched = time.perf_counter()
                    assert len(passages) == Query.model_fields["top_k"].default
                    embedding.append(1000 * (embedded - began))
                    search.append(1000 * (searched - embedded))
                times = np.array(search[WARM_UP:]), np.array(embedding[WARM_UP:])
                found.append(Measured(size, fusion, times[0], times[0] + times[1]))
                progress(f"growth: p95 of a search, {fusion}, {np.percentile(times[0], 95):.1f} ms")
    finally:
        store.drop()
    if plot is not None:
        _draw(found, plot)
    return _outcome(found, settings.retrieval)


def _grow(store: PointStore, made: Made, there: int, size: int) -> int:
    while there < size:
        count = min(PER_DOCUMENT, size - there)
        document = f"document-{there}"
        sparse = [made.sparse(TERMS) for _ in range(count)]
        chunks = list(_chunks(document, count))
        store.upsert(TENANT, COLLECTION, document, {}, chunks, made.dense(count), sparse)
        store.publish(TENANT, document, document)
        there += count
    return there


def _chunks(document: str, count: int) -> Iterator[Chunk]:
    for position in range(count):
        text = f"{document}, {position}: " + 10 * WORDS
        yield Chunk(
            id=chunk_id(document, document, position),
            document_id=document,
            version_id=document,
            position=position,
            text=text,
            start=position * len(text),
            end=(position + 1) * len(text),
            page_start=position // 6 + 1,
            page_end=position // 6 + 1,
            heading_path=("Of the fair", "What was sold"),
            tokens=200,
        )


def _outcome(found: Sequence[Measured], settings: RetrievalSettings) -> Outcome:
    rows = []
    for each in found:
        p95 = float(np.percentile(each.search, 95))
        goal = each.chunks == GOAL_SIZE
        rows.append(
            Row(
                f"search of {each.chunks:,} chunks, {each.fusion}, 1 client, without embedding",
                f"p50 {np.percentile(each.search, 50):.1f} ms, p95 {p95:.1f} ms",
                goal=f"p95 < {GOAL:.0f} ms" if goal else "–",
                met=p95 < GOAL if goal else None,
            )
        )
    lines = [
        (
            f"{each.chunks:,}",
            each.fusion,
            *(
                f"{np.percentile(times, share):.1f}"
                for times in (each.search, each.together)
                for share in (50, 95)
            ),
        )
        for each in found
    ]
    title = (
        f"Milliseconds of a {settings.search} search by size "
        f"({settings.prefetch} candidates of each side)"
    )
    head = (
        "chunks",
        "fusion",
        "search p50",
        "search p95",
        "with embedding p50",
        "with embedding p95",
    )
    values = {
        f"{each.chunks} {each.fusion}": {
            "search": each.search.tolist(),
            "together": each.together.tolist(),
        }
        for each in found
    }
    return Outcome(rows, tables=[Table(title, head, lines)], values=values)


def _draw(found: Sequence[Measured], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 5.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for number, fusion in enumerate(dict.fromkeys(each.fusion for each in found)):
        of_it = [each for each in found if each.fusion == fusion]
        for share, style in ((50, "o-"), (95, "o--")):
            axes.plot(
                [each.chunks for each in of_it],
                [np.percentile(each.search, share) for each in of_it],
                style,
                color=f"C{number}",
                label=f"{fusion}, p{share}",
            )
    axes.axhline(GOAL, color="grey", linewidth=1)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("chunks")
    axes.set_ylabel("milliseconds")
    axes.set_title("A hybrid search as the collection grows")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="upper left")
    figure.savefig(path, dpi=150, format="png")


def _unit(rows: NDArray[Any]) -> NDArray[Any]:
    unit: NDArray[Any] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
