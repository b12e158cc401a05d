"""Making exercises as the fleet does it: from a job to its sheet."""

import uuid
from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from flotilla.cache_use import CachePolicy
from flotilla.ledger import documents
from flotilla.ledger.database import get_database
from flotilla.ledger.jobs import Job
from flotilla.ledger.reply_runs import ReplyRun
from flotilla.logging import get_logger
from flotilla.models import CHUNK_NAMESPACE, Passage, Query
from flotilla.rag.exercises.by_model import PROMPT, WrittenQuestions
from flotilla.rag.exercises.making import Writer, make, passages_wanted
from flotilla.rag.questions import get_models
from flotilla.rag.retrieval import get_caches, get_spaces, retrieve
from flotilla.retrieval_steps import Retrieval
from flotilla.schemas import ExerciseMode, GenerateQuestionsResponse
from flotilla.settings import EXTRACTIVE, get_settings
from flotilla.vectorstore.spaces import VectorSpace

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from flotilla.rag.extractive.generator import ExtractiveGenerator
    from flotilla.rag.llm import Meter, Models

logger = get_logger(__name__)

MOST_RETRIEVED = 100
"""Passages on a topic of which questions are made, at most: others are about something else."""


def exercises_for(run: ReplyRun) -> GenerateQuestionsResponse:
    """The sheet of a job's exercises, from what its collections hold now.

    Raises:
        DependencyUnavailable: the vector store or the ledger is out of reach.
        ModelUnavailable, ModelRejected: as for an answer.
    """
    from flotilla.rag.llm.meter import Meter

    space = get_spaces().readable()
    payload, rag, models = run.job.payload, get_settings().rag, get_models()
    # What takes no model's time counts as well: whoever asked waits for it.
    meter = Meter(seconds=rag.budget_seconds, tokens=rag.budget_tokens)
    made = make(
        _passages(run.job, space),
        topic=payload["topic"],
        count=payload["count"],
        mode=ExerciseMode(payload["mode"]),
        sentences=_sentences(cast("Hashable", space.embedder)) if payload["topic"] else None,
        writer=None if models is None else writer_of(models, meter),
        checkpoint=run.checkpoint,
    )
    usage = meter.usage()
    if usage.calls:
        logger.info("questions.made", **usage.model_dump())
    return made


def writer_of(models: "Models", meter: "Meter") -> Writer:
    """What has the models write exercises, counted by the meter."""
    from flotilla.rag.llm import Role

    def ask(
        messages: "Sequence[BaseMessage]", schema: type[WrittenQuestions], /
    ) -> WrittenQuestions:
        return models.structured(Role.ANSWER, messages, schema, meter, prompt=PROMPT)

    return Writer(ask, may_extract=EXTRACTIVE in models.after_models())


@lru_cache(maxsize=2)
def _sentences(embedder: Any) -> "ExtractiveGenerator":
    """What tells a topic in other words. It keeps the sentences' vectors for the next request."""
    from flotilla.rag.extractive.generator import ExtractiveGenerator

    return ExtractiveGenerator(embedder)


def _passages(job: Job, space: VectorSpace) -> list[Passage]:
    """What the exercises are made from: the nearest to the topic first, where there is one."""
    wanted = passages_wanted(job.payload["count"])
    if job.payload["topic"] is None:
        return _spread(job, space, wanted)
    query = Query(
        tenant_id=job.tenant_id,
        question=job.payload["topic"],
        collection_ids=tuple(job.payload["collection_ids"]),
        top_k=min(wanted, MOST_RETRIEVED),
        retrieval=Retrieval(expand_tokens=0, documents=0, queries=0),
    )
    with get_caches().searching(job.tenant_id, CachePolicy()):
        return retrieve(query, space)


def _spread(job: Job, space: VectorSpace, limit: int) -> list[Passage]:
    """Passages from here and there of what the ledger names live; other ones for each job."""
    begin = str(uuid.uuid5(CHUNK_NAMESPACE, job.id))
    found = space.points.spread(job.tenant_id, job.payload["collection_ids"], limit, begin)
    with get_database().reading() as connection:
        live = documents.live(connection, {passage.document_id for passage in found})
    return [
        passage
        for passage in found
        if passage.document_id in live
        and passage.version_id == live[passage.document_id].version_id
    ]
