"""The caches around a question: looked into in turn, and filled with what had to be computed.

The generations are read before anything is looked for or searched, and what is computed is kept
under those. Should a document change meanwhile, nobody reads that key again; and what is read under
a key was computed after the last change that the key's reader can know of.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pydantic import TypeAdapter, ValidationError

from flotilla.cache_store import CacheStore, Kept, key_of
from flotilla.cache_use import CachePolicy, CacheUse, current_use, using
from flotilla.ledger import generations
from flotilla.ledger.database import Database
from flotilla.models import Answer, CacheOutcome, Passage, Query, Step, Usage
from flotilla.rag.caching.flights import Flights
from flotilla.rag.caching.keys import (
    Asked,
    Ground,
    answer_key,
    fingerprint,
    retrieval_key,
    scope_of,
)
from flotilla.rag.caching.semantic import EarlierQuestions
from flotilla.settings import CACHED, Settings
from flotilla.vectorstore.spaces import VectorSpace

ANSWER, SEMANTIC, RETRIEVAL = "answer", "semantic", "retrieval"
EARLIER = "earlier"
"""Answers once more, for longer, for when no model answers."""

_PASSAGES = TypeAdapter(list[Passage])

# What belongs to the run that computed an answer, and not to the answer.
_OF_THE_RUN = {"cached", "timings", "trace", "usage"}


class Caches:
    """The caches of one process; safe to share between threads.

    Args:
        store: holds what is kept; without one all is computed.
        settings: say for how long.
        database: gives the ledger, which has the generations.
    """

    def __init__(
        self, store: CacheStore | None, settings: Settings, database: Callable[[], Database]
    ) -> None:
        self._store = store
        self._settings = settings.cache
        self._database = database
        self._fingerprint = fingerprint(settings)
        chain_has_it = CACHED in settings.llm.fallbacks
        self._earlier_seconds = settings.cache.fallback_ttl if chain_has_it else 0
        self._flights = Flights()
        self._earlier = (
            EarlierQuestions(store, settings.cache.semantic_threshold) if store else None
        )

    # --- answers ---------------------------------------------------------------------------

    def answer(
        self,
        asked: Asked,
        space: VectorSpace,
        compute: Callable[[], Answer],
        policy: CachePolicy | None = None,
        on_hit: Callable[[Answer], None] = lambda _answer: None,
    ) -> Answer:
        """The answer to a question: an earlier one that still holds, else what `compute` gives.

        That is kept unless it is not what the question deserves: `notes`, or a `fallback_used`.

        Args:
            asked: the question.
            space: that it is answered from.
            compute: answers it; retrieves by `passages`, so that these are cached as well.
            policy: what the request asks of the caches.
            on_hit: is given an answer that was not computed, before it is returned.
        """
        with self._use(asked.query.tenant_id, policy or CachePolicy()) as use:
            answer = self._answer(asked, space, compute, on_hit, use)
            return answer.model_copy(update={"cached": use.cached()})

    def _answer(
        self,
        asked: Asked,
        space: VectorSpace,
        compute: Callable[[], Answer],
        on_hit: Callable[[Answer], None],
        use: CacheUse,
    ) -> Answer:
        store, seconds, policy = self._store, self._settings.answer_ttl, use.policy
        if store is None or not seconds or not (policy.reads or policy.writes):
            bypassed = store is not None and seconds
            use.note(ANSWER, CacheOutcome.BYPASS if bypassed else CacheOutcome.OFF)
            return compute()
        began = time.perf_counter()
        scope = scope_of(asked, self.ground(asked.query, space), self._fingerprint)
        key = answer_key(scope, asked.query.question)
        if not policy.reads:
            use.note(ANSWER, CacheOutcome.BYPASS)
            use.note(SEMANTIC, CacheOutcome.BYPASS)
            return self._computed(asked, space, scope, key, compute, use)
        # Joined before it is looked for: who has looked in vain a moment before another was done
        # would do it again.
        with self._flights.joined(key, policy) as (shared, land):
            if shared is None:
                found = self._found(store, asked, space, scope, key, use)
                if found is None:
                    answer = self._computed(asked, space, scope, key, compute, use)
                    if self._seconds(answer, use):
                        land(answer)
                    return answer
                land(found.model_copy(update={"cached": use.cached()}))
            else:
                _explain_shared(shared, use)
                found = shared
        took = round(1000 * (time.perf_counter() - began), 2)
        cached = use.cached()
        seen = cached.model_dump(mode="json", include={"age", "question", "cosine"})
        step = Step(
            name="cache",
            started=0.0,
            took=took,
            saw={name: value for name, value in seen.items() if value is not None},
        )
        changes = {
            "question": asked.query.question,
            "trace": (step,),
            "usage": Usage(),
            "timings": {"cache": took},
            "cached": cached,
        }
        answer = found.model_copy(update=changes)
        on_hit(answer)
        return answer

    def earlier(self, asked: Asked, space: VectorSpace) -> tuple[Answer, float] | None:
        """An answer that the documents still bear out, however old and whatever the request asks
        of the caches, and its age in seconds: for a run whose models have all failed. What follows
        from it is not kept (`fallback_used`)."""
        store = self._store
        if store is None or not self._earlier_seconds:
            return None
        scope = scope_of(asked, self.ground(asked.query, space), self._fingerprint)
        key = answer_key(scope, asked.query.question)
        found = _fresh(store.get(key_of(asked.query.tenant_id, EARLIER, key)), CachePolicy())
        if found is not None:
            return found
        use = CacheUse()
        answer = self._found(store, asked, space, scope, key, use)
        return None if answer is None else (answer, use.cached().age or 0.0)

    def _found(
        self,
        store: CacheStore,
        asked: Asked,
        space: VectorSpace,
        scope: str,
        key: str,
        use: CacheUse,
    ) -> Answer | None:
        """An earlier answer to this question, or to one that means the same."""
        tenant_id, question = asked.query.tenant_id, asked.query.question
        kept = store.get(key_of(tenant_id, ANSWER, key))
        found = _fresh(kept, use.policy)
        if found is not None:
            use.note(ANSWER, CacheOutcome.HIT)
            use.explain(age=found[1])
            return found[0]
        if not store.available:
            use.note(ANSWER, CacheOutcome.OFF)
            return None
        use.note(ANSWER, CacheOutcome.MISS)
        if self._earlier is None or not self._settings.semantic_ttl:
            return None
        vector = space.embedder.embed_query(question)
        for earlier in self._earlier.find(tenant_id, scope, question, vector):
            found = _fresh(store.get(key_of(tenant_id, ANSWER, earlier.answer_key)), use.policy)
            if found is not None and found[0].answerable:
                use.note(SEMANTIC, CacheOutcome.HIT)
                use.explain(age=found[1], question=earlier.question, cosine=earlier.cosine)
                return found[0]
        use.note(SEMANTIC, CacheOutcome.MISS)
        return None

    def _computed(
        self,
        asked: Asked,
        space: VectorSpace,
        scope: str,
        key: str,
        compute: Callable[[], Answer],
        use: CacheUse,
    ) -> Answer:
        answer = compute()
        seconds = self._seconds(answer, use)
        if self._store is None or not seconds:
            return answer
        tenant_id, question = asked.query.tenant_id, asked.query.question
        kept = answer.model_dump_json(exclude=_OF_THE_RUN).encode()
        done = self._store.put({key_of(tenant_id, ANSWER, key): kept}, seconds)
        if self._earlier_seconds and answer.answerable:
            self._store.put({key_of(tenant_id, EARLIER, key): kept}, self._earlier_seconds)
        semantic = min(self._settings.semantic_ttl, seconds)
        if done and semantic and answer.answerable and self._earlier is not None:
            vector = space.embedder.embed_query(question)
            self._earlier.add(tenant_id, scope, question, vector, key, semantic)
        return answer

    def _seconds(self, answer: Answer, use: CacheUse) -> int:
        """For how long an answer is kept."""
        unfit = answer.fallback_used is not None or answer.notes
        if not use.policy.writes or unfit:
            return 0
        if answer.answerable:
            return self._settings.answer_ttl
        return min(self._settings.refusal_ttl, self._settings.answer_ttl)

    # --- passages --------------------------------------------------------------------------

    def passages(
        self, query: Query, space: VectorSpace, retrieve: Callable[[], list[Passage]]
    ) -> list[Passage]:
        """A query's passages: those of an earlier search that still hold, else a new one's."""
        store, seconds, use = self._store, self._settings.retrieval_ttl, current_use()
        policy = use.policy
        if store is None or not seconds or not (policy.reads or policy.writes):
            bypassed = store is not None and seconds
            use.note(RETRIEVAL, CacheOutcome.BYPASS if bypassed else CacheOutcome.OFF)
            return retrieve()
        key = key_of(
            query.tenant_id,
            RETRIEVAL,
            retrieval_key(query, self.ground(query, space), self._fingerprint),
        )
        if policy.reads:
            kept = store.get(key)
            if kept is not None and _young(kept, policy):
                try:
                    found = _PASSAGES.validate_json(kept.value)
                except ValidationError:  # another version's
                    pass
                else:
                    use.note(RETRIEVAL, CacheOutcome.HIT)
                    return found
            use.note(RETRIEVAL, CacheOutcome.MISS if store.available else CacheOutcome.OFF)
        else:
            use.note(RETRIEVAL, CacheOutcome.BYPASS)
        passages = retrieve()
        if policy.writes:
            store.put({key: _PASSAGES.dump_json(passages)}, seconds)
        return passages

    def ground(self, query: Query, space: VectorSpace) -> Ground:
        """What an answer to a query rests on at this moment."""
        with self._database().reading() as connection:
            now = generations.of(connection, query.tenant_id, query.collection_ids)
        return Ground(now, space.id)

    # --- a request -------------------------------------------------------------------------

    @contextmanager
    def searching(self, tenant_id: str, policy: CachePolicy) -> Iterator[CacheUse]:
        """A request that wants passages alone."""
        with self._use(tenant_id, policy) as use:
            yield use

    @contextmanager
    def _use(self, tenant_id: str, policy: CachePolicy) -> Iterator[CacheUse]:
        with using(policy) as use:
            try:
                yield use
            finally:
                if self._store is not None:
                    for cache, outcome in use.outcomes().items():
                        if outcome in (CacheOutcome.HIT, CacheOutcome.MISS):
                            self._store.count(tenant_id, cache, outcome.value)

    @property
    def available(self) -> bool:
        """Whether what is computed can be kept."""
        return self._store is not None and self._store.available


def _explain_shared(shared: Answer, use: CacheUse) -> None:
    """Note where an answer comes from that another request has found or computed meanwhile."""
    of = shared.cached
    if of.semantic is CacheOutcome.HIT:
        use.explain(answer=CacheOutcome.MISS, semantic=CacheOutcome.HIT)
        use.explain(age=of.age, question=of.question, cosine=of.cosine)
    else:
        use.explain(answer=CacheOutcome.HIT, age=of.age or 0.0)


def _young(kept: Kept, policy: CachePolicy) -> bool:
    return policy.max_age is None or kept.age <= policy.max_age


def _fresh(kept: Kept | None, policy: CachePolicy) -> tuple[Answer, float] | None:
    """The answer that is kept and its age; None where it is too old, or another version's."""
    if kept is None or not _young(kept, policy):
        return None
    try:
        return Answer.model_validate_json(kept.value), kept.age
    except ValidationError:
        return None
