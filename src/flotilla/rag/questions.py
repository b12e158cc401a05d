"""Answering as the fleet does it: a question by itself, or as a turn of its conversation."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from threading import Lock
from typing import TYPE_CHECKING

from flotilla.blobs import BlobStore
from flotilla.cache_use import CachePolicy
from flotilla.errors import BudgetSpent, ModelRejected, ModelUnavailable
from flotilla.ledger.database import get_database
from flotilla.ledger.reply_runs import ReplyRun
from flotilla.models import Answer, ChatAnswer, Mode, Passage, Query, Turn
from flotilla.pages import read_page
from flotilla.rag import rewriting
from flotilla.rag.answering import Answerer, build_generator, build_models
from flotilla.rag.caching.keys import Asked
from flotilla.rag.conversation import Conversations, Rewrite
from flotilla.rag.followups import Standalone, standalone
from flotilla.rag.memory import Memory
from flotilla.rag.retrieval import get_bm25, get_caches, get_spaces, retrieve
from flotilla.settings import get_settings
from flotilla.vectorstore.spaces import VectorSpace

if TYPE_CHECKING:
    from flotilla.rag.graphs.state import ReadPage
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
                lambda query: retrieve(query, space),
                build_generator(space.embedder),
                get_models(),
                get_settings().rag,
                _pages_of,
                get_web(),
            )
        return _answerers[space.id]


def _space() -> VectorSpace:
    return get_spaces().readable()


@lru_cache(maxsize=1)
def get_memory() -> Memory:
    """What recalls and remembers turns of conversations."""
    return Memory(get_database, _space, get_bm25(), get_settings().rag)


@lru_cache(maxsize=1)
def get_conversations() -> Conversations:
    """What reads questions as turns of their conversations."""

    def count(texts: Sequence[str]) -> list[int]:
        return _space().embedder.count_tokens(texts)

    return Conversations(get_database, get_memory(), count, get_settings().rag)


def answer_query(
    query: Query,
    policy: CachePolicy,
    checkpoint: Callable[[], None] | None = None,
    mode: Mode | None = None,
) -> Answer:
    """The answer to a question, an earlier one where that still holds."""
    space = get_spaces().readable()
    chosen = mode or Mode(get_settings().rag.mode)
    return get_caches().answer(
        Asked(query=query, mode=chosen),
        space,
        lambda: answerer_of(space).answer(query, checkpoint, mode=chosen),
        policy,
    )


def answer_turn(
    run: ReplyRun, query: Query, policy: CachePolicy, mode: Mode | None = None
) -> ChatAnswer:
    """The answer to the job's turn of its conversation.

    An earlier answer is never given again here: what a turn means, the turns before it decide.
    """
    conversations = get_conversations()
    answerer = answerer_of(get_spaces().readable())
    meter = answerer.meter()
    # Generators know passages alone: earlier turns only make the question stand alone.
    asked = conversations.prepare(run.job, rewrite=_rewrite(meter), recall=False)
    assert asked is not None  # noqa: S101 - such a job has a conversation
    drawn = [conversations.context(asked, [], turns=False)]

    def within(passages: list[Passage]) -> list[Passage]:
        drawn.append(conversations.context(asked, passages, turns=False))
        return list(drawn[-1].passages)

    alone = query.model_copy(update={"question": asked.standalone.text})
    with get_caches().searching(query.tenant_id, policy) as use:
        answered = answerer.answer(alone, run.checkpoint, within, mode, meter)
    answered = answered.model_copy(update={"cached": use.cached()})
    return conversations.finish(run, asked, answered, drawn[-1])


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
