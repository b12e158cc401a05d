"""The change of the embedding model: fill another space beside the one that answers, then switch.

Everything follows from the ledger and from what the space holds already, so that each stage may be
killed at any moment and begun again. Until the switch the space before answers, and after it it is
kept up to date, so that the way back is a switch again.
"""

import time
from collections.abc import Sequence
from typing import Any

import redis
from celery.canvas import Signature

from flotilla import pipelines
from flotilla.errors import (
    Cancelled,
    Conflict,
    DependencyUnavailable,
    ModelMissing,
)
from flotilla.heartbeats import live_workers
from flotilla.ledger import job_ends, jobs, model_migrations, spaces
from flotilla.ledger.endings import tell
from flotilla.ledger.runs import StageRun
from flotilla.ledger.spaces import Space, SpaceState
from flotilla.ledger.stages import stage
from flotilla.logging import get_logger
from flotilla.settings import get_settings
from flotilla.vectorstore.embedders import dimensions_of
from flotilla.vectorstore.filling import Filling, Piece
from flotilla.vectorstore.loaded import get_indexer, get_spaces
from flotilla.vectorstore.spaces import READY, VectorSpace

logger = get_logger(__name__)

LOADING_SECONDS = 120.0
"""Time for the workers to load a model; then the stage is tried again later."""

MISSING_SECONDS = 6.0
"""A worker that lacks the model may show so for a moment after it was pulled."""

LOOK_SECONDS = 0.5


@stage(pipelines.PREPARE_SPACE)
def prepare_space(run: StageRun) -> Signature:
    """See that every worker has the model, let the space be written, and plan its filling."""
    space = _space(run)
    _wait_for_models(run, space)
    if space.state is SpaceState.PREPARING:
        dimensions = dimensions_of(get_settings(), space.model)
        with run.writing() as connection:
            spaces.fill(connection, space.id, dimensions)
    target = _target(run)
    target.points.ensure()
    plan: list[list[list[Piece]]] = [[parts] for parts in _filling(run, target).parts()]
    documents = sum(piece[3] for [parts] in plan for piece in parts)
    run.progress(0, documents, "documents")
    with run.writing() as connection:
        model_migrations.note(connection, run.job.id, documents=documents)
    # A chord has to have a header.
    return pipelines.fill_space(run.job.id, run.plan(pipelines.FILL_SPACE, plan or [[[]]]))


def _space(run: StageRun) -> Space:
    """The space that the job is about; one that was given up for want of its model is revived."""
    space_id = run.job.payload["space"]
    with run.writing() as connection:
        spaces.revive(connection, space_id)
        space = spaces.get(connection, space_id)
    if space is None or space.state in (SpaceState.DROPPED, SpaceState.ACTIVE):
        raise Conflict("The model was dropped, or answers already: begin a new migration.")
    return space


def _target(run: StageRun) -> VectorSpace:
    space = get_spaces().get(run.job.payload["space"])
    if space is None:
        raise Cancelled("The model was dropped meanwhile.")
    return space


def _filling(run: StageRun, space: VectorSpace) -> Filling:
    return Filling(run, space, get_indexer())


def _wait_for_models(run: StageRun, space: Space) -> None:
    """Return when every worker that embeds has loaded the space's model.

    Raises:
        ModelMissing: a worker cannot load it; a space that nothing was written to is given up.
        DependencyUnavailable: they take too long.
    """
    began = time.monotonic()
    while True:
        run.checkpoint()
        try:
            workers = live_workers("vectorstore", "rag")
        except redis.RedisError as error:
            raise DependencyUnavailable("Redis does not answer: it will be tried again.") from error
        told = {worker["name"]: worker.get("models", {}).get(space.model) for worker in workers}
        waited = time.monotonic() - began
        refusing = {name: word for name, word in told.items() if word not in (None, READY)}
        if refusing and waited > MISSING_SECONDS:
            with run.writing() as connection:
                spaces.drop(connection, space.id, SpaceState.PREPARING)
            raise ModelMissing(
                f"The workers {', '.join(sorted(refusing))} do not have the model {space.name}: "
                f"run `flotilla models pull {space.name}` on their machines, then retry this task."
            )
        loading = sorted(name for name, word in told.items() if word is None)
        if not loading and not refusing:
            return
        if waited > LOADING_SECONDS:
            raise DependencyUnavailable(
                f"The workers {', '.join(loading)} have not loaded the model {space.name} yet."
            )
        time.sleep(LOOK_SECONDS)


# --- filling -------------------------------------------------------------------------------


@stage(pipelines.FILL_SPACE)
def fill_space(run: StageRun, pieces: Sequence[Piece]) -> None:
    """Write some documents that are live to the space."""
    space = _target(run)
    filling = _filling(run, space)
    documents = longest = 0
    for version_id, first, stop, last in pieces:
        run.checkpoint()
        longest = max(longest, filling.fill(version_id, first, stop))
        documents += bool(last)
    _note_longest(run, space, longest)
    get_spaces().clear_dropped([space])
    run.finish_part(documents, run.job.payload.get("documents"), "documents")


def _note_longest(run: StageRun, space: VectorSpace, longest: int) -> None:
    if longest <= space.embedder.max_tokens:
        return
    with run.writing() as connection:
        job = jobs.get(connection, run.job.id)
        known = job.payload.get("longest", 0) if job is not None else 0
        model_migrations.note(connection, run.job.id, longest=max(known, longest))


# --- the switch ----------------------------------------------------------------------------


@stage(pipelines.SWITCH_SPACE, after=pipelines.FILL_SPACE, wave=pipelines.fill_space)
def switch_space(run: StageRun) -> None:
    """Compare the space with the ledger, complete it, and let it answer."""
    space = _target(run)
    documents = _filling(run, space).verify()
    # Workers may have started since, on machines of their own.
    _wait_for_models(run, space.row)
    with run.writing() as connection:
        if not spaces.switch(connection, space.id):
            raise Conflict("The model was dropped, or answers already: begin a new migration.")
        job = jobs.get(connection, run.job.id)
        result = {
            "model": space.row.name,
            "previous_model": run.job.payload.get("previous"),
            "documents": documents,
            "warnings": _warnings(space, job.payload if job is not None else {}),
        }
        ended = job_ends.complete(connection, run.job.id, result)
    logger.info("migration.switched", model=space.row.model, documents=documents)
    if ended is not None:
        tell(run.database, ended)


def _warnings(space: VectorSpace, payload: dict[str, Any]) -> list[str]:
    warnings = []
    limit = space.embedder.max_tokens
    if payload.get("longest", 0) > limit:
        warnings.append(
            f"The longest chunk has {payload['longest']} tokens and the model takes {limit}: what "
            "is beyond is not embedded. Submit the documents again, with a smaller "
            "FLOTILLA_DOCUMENT_CHUNK_TOKENS."
        )
    if get_settings().embedding.model != space.row.model:
        warnings.append(
            f"New documents are split by the tokens of {get_settings().embedding_model_name} until "
            f"EMBEDDING_MODEL={space.row.model} is set for the fleet 'document'."
        )
    return warnings


# --- the end of a space --------------------------------------------------------------------


@stage(pipelines.DROP_SPACE)
def drop_space(run: StageRun) -> None:
    """Delete the collection of a space that is not written any more."""
    with run.database.reading() as connection:
        space = spaces.get(connection, run.job.payload["space"])
    points = 0
    if space is not None and space.state is SpaceState.DROPPED:
        points = get_spaces().delete(space)
    with run.writing() as connection:
        ended = job_ends.complete(
            connection, run.job.id, {"model": run.job.payload["model"], "points": points}
        )
    if ended is not None:
        tell(run.database, ended)
