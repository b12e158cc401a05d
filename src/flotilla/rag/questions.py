"""Answering as the fleet does it: a question by itself, or as a turn of its conversation."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache, partial
from threading import Lock
from typing import TYPE_CHECKING

from flotilla.answer_streams import UNHEARD, Listener
from flotilla.blobs import BlobStore
from flotilla.cache_use import CachePolicy
from flotilla.errors import BudgetSpent, DependencyUnavailable, ModelRejected, ModelUnavailable
from flotilla.ledger.database import get_database
from flotilla.ledger.reply_runs import ReplyRun
from flotilla.models import Answer, ChatAnswer, Mode, Passage, Query, Turn
from flotilla.pages import read_page
from flotilla.rag import rewriting
from flotilla.rag.answering import Answerer, Run, build_generator, build_models
from flotilla.rag.caching.keys import Asked
from flotilla.rag.checkpoints import Checkpoints
from flotilla.rag.conversation import Conversations, Rewrite
from flotilla.rag.followups import Standalone, standalone
from flotilla.rag.memory import Memory
from flotilla.rag.recital import ToldSteps, recite
from flotilla.rag.retrieval import get_bm25, get_caches, get_spaces, read_tables, retrieve
from flotilla.settings import get_settings
from flotilla.vectorstore.spaces import VectorSpace

if TYPE_CHECKING:
    from flotilla.rag.graphs.state import ReadPage, State
    from flotilla.rag.llm import Meter, Models
    from flotilla.rag.web import SearchWeb

SPACES = 4
"""Embedding models that are answered with at once, at most: one, or two around a switch."""


@lru_cache(maxsize=1)
def get_models() -> "Models | None":
    """The language models of this process; None where answers are extractive."""
    settings = get_settings()
    return build_models(settings.llm, settings.redis_url)


@lru_cache(maxsize=1)
def get_blobs() -> BlobStore:
    """Where the documents' pages lie."""
    return BlobStore(get_settings().blobs_url)


@lru_cache(maxsize=1)
def get_checkpoints() -> Checkpoints:
    """The checkpoints of runs, beside the ledger."""
    return Checkpoints(get_settings().ledger_url)


@lru_cache(maxsize=1)
def get_web() -> "SearchWeb | None":
    """What searches the web for this process; None without a key."""
    settings = get_settings()
    if settings.web.api_key is None:
        return None
    from flotilla.rag.llm.breaker import Breaker
    from flotilla.rag.llm.fleet_state import FleetState
    from flotilla.rag.web import TavilySearch

    return TavilySearch(settings.web, Breaker(FleetState(settings.redis_url), settings.llm))


def _pages_of(tenant_id: str) -> "ReadPage":
    return partial(read_page, get_database(), get_blobs(), tenant_id)


_answerers: dict[str, Answerer] = {}
_answerers_lock = Lock()


def answerer_of(space: VectorSpace) -> Answerer:
    """What answers from a space. It compares sentences with the space's model, too."""
    with _answerers_lock:
        if space.id not in _answerers:
            if len(_answerers) >= SPACES:
                _answerers.pop(next(iter(_answerers)))
            _answerers[space.id] = Answerer(
                lambda query, reword=None: retrieve(query, space, reword),
                build_generator(space.embedder),
                get_models(),
                get_settings().rag,
                _pages_of,
                get_web(),
                get_checkpoints(),
                lambda query, found: read_tables(query, found, space),
            )
        return _answerers[space.id]


def _space() -> VectorSpace:
    return get_spaces().readable()


@lru_cache(maxsize=1)
def get_memory() -> Memory:
    """What recalls and remembers turns of conversations."""
    settings = get_settings()
    return Memory(get_database, _space, get_bm25(), settings.rag, settings.retrieval)


@lru_cache(maxsize=1)
def get_conversations() -> Conversations:
    """What reads questions as turns of their conversations."""

    def count(texts: Sequence[str]) -> list[int]:
        return _space().embedder.count_tokens(texts)

    return Conversations(get_database, get_memory(), count, get_settings().rag)


def answer_query(
    query: Query,
    policy: CachePolicy,
    mode: Mode | None = None,
    run: ReplyRun | None = None,
    listener: Listener = UNHEARD,
) -> Answer:
    """The answer to a question, which may be that of a job; an earlier one where it still holds.
    The listener is told of either."""
    space = get_spaces().readable()
    chosen = mode or Mode(get_settings().rag.mode)
    asked = Asked(query=query, mode=chosen)
    asking = Run(mode=chosen, listener=listener, earlier=lambda: get_caches().earlier(asked, space))

    def tell(kept: Answer) -> None:
        told = ToldSteps(listener)
        for step in kept.trace:
            told.tell(step)
        recite(kept.text, kept.citations, listener)

    def compute() -> Answer:
        if run is None:
            return answerer_of(space).answer(query, asking)
        _forget_at_end(run)
        of_job = replace(
            asking,
            checkpoint=run.checkpoint,
            thread=run.job.id,
            spent=run.spent,
            calls=run.calls,
            ground=_ground(query, space),
        )
        return answerer_of(space).answer(query, of_job)

    return get_caches().answer(asked, space, compute, policy, on_hit=tell)


def answer_turn(
    run: ReplyRun,
    query: Query,
    policy: CachePolicy,
    mode: Mode | None = None,
    listener: Listener = UNHEARD,
) -> ChatAnswer:
    """The answer to the job's turn of its conversation, of which the listener is told.

    An earlier answer is never given again here: what a turn means, the turns before it decide.
    """
    conversations = get_conversations()
    space = get_spaces().readable()
    answerer = answerer_of(space)
    meter = answerer.meter()
    ground = _ground(query, space)
    saved = answerer.saved(run.job.id, mode, ground)
    rewrite = _as_before(saved) if saved else _rewrite(meter)
    # An answer of sentences of the documents has no use for earlier turns.
    turns = get_models() is not None
    asked = conversations.prepare(run.job, rewrite=rewrite, recall=turns)
    assert asked is not None  # noqa: S101 - such a job has a conversation

    alone = query.model_copy(update={"question": asked.standalone.text})
    of_turn = Asked(query=alone, mode=mode or Mode(get_settings().rag.mode))

    def within(passages: list[Passage]) -> "State":
        drawn = conversations.context(asked, passages, turns=turns)
        return {
            "passages": list(drawn.passages),
            "turns": list(drawn.turns),
            "used": drawn.used,
        }

    asking = Run(
        mode=mode,
        meter=meter,
        checkpoint=run.checkpoint,
        within=within,
        thread=run.job.id,
        spent=run.spent,
        calls=run.calls,
        ground=ground,
        rewritten=asked.standalone.why if asked.standalone.changed else None,
        own=asked.standalone.own,
        chat=True,
        listener=listener,
        earlier=lambda: get_caches().earlier(of_turn, space),
    )
    _forget_at_end(run)
    with get_caches().searching(query.tenant_id, policy) as use:
        answered = answerer.run(alone, asking)
    answer = answered.answer.model_copy(update={"cached": use.cached()})
    used = answered.used or conversations.context(asked, [], turns=False).used
    return conversations.finish(run, asked, answer, used)


def _as_before(saved: "State") -> Rewrite:
    """The wording with which the run began."""
    why = saved["rewritten"]
    alone = Standalone(
        saved["query"].question,
        changed=why is not None,
        why=why or "it was left as it was",
        own=saved.get("own"),
    )
    return lambda _history, _question: alone


def _forget_at_end(run: ReplyRun) -> None:
    """Drop the run's checkpoints once its answer is in the ledger."""
    if get_models() is None:
        return
    kept = get_checkpoints()
    run.after_end.append(lambda: kept.drop(run.job.id))
    with suppress(DependencyUnavailable):  # another run will
        kept.drop_ended_now_and_then(run.database)


def _ground(query: Query, space: VectorSpace) -> str:
    """What an answer rests on, as a run's checkpoints name it; no run goes on with what was found
    on another. Without a model there are no checkpoints."""
    if get_models() is None:
        return ""
    ground = get_caches().ground(query, space)
    return json.dumps([dict(ground.generations), ground.space_id])


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
