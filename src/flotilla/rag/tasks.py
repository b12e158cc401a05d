"""The tasks of the fleet `rag`: answer and search."""

import time
from collections.abc import Iterable
from functools import lru_cache

from flotilla import pipelines
from flotilla.broker import at_start
from flotilla.ledger import documents
from flotilla.ledger.database import get_database
from flotilla.ledger.jobs import Job
from flotilla.ledger.stages import reply
from flotilla.models import Found, Passage, Query
from flotilla.rag.answering import Answerer, build_generator
from flotilla.settings import cores, get_settings
from flotilla.vectorstore.bm25 import Bm25Encoder
from flotilla.vectorstore.embedder import load_embedder
from flotilla.vectorstore.points import PointStore, collection_name
from flotilla.vectorstore.qdrant import connect
from flotilla.vectorstore.query_vectors import QueryVectors
from flotilla.vectorstore.search import Retriever

# Passages asked for beyond top_k, in place of those whose document was deleted a moment ago.
SPARE = 5


@lru_cache(maxsize=1)
def _embedder() -> QueryVectors:
    settings = get_settings()
    # A few sentences of unlike lengths: padding costs more than a larger batch saves.
    embedder = load_embedder(settings, threads=settings.rag.embedding_threads, batch_size=2)
    return QueryVectors(embedder, turns=max(1, cores() // settings.rag.embedding_threads))


@lru_cache(maxsize=1)
def _retriever() -> Retriever:
    settings = get_settings()
    points = PointStore(connect(settings), collection_name(settings), _embedder().dimensions)
    return Retriever(points, _embedder(), Bm25Encoder(), settings.rag)


@lru_cache(maxsize=1)
def _answerer() -> Answerer:
    return Answerer(retrieve, build_generator(get_settings().llm, _embedder()))


@at_start
def _warm_up() -> None:
    """Load the model once a process, before the first question."""
    _embedder().embed_query("warm up")
    _retriever()
    _answerer()


def retrieve(query: Query) -> list[Passage]:
    """The nearest passages that may answer: those of documents which the ledger holds."""
    found = _retriever().search(query, limit=query.top_k + SPARE)
    with get_database().reading() as connection:
        live = documents.live(connection, (passage.document_id for passage in found))
    named = (
        passage.model_copy(update={"collection": live[passage.document_id].collection})
        for passage in found
        if passage.document_id in live
        # A late worker may show a version again that was replaced.
        and passage.version_id >= live[passage.document_id].version_id
    )
    return _newest(named)[: query.top_k]


def _newest(passages: Iterable[Passage]) -> list[Passage]:
    """Passages of the newest version of each document alone.

    While a version is being published two may be seen for a moment; their ids are in the order
    of their making.
    """
    kept = list(passages)
    newest: dict[str, str] = {}
    for passage in kept:
        newest[passage.document_id] = max(newest.get(passage.document_id, ""), passage.version_id)
    return [passage for passage in kept if passage.version_id == newest[passage.document_id]]


def _query(job: Job) -> Query:
    return Query(
        tenant_id=job.tenant_id,
        question=job.payload["question"],
        collection_ids=tuple(job.payload["collection_ids"]),
        top_k=job.payload["top_k"],
        filter=job.payload["filter"],
    )


@reply(pipelines.ANSWER)
def answer(job: Job) -> str:
    """Answer the job's question."""
    return _answerer().answer(_query(job)).model_dump_json()


@reply(pipelines.SEARCH)
def search(job: Job) -> str:
    """Find the passages that are nearest to the job's question."""
    began = time.perf_counter()
    passages = retrieve(_query(job))
    took = round(1000 * (time.perf_counter() - began), 2)
    found = Found(
        question=job.payload["question"], passages=tuple(passages), timings={"retrieve": took}
    )
    return found.model_dump_json()
