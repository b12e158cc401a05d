"""The tasks of the fleet `rag`: answer, search, make questions, remember turns, and warm the
caches."""

import time
from typing import TYPE_CHECKING

from celery.canvas import Signature

from flotilla import pipelines
from flotilla.broker import app, at_start
from flotilla.cache_use import CachePolicy
from flotilla.errors import DependencyUnavailable
from flotilla.ledger.jobs import Job
from flotilla.ledger.replies import reply
from flotilla.ledger.reply_runs import ReplyRun
from flotilla.ledger.runs import StageRun
from flotilla.ledger.stages import stage
from flotilla.models import Found, Mode, Query
from flotilla.rag import warming
from flotilla.rag.busy import at_work
from flotilla.rag.exercises.requests import exercises_for
from flotilla.rag.questions import answer_query, answer_turn, answerer_of, get_memory, get_models
from flotilla.rag.retrieval import get_caches, get_spaces, retrieve
from flotilla.rag.streamed_runs import listening
from flotilla.rag.wordings import Rewording
from flotilla.redis_connections import get_redis
from flotilla.retrieval_steps import Retrieval, chosen, resolve
from flotilla.settings import get_settings
from flotilla.step_times import timing_steps

if TYPE_CHECKING:
    from flotilla.rag.llm.meter import Meter

REMEMBERING = "flotilla:remembering"
REMEMBERING_MILLISECONDS = 60_000


@at_start
def _warm_up() -> None:
    """Load the models and the graph once a process, before the first question: several that came
    at once would import the same packages at the same time."""
    from flotilla.rag.graphs.graph import graph_of

    get_spaces().load_at_start(writes=False)
    graph_of(Mode(get_settings().rag.mode))
    try:
        answerer_of(get_spaces().readable())
    except DependencyUnavailable:  # the ledger, which the first question waits for
        return


def _query(job: Job) -> Query:
    asked = Retrieval.model_validate(job.payload.get("retrieval", {}))
    return Query(
        tenant_id=job.tenant_id,
        question=job.payload["question"],
        collection_ids=tuple(job.payload["collection_ids"]),
        top_k=job.payload["top_k"],
        filter=job.payload["filter"],
        retrieval=chosen(asked, get_settings().retrieval),
    )


def _policy(job: Job) -> CachePolicy:
    return CachePolicy(**job.payload.get("cache", {}))


@reply(pipelines.ANSWER)
def answer(run: ReplyRun) -> str:
    """Answer the job's question."""
    query, policy = _query(run.job), _policy(run.job)
    mode = Mode(run.job.payload["mode"]) if "mode" in run.job.payload else None
    with at_work(), listening(run) as listener:
        if run.job.conversation_id is not None:
            return answer_turn(run, query, policy, mode, listener).model_dump_json()
        return answer_query(query, policy, mode, run, listener).model_dump_json()


def _meter() -> "Meter":
    from flotilla.rag.llm.meter import Meter

    settings = get_settings().rag
    return Meter(seconds=settings.budget_seconds, tokens=settings.budget_tokens)


@reply(pipelines.SEARCH)
def search(run: ReplyRun) -> str:
    """Find the passages that are nearest to the job's question."""
    began = time.perf_counter()
    query = _query(run.job)
    rewording = Rewording(get_models(), _meter(), run.checkpoint)
    with (
        at_work(),
        get_caches().searching(run.job.tenant_id, _policy(run.job)) as use,
        timing_steps() as steps,
    ):
        passages = retrieve(query, get_spaces().readable(), rewording)
    took = round(1000 * (time.perf_counter() - began), 2)
    found = Found(
        question=run.job.payload["question"],
        passages=tuple(passages),
        retrieval=resolve(query.retrieval, get_settings().retrieval),
        notes=tuple(rewording.notes),
        timings={"retrieve": took} | steps.milliseconds(),
        cached=use.cached(),
    )
    return found.model_dump_json()


@reply(pipelines.QUESTIONS)
def questions(run: ReplyRun) -> str:
    """Make questions from the documents of the job's collections."""
    with at_work():
        return exercises_for(run).model_dump_json()


@stage(pipelines.WARM)
def warm(run: StageRun) -> Signature | None:
    """Ask the job's questions from where the last attempt has come to."""
    return warming.warm(run)


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
