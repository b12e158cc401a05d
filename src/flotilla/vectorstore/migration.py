"""The change of the embedding model: fill another space beside the one that answers, then switch.

Everything follows from the ledger and from what the space holds already, so that each stage may be
killed at any moment and begun again. Until the switch the space before answers, and after it it is
kept up to date, so that the way back is a switch again.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import redis
from celery.canvas import Signature

from flotilla import pipelines
from flotilla.broker import live_workers
from flotilla.errors import (
    Cancelled,
    Conflict,
    DependencyUnavailable,
    DocumentNotFound,
    ModelMissing,
)
from flotilla.ledger import job_ends, jobs, model_migrations, spaces, versions
from flotilla.ledger import sweep as ledger_sweep
from flotilla.ledger.endings import tell
from flotilla.ledger.runs import StageRun
from flotilla.ledger.spaces import Space, SpaceState
from flotilla.ledger.stages import stage
from flotilla.ledger.sweep import LiveVersion
from flotilla.ledger.versions import Version
from flotilla.logging import get_logger
from flotilla.settings import get_settings
from flotilla.vectorstore.manifest import read_manifest
from flotilla.vectorstore.spaces import READY, VectorSpace
from flotilla.vectorstore.tasks import get_indexer, get_spaces

logger = get_logger(__name__)

PART_CHUNKS = 128
"""Chunks of one part, about a second's work: whoever has an ingestion in the queue waits for no
more than one part a worker."""

PART_DOCUMENTS = 32

LOADING_SECONDS = 120.0
"""Time for the workers to load a model; then the stage is tried again later."""

MISSING_SECONDS = 6.0
"""A worker that lacks the model may show so for a moment after it was pulled."""

LOOK_SECONDS = 0.5

PASSES = 3
"""Times that the space is compared with the ledger before the switch."""

LISTED = 20
"""Documents that an error names."""

Piece = list[Any]
"""Version, first batch of chunks, batch after the last or None, and whether it is the last piece
of its document; as JSON, for a step's arguments."""


@stage(pipelines.PREPARE_SPACE)
def prepare_space(run: StageRun) -> Signature:
    """See that every worker has the model, let the space be written, and plan its filling."""
    space = _space(run)
    _wait_for_models(run, space)
    if space.state is SpaceState.PREPARING:
        manifest = read_manifest(get_settings().model_folder(space.model))
        with run.writing() as connection:
            spaces.fill(connection, space.id, manifest.dimensions)
    target = _target(run)
    target.points.ensure()
    plan: list[list[list[Piece]]] = [[parts] for parts in _parts(_pieces(run, target))]
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


def _pages(run: StageRun) -> Iterator[list[LiveVersion]]:
    """All versions that answer, page by page."""
    after = ""
    while True:
        run.checkpoint()
        with run.database.reading() as connection:
            page = ledger_sweep.live_versions(connection, after)
        if not page:
            return
        after = page[-1].id
        yield page


def _short(space: VectorSpace, page: Sequence[LiveVersion]) -> list[LiveVersion]:
    """The versions of which the space does not have every chunk."""
    counts = space.census.live_counts([version.id for version in page])
    return [version for version in page if counts[version.id] < version.chunks]


def _pieces(run: StageRun, space: VectorSpace) -> Iterator[tuple[int, Piece]]:
    """What the space lacks, long documents in several pieces; each with its chunks."""
    for page in _pages(run):
        for live in _short(space, page):
            if live.chunks <= 2 * PART_CHUNKS:
                yield live.chunks, [live.id, 0, None, True]
                continue
            version = _version(run, live.id)
            batches = get_indexer().batches(version) if version is not None else 0
            size = max(1, PART_CHUNKS * batches // live.chunks)
            for first in range(0, batches, size):
                last = first + size >= batches
                yield PART_CHUNKS, [live.id, first, None if last else first + size, last]


def _parts(pieces: Iterator[tuple[int, Piece]]) -> Iterator[list[Piece]]:
    """Pieces gathered into parts of about equal work."""
    part: list[Piece] = []
    held = 0
    for chunks, piece in pieces:
        if part and (held + chunks > PART_CHUNKS or len(part) == PART_DOCUMENTS):
            yield part
            part, held = [], 0
        part.append(piece)
        held += chunks
    if part:
        yield part


def _version(run: StageRun, version_id: str) -> Version | None:
    """The version, or None when it is gone or answers no more."""
    with run.database.reading() as connection:
        if not versions.is_live(connection, version_id):
            return None
        try:
            return versions.get(connection, version_id)
        except DocumentNotFound:  # in this moment
            return None


@stage(pipelines.FILL_SPACE)
def fill_space(run: StageRun, pieces: Sequence[Piece]) -> None:
    """Write some documents that are live to the space."""
    space = _target(run)
    documents = longest = 0
    for version_id, first, stop, last in pieces:
        run.checkpoint()
        longest = max(longest, _fill(run, space, version_id, first, stop))
        documents += bool(last)
    _note_longest(run, space, longest)
    get_spaces().clear_dropped([space])
    run.finish_part(documents, run.job.payload.get("documents"), "documents")


def _fill(
    run: StageRun, space: VectorSpace, version_id: str, first: int = 0, stop: int | None = None
) -> int:
    """Write what the space lacks of a version; returns the tokens of the longest chunk.

    A document whose stored chunks are gone is left out: the last stage names those.
    """
    version = _version(run, version_id)
    if version is None:
        return 0
    batches = range(first, stop if stop is not None else get_indexer().batches(version))
    try:
        written = get_indexer().complete(space, version, run.checkpoint, batches)
    except DocumentNotFound:
        logger.warning("migration.chunks_missing", document_id=version.document_id)
        return 0
    run.checkpoint()
    # Should it be replaced or deleted from here on, whoever does so removes these points, or they
    # are removed here: the ledger is changed before the one looks, and asked after the other wrote.
    space.points.publish(version.tenant_id, version.document_id, version.id, superseded=[])
    if _version(run, version_id) is None:
        space.points.remove_version(version.tenant_id, version.document_id, version.id)
    return written.longest


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
    documents = _verify(run, space)
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


def _verify(run: StageRun, space: VectorSpace) -> int:
    """Write what the space still lacks; returns how many documents it has in the end.

    What is published meanwhile goes into the space anyway.

    Raises:
        DocumentNotFound: naming the documents whose stored chunks are gone.
        DependencyUnavailable: points went missing again and again.
    """
    for _ in range(PASSES):
        looked_at = 0
        missing: list[LiveVersion] = []
        for page in _pages(run):
            looked_at += len(page)
            missing += _short(space, page)
        if not missing:
            return looked_at
        for live in missing:
            _fill(run, space, live.id)
    left = [(live, version) for live in missing if (version := _version(run, live.id)) is not None]
    names = [version.document_name for _, version in left if not get_indexer().batches(version)]
    if names:
        shown = ", ".join(names[:LISTED]) + (" and others" if len(names) > LISTED else "")
        raise DocumentNotFound(
            f"The stored chunks of {len(names)} documents are gone ({shown}): submit these again "
            "or delete them, then retry this task."
        )
    raise DependencyUnavailable(
        "Points are missing from the new collection: they are written anew."
    )


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
