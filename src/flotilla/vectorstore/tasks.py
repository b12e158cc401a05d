"""The tasks of the fleet `vectorstore`: embed and index, publish, remove."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from celery.canvas import Signature
from sqlalchemy import Connection

from flotilla import pipelines
from flotilla.broker import app
from flotilla.errors import Cancelled, DependencyUnavailable, DocumentNotFound, LeaseLost
from flotilla.ledger import (
    chunk_lengths,
    documents,
    generations,
    jobs,
    recovery,
    removals,
    versions,
)
from flotilla.ledger import spaces as ledger_spaces
from flotilla.ledger.database import get_database
from flotilla.ledger.runs import StageRun
from flotilla.ledger.stages import stage
from flotilla.ledger.versions import Version
from flotilla.logging import get_logger
from flotilla.step_times import step
from flotilla.vectorstore.loaded import get_indexer, get_spaces
from flotilla.vectorstore.spaces import VectorSpace

logger = get_logger(__name__)


@stage(pipelines.INDEX)
def index(run: StageRun) -> None:
    """Embed one batch of chunks and write its points, which no search sees yet."""
    version = run.version()
    chunks = get_indexer().batch(version, run.part)
    sparse, terms = get_indexer().sparse_and_terms(version.collection_id, chunks)
    # A space that has just begun to be filled may be missing: publishing completes it.
    spaces = get_spaces().writable()
    for space in spaces:
        dense = get_indexer().dense(space, version.tenant_id, chunks)
        run.checkpoint()
        get_indexer().upsert(space, version, chunks, dense, sparse)
    with _taking_back(run, version):
        now = run.version()
    if now.state == versions.LIVE:
        # A second delivery that was slower than all the rest has added what was missing.
        for space in spaces:
            space.points.publish(version.tenant_id, version.document_id, version.id)
    get_spaces().clear_dropped(spaces)
    with run.writing() as connection:
        chunk_lengths.count(connection, version.id, terms, len(chunks))
    run.finish_part(len(chunks), version.chunks, "chunks")


@contextmanager
def _taking_back(run: StageRun, version: Version) -> Iterator[None]:
    """Should this worker have been left behind, remove the version's points, unless it is needed.

    Where the document was deleted, or a newer version has taken this one's place, its points were
    removed before these were written. Otherwise it has gone on without this worker, and has what
    was written.
    """
    try:
        yield
    except (Cancelled, DocumentNotFound, LeaseLost):
        if run.is_given_up():
            _remove_version(version.tenant_id, version.document_id, version.id)
        raise


@stage(pipelines.PUBLISH, after=pipelines.INDEX, wave=pipelines.index_batches)
def publish(run: StageRun) -> None:
    """Make the version live and take the one before it away.

    Raises:
        Cancelled: the document was deleted, or a newer version of it is live already.
    """
    version = run.version()
    with run.database.reading() as connection:
        wanted = not _newer_is_live(connection, version)
        older = versions.older(connection, version.document_id, version.number)
    done: dict[str, VectorSpace] = {}
    with _taking_back(run, version):
        while wanted:
            # The points first: a document that the ledger calls ready has to answer. Those of the
            # version before go last: should this one not be wanted after all, that one answers on.
            # And none is shown before every space is complete, which may fail.
            new = [space for space in get_spaces().writable(fresh=True) if space.id not in done]
            for space in new:
                _complete(run, version, space)
            for space in new:
                with step("publish"):
                    space.points.publish(version.tenant_id, version.document_id, version.id)
                done[space.id] = space
            with run.writing(version.collection_id, document=True) as connection:
                in_use = ledger_spaces.written(connection)
                if any(space.id not in done for space in in_use):
                    continue  # one has begun to be filled in this moment
                versions.describe(connection, version.id, embedding_model=in_use[0].model)
                wanted = versions.publish(connection, version.document_id, version.id)
            if wanted:
                _remove_older(version, older, done.values())
                get_spaces().clear_dropped(list(done.values()))
                return
    _remove_version(version.tenant_id, version.document_id, version.id)
    raise Cancelled("The document was deleted, or a newer version of it is live already.")


def _complete(run: StageRun, version: Version, space: VectorSpace) -> None:
    """Write what a space lacks of the version: a space may have begun to be filled meanwhile."""
    there = space.points.count(
        version.tenant_id, document_id=version.document_id, version_id=version.id
    )
    if version.chunks and there < version.chunks:
        logger.info("publish.completing", model=space.row.model, points=there)
        get_indexer().complete(space, version, run.checkpoint)


def _remove_older(version: Version, older: Sequence[str], spaces: Iterable[VectorSpace]) -> None:
    """Remove the points of the versions before, which the ledger has retired by now.

    What a late worker or a migration still writes of them it removes itself.
    """
    for space in spaces:
        for version_id in older:
            space.points.remove_version(version.tenant_id, version.document_id, version_id)


def _newer_is_live(connection: Connection, version: Version) -> bool:
    live = documents.live(connection, [version.document_id]).get(version.document_id)
    return live is not None and versions.get(connection, live.version_id).number > version.number


@stage(pipelines.REINDEX)
def reindex(run: StageRun) -> Signature:
    """Plan the re-indexing of a live version from its stored chunks."""
    version = _still_live(run)
    parts = get_indexer().batches(version)
    if parts == 0:
        raise DocumentNotFound(
            f"The stored chunks of {version.document_name} are gone: submit the document again."
        )
    run.progress(0, version.chunks, "chunks")
    return pipelines.index_again(run.job.id, run.plan(pipelines.INDEX_AGAIN, [()] * parts))


@stage(pipelines.INDEX_AGAIN)
def index_again(run: StageRun) -> None:
    """Embed one batch of stored chunks anew and put its points in their old place."""
    version = _still_live(run)
    chunks = get_indexer().batch(version, run.part)
    sparse = get_indexer().sparse(version.collection_id, chunks)
    spaces = get_spaces().writable(fresh=True)
    for space in spaces:
        dense = get_indexer().dense(space, version.tenant_id, chunks, reuse=False)
        run.checkpoint()
        space.points.rewrite(
            version.tenant_id,
            version.collection_id,
            version.document_name,
            version.metadata,
            chunks,
            dense,
            sparse,
        )
    _still_live(run)
    get_spaces().clear_dropped(spaces)
    run.finish_part(len(chunks), version.chunks, "chunks")


@stage(pipelines.CONFIRM, after=pipelines.INDEX_AGAIN, wave=pipelines.index_again)
def confirm(run: StageRun) -> None:
    """Show what was missing and has been written anew."""
    version = _still_live(run)
    for space in get_spaces().writable(fresh=True):
        space.points.publish(version.tenant_id, version.document_id, version.id)
    # Whatever was found while some of it was missing, or in between, is not found again.
    with run.writing(version.collection_id) as connection:
        generations.advance(connection, version.collection_id)
    _still_live(run)


def _still_live(run: StageRun) -> Version:
    """The version that is re-indexed, as long as it is the one that answers.

    Raises:
        Cancelled: another took its place, or the document was deleted; nothing is left of it.
    """
    assert run.job.version_id is not None  # noqa: S101 - re-indexings have one
    try:
        version = run.version()
    except (Cancelled, DocumentNotFound, LeaseLost):
        if run.is_given_up():
            _remove_live(run)
        raise
    if version.state != versions.LIVE:
        _remove_live(run)
        raise Cancelled("A newer version of the document has taken this one's place.")
    return version


def _remove_live(run: StageRun) -> None:
    assert run.job.document_id is not None  # noqa: S101
    assert run.job.version_id is not None  # noqa: S101
    _remove_version(run.job.tenant_id, run.job.document_id, run.job.version_id)


def _remove_version(tenant_id: str, document_id: str, version_id: str) -> None:
    """Remove a version's points from all spaces."""
    for space in get_spaces().writable(fresh=True):
        space.points.remove_version(tenant_id, document_id, version_id)


@stage(pipelines.REMOVE)
def remove(run: StageRun) -> None:
    """Remove the points of deleted documents."""

    def count(document_ids: list[str]) -> removals.Counts:
        spaces = get_spaces().writable(fresh=True)
        counts = [space.points.count_documents(run.job.tenant_id, document_ids) for space in spaces]
        return {"points": sum(counts)}

    def take_away(document_ids: list[str]) -> None:
        for space in get_spaces().writable(fresh=True):
            space.points.remove_documents(run.job.tenant_id, document_ids)

    removals.cancel_work(run.database, run.job.id, checkpoint=run.checkpoint)
    removed = removals.carry_out(run, count, take_away).get("points", 0)
    run.finish_part(removed, removed, "points")


# Where this does not succeed the reaper begins the cleaning anew.
@app.task(name=pipelines.DISCARD, throws=(DependencyUnavailable,))
def discard(job_id: str) -> None:
    """Remove what a cancelled ingestion left behind, and note that nothing is left."""
    database = get_database()
    with database.reading() as connection:
        job = jobs.get(connection, job_id)
        to_clean = recovery.is_uncleaned(connection, job_id)
    if job is None or not to_clean:
        return
    assert job.document_id is not None  # noqa: S101 - ingestions have both
    assert job.version_id is not None  # noqa: S101
    _remove_version(job.tenant_id, job.document_id, job.version_id)
    with database.writing() as connection:
        recovery.mark_cleaned(connection, job_id)


from flotilla.vectorstore import forgetting, migration, sweep  # noqa: E402, F401 - register their tasks
