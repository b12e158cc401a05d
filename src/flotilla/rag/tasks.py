"""The tasks of the fleet `rag`: answer and search."""

import time
from collections.abc import Iterable
from functools import lru_cache
from threading import Lock

from flotilla import pipelines
from flotilla.broker import at_start
from flotilla.errors import DependencyUnavailable
from flotilla.ledger import documents
from flotilla.ledger.database import get_database
from flotilla.ledger.jobs import Job
from flotilla.ledger.reply_runs import ReplyRun
from flotilla.ledger.stages import reply
from flotilla.models import Found, Passage, Query
from flotilla.rag.answering import Answerer, build_generator
from flotilla.settings import cores, get_settings
from flotilla.vectorstore.bm25 import Bm25Encoder
from flotilla.vectorstore.embedder import load_embedder
from flotilla.vectorstore.qdrant import connect
from flotilla.vectorstore.query_vectors import QueryVectors
from flotilla.vectorstore.search import Retriever
from flotilla.vectorstore.spaces import Spaces, VectorSpace

# Passages asked for beyond top_k, in place of those whose document was deleted a moment ago.
SPARE = 5

SPACES = 4
"""Embedding models that are answered with at once, at most: one, or two around a switch."""


@lru_cache(maxsize=1)
def get_spaces() -> Spaces:
    """The spaces of this process."""
    settings = get_settings()

    def load(model: str) -> QueryVectors:
        threads = settings.rag.embedding_threads
        # A few sentences of unlike lengths: padding costs more than a larger batch saves.
        embedder = load_embedder(settings, threads=threads, batch_size=2, model=model)
        return QueryVectors(embedder, turns=max(1, cores() // threads))

    return Spaces(get_database, settings, connect(settings), load)


@lru_cache(maxsize=1)
def _bm25() -> Bm25Encoder:
    return Bm25Encoder()


_answerers: dict[str, Answerer] = {}
_answerers_lock = Lock()


def _answerer(space: VectorSpace) -> Answerer:
    """What answers from a space. It compares sentences with the space's model, too."""
    with _answerers_lock:
        if space.id not in _answerers:
            if len(_answerers) >= SPACES:
                _answerers.pop(next(iter(_answerers)))
            generator = build_generator(get_settings().llm, space.embedder)
            _answerers[space.id] = Answerer(lambda query: retrieve(query, space), generator)
        return _answerers[space.id]


@at_start
def _warm_up() -> None:
    """Load the models once a process, before the first question."""
    get_spaces().load_at_start(writes=False)
    try:
        _answerer(get_spaces().readable())
    except DependencyUnavailable:  # the ledger, which the first question waits for
        return


def retrieve(query: Query, space: VectorSpace) -> list[Passage]:
    """The nearest passages that may answer: those of documents which the ledger holds.

    All of it is done in one space: what another model makes of the question never meets its
    vectors. Should the space have been dropped in this moment, the question begins anew.
    """
    passages = _retrieve(query, space)
    if not passages:
        active = get_spaces().readable(fresh=True)
        if active.id != space.id:
            return _retrieve(query, active)
    return passages


def _retrieve(query: Query, space: VectorSpace) -> list[Passage]:
    retriever = Retriever(space.points, space.embedder, _bm25(), get_settings().rag)
    found = retriever.search(query, limit=query.top_k + SPARE)
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
def answer(run: ReplyRun) -> str:
    """Answer the job's question."""
    space = get_spaces().readable()
    return _answerer(space).answer(_query(run.job), run.checkpoint).model_dump_json()


@reply(pipelines.SEARCH)
def search(run: ReplyRun) -> str:
    """Find the passages that are nearest to the job's question."""
    began = time.perf_counter()
    passages = retrieve(_query(run.job), get_spaces().readable())
    took = round(1000 * (time.perf_counter() - began), 2)
    found = Found(
        question=run.job.payload["question"], passages=tuple(passages), timings={"retrieve": took}
    )
    return found.model_dump_json()
