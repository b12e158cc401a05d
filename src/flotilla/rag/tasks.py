"""The tasks of the fleet `rag`: answer and search."""

import time
from collections.abc import Sequence
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

from flotilla import pipelines
from flotilla.broker import app, at_start
from flotilla.errors import BudgetSpent, DependencyUnavailable, ModelRejected, ModelUnavailable
from flotilla.ledger import documents
from flotilla.ledger.database import get_database
from flotilla.ledger.jobs import Job
from flotilla.ledger.replies import reply
from flotilla.ledger.reply_runs import ReplyRun
from flotilla.models import Found, Mode, Passage, Query, Turn
from flotilla.rag import rewriting
from flotilla.rag.answering import Answerer, build_generator, build_models
from flotilla.rag.conversation import Conversations, Rewrite
from flotilla.rag.followups import Standalone, standalone
from flotilla.rag.memory import Memory
from flotilla.redis_connections import get_redis
from flotilla.settings import cores, get_settings
from flotilla.vectorstore.bm25 import Bm25Encoder
from flotilla.vectorstore.embedder import load_embedder
from flotilla.vectorstore.qdrant import connect
from flotilla.vectorstore.query_vectors import QueryVectors
from flotilla.vectorstore.search import Retriever
from flotilla.vectorstore.spaces import Spaces, VectorSpace

if TYPE_CHECKING:
    from flotilla.rag.llm import Meter, Models

# Passages asked for beyond top_k, in place of those whose document was deleted a moment ago.
SPARE = 5

# Searches of one question, at most: each further one needs a document that is replaced meanwhile.
LOOKS = 3

REMEMBERING = "flotilla:remembering"
REMEMBERING_MILLISECONDS = 60_000

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


@lru_cache(maxsize=1)
def get_models() -> "Models | None":
    """The language models of this process; None where answers are extractive."""
    settings = get_settings()
    return build_models(settings.llm, settings.redis_url)


_answerers: dict[str, Answerer] = {}
_answerers_lock = Lock()


def _answerer(space: VectorSpace) -> Answerer:
    """What answers from a space. It compares sentences with the space's model, too."""
    with _answerers_lock:
        if space.id not in _answerers:
            if len(_answerers) >= SPACES:
                _answerers.pop(next(iter(_answerers)))
            _answerers[space.id] = Answerer(
                lambda query: retrieve(query, space),
                build_generator(space.embedder),
                get_models(),
                get_settings().rag,
            )
        return _answerers[space.id]


def _space() -> VectorSpace:
    return get_spaces().readable()


@lru_cache(maxsize=1)
def get_memory() -> Memory:
    """What recalls and remembers turns of conversations."""
    return Memory(get_database, _space, _bm25(), get_settings().rag)


@lru_cache(maxsize=1)
def get_conversations() -> Conversations:
    """What reads questions as turns of their conversations."""

    def count(texts: Sequence[str]) -> list[int]:
        return _space().embedder.count_tokens(texts)

    return Conversations(get_database, get_memory(), count, get_settings().rag)


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
    """Search, and keep what the ledger names live afterwards.

    The points of a version are shown before the ledger names it live, and those of the version
    before are removed after that. So whichever is live by now is found; but a search that is older
    than the ledger's word may have found only the version before, or passages of the two in each
    other's place. It is made again then, without those that do not count.
    """
    retriever = Retriever(space.points, space.embedder, _bm25(), get_settings().rag)
    limit = query.top_k + SPARE
    documents_of: dict[str, str] = {}  # by their versions that were found
    not_live: set[str] = set()
    for _ in range(LOOKS):
        found = retriever.search(query, limit=limit, without=not_live)
        documents_of |= {passage.version_id: passage.document_id for passage in found}
        with get_database().reading() as connection:
            live = documents.live(connection, documents_of.values())
        kept = [
            passage.model_copy(update={"collection": live[passage.document_id].collection})
            for passage in found
            if passage.document_id in live
            and passage.version_id == live[passage.document_id].version_id
        ]
        not_live = {
            version_id
            for version_id, document_id in documents_of.items()
            if document_id in live and version_id != live[document_id].version_id
        }
        dropped = {each.document_id for each in found if each.version_id in not_live}
        crowded_out = dropped and len(kept) < query.top_k and len(found) == limit
        if dropped <= {each.document_id for each in kept} and not crowded_out:
            break
    return kept[: query.top_k]


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
    answerer = _answerer(get_spaces().readable())
    mode = Mode(run.job.payload["mode"]) if "mode" in run.job.payload else None
    meter = answerer.meter()
    # Generators know passages alone: earlier turns only make the question stand alone.
    asked = get_conversations().prepare(run.job, rewrite=_rewrite(meter), recall=False)
    if asked is None:
        answered = answerer.answer(_query(run.job), run.checkpoint, mode=mode, meter=meter)
        return answered.model_dump_json()
    query = _query(run.job).model_copy(update={"question": asked.standalone.text})
    drawn = [get_conversations().context(asked, [], turns=False)]

    def within(passages: list[Passage]) -> list[Passage]:
        drawn.append(get_conversations().context(asked, passages, turns=False))
        return list(drawn[-1].passages)

    answered = answerer.answer(query, run.checkpoint, within, mode, meter)
    return get_conversations().finish(run, asked, answered, drawn[-1]).model_dump_json()


def _rewrite(meter: "Meter") -> Rewrite:
    """What makes a follow-up stand alone: the model where there is one, and else the rule."""
    models = get_models()
    if models is None:
        return standalone
    from flotilla.rag.llm import Role

    def by_model(history: Sequence[Turn], question: str) -> Standalone:
        try:
            told = models.complete(
                Role.REWRITE, rewriting.messages(history, question), meter, prompt=rewriting.PROMPT
            )
        except (BudgetSpent, ModelRejected, ModelUnavailable):
            return standalone(history, question)
        return rewriting.rewritten(history, question, str(told.text))

    return by_model


@app.task(name=pipelines.REMEMBER, throws=(DependencyUnavailable,))
def remember() -> int:
    """Write the points of turns that are missing, of which there are many after a change of the
    embedding model; returns how many there were."""
    if not get_redis().set(REMEMBERING, "1", nx=True, px=REMEMBERING_MILLISECONDS):
        return 0  # another worker is at it
    try:
        return get_memory().remember_lost(
            lambda: get_redis().pexpire(REMEMBERING, REMEMBERING_MILLISECONDS)
        )
    finally:
        get_redis().delete(REMEMBERING)


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
