"""Filling the caches from a list of questions, while nobody has to wait for it.

A worker does one warming at a time, in one of its threads, and asks one question after another.
It stands back while the worker answers somebody; and as soon as a message waits in the queue, or
after a while, it puts itself behind all that wait.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from threading import Lock

import redis
from celery.canvas import Signature
from celery.exceptions import Ignore

from flotilla import pipelines
from flotilla.cache_use import CachePolicy
from flotilla.errors import CollectionNotFound, DependencyUnavailable, FlotillaError
from flotilla.ledger import collections, job_ends, steps, warmings
from flotilla.ledger.endings import tell
from flotilla.ledger.runs import StageRun
from flotilla.logging import get_logger
from flotilla.models import Answer, CacheOutcome, Query
from flotilla.priorities import lanes
from flotilla.rag.busy import stand_back
from flotilla.rag.questions import answer_query
from flotilla.rag.retrieval import get_caches
from flotilla.redis_connections import get_quick_redis
from flotilla.retrieval_steps import Retrieval, chosen
from flotilla.settings import get_settings

logger = get_logger(__name__)

TURN_SECONDS = 20.0
"""After which a warming puts itself behind whatever waits; a worker that is told to end has to wait
for no longer than that."""

STAND_BACK_SECONDS = 1.0
"""For which it waits, before each question, until nobody is being answered."""

NOTED = 10
"""Questions after which it is noted how far it has come."""

LATER_SECONDS = 3.0
"""After which a second warming is looked at again while this worker has its hands full."""

_turn = Lock()


def warm(run: StageRun) -> Signature | None:
    """Ask the job's questions from where the last attempt has come to."""
    if not _turn.acquire(blocking=False):
        with run.writing() as connection:
            steps.release(connection, run.held, LATER_SECONDS, sent=False, outage=True)
        raise Ignore
    try:
        warming = _Warming(
            run, lambda query: answer_query(query, CachePolicy()), lambda: get_caches().available
        )
        return warming.go_on()
    finally:
        _turn.release()


class _Warming:
    def __init__(
        self, run: StageRun, ask: Callable[[Query], Answer], available: Callable[[], bool]
    ) -> None:
        self._run = run
        self._ask = ask
        self._available = available
        self._questions: list[str] = run.job.payload["questions"]
        self._state = warmings.warmed(run.job.payload)

    def go_on(self) -> Signature | None:
        """Ask until all are asked, or it is somebody else's turn."""
        run = self._run
        self._check_collection()
        began = time.monotonic()
        noted = self._state.done
        while self._state.done < len(self._questions):
            stand_back(STAND_BACK_SECONDS)
            run.checkpoint()
            try:
                self._ask_next()
            except FlotillaError:
                self._note()
                raise
            if self._state.done - noted >= NOTED:
                self._note()
                noted = self._state.done
            if time.monotonic() - began > TURN_SECONDS or _somebody_waits():
                return self._later()
        self._complete()
        return None

    def _check_collection(self) -> None:
        job = self._run.job
        assert job.collection is not None  # noqa: S101 - warmings have one
        with self._run.database.reading() as connection:
            now = collections.resolve(connection, job.tenant_id, [job.collection])
        if now[job.collection] != job.collection_id:
            raise CollectionNotFound("The collection was deleted while its caches were filled.")

    def _ask_next(self) -> None:
        job, state = self._run.job, self._state
        query = Query(
            tenant_id=job.tenant_id,
            question=self._questions[state.done],
            collection_ids=(job.collection_id or "",),
            top_k=job.payload["top_k"],
            filter=job.payload["filter"],
            # As a question that asks for nothing has it, whose answer this is to be.
            retrieval=chosen(Retrieval(), get_settings().retrieval),
        )
        try:
            answer = self._ask(query)
        except FlotillaError as error:
            if error.retryable:
                raise
            logger.info("warming.question_failed", code=error.code)
            self._state = replace(state, done=state.done + 1, failed=state.failed + 1)
            return
        if not self._available():
            raise DependencyUnavailable(
                "The Redis of the caches does not answer: the rest is asked when it does."
            )
        hit = CacheOutcome.HIT in (answer.cached.answer, answer.cached.semantic)
        self._state = replace(
            state,
            done=state.done + 1,
            answered=state.answered + int(answer.answerable),
            refused=state.refused + int(not answer.answerable),
            cached=state.cached + int(hit),
        )

    def _note(self) -> None:
        with self._run.writing() as connection:
            warmings.note(connection, self._run.job.id, self._state, len(self._questions))
        self._run.tell()

    def _later(self) -> Signature:
        run = self._run
        with run.writing() as connection:
            warmings.note(connection, run.job.id, self._state, len(self._questions))
            steps.release(connection, run.held, 0.0, sent=True, outage=True)
        run.tell()
        return pipelines.warm_on(run.job.id)

    def _complete(self) -> None:
        run = self._run
        with run.writing() as connection:
            warmings.note(connection, run.job.id, self._state, len(self._questions))
            result = asdict(self._state)
            result["questions"] = result.pop("done")
            ended = job_ends.complete(connection, run.job.id, result)
        if ended is not None:
            tell(run.database, ended)


def _somebody_waits() -> bool:
    try:
        broker = get_quick_redis()
        return any(int(broker.llen(lane)) for lane in lanes("rag"))
    except redis.RedisError:
        return False
