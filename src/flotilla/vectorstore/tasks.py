"""The tasks of the fleet `vectorstore`: embed and index, publish, remove."""

import threading
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from celery.canvas import Signature
from sqlalchemy import Connection

from flotilla import pipelines
from flotilla.blobs import BlobStore, chunks_ref
from flotilla.broker import app, at_start
from flotilla.errors import Cancelled, DocumentNotFound
from flotilla.ledger import documents, jobs, recovery, versions
from flotilla.ledger.database import get_database
from flotilla.ledger.runs import StageRun
from flotilla.ledger.stages import stage
from flotilla.ledger.versions import Version
from flotilla.models import Chunk
from flotilla.settings import get_settings
from flotilla.vectorstore.bm25 import Bm25Encoder, SparseVector
from flotilla.vectorstore.embedder import FastembedEmbedder, Matrix, load_embedder
from flotilla.vectorstore.points import PointStore, collection_name
from flotilla.vectorstore.qdrant import connect

# The model uses the machine's threads itself: one batch embeds while another is written.
_embedding = threading.Lock()


@lru_cache(maxsize=1)
def _blobs() -> BlobStore:
    return BlobStore(get_settings().blobs_url)


@lru_cache(maxsize=1)
def _embedder() -> FastembedEmbedder:
    settings = get_settings()
    return load_embedder(settings, threads=settings.vectorstore.embedding_threads)


@lru_cache(maxsize=1)
def _bm25() -> Bm25Encoder:
    return Bm25Encoder()


@lru_cache(maxsize=1)
def _points() -> PointStore:
    settings = get_settings()
    return PointStore(connect(settings), collection_name(settings), _embedder().dimensions)


@at_start
def _warm_up() -> None:
    """Load the model once a process, before the first task."""
    _embedder().embed_passages(["warm up"])
    _bm25().encode_passages(["warm up"])
    _points()


@stage(pipelines.INDEX)
def index(run: StageRun) -> None:
    """Embed one batch of chunks and write its points, which no search sees yet."""
    version = run.version()
    chunks = list(_blobs().values(chunks_ref(version.tenant_id, version.id, run.part), Chunk))
    dense, sparse = _vectors(version.tenant_id, chunks)
    run.checkpoint()
    _points().upsert(
        version.tenant_id,
        version.collection_id,
        version.document_name,
        version.metadata,
        chunks,
        dense,
        sparse,
    )
    try:
        now = run.version()
    except (Cancelled, DocumentNotFound):
        # Deleted meanwhile: its points were removed before these were written.
        _points().remove_version(version.tenant_id, version.document_id, version.id)
        raise
    if now.state == versions.LIVE:
        # A second delivery that was slower than all the rest has added what was missing.
        _points().publish(version.tenant_id, version.document_id, version.id, superseded=[])
    run.finish_part(len(chunks), version.chunks, "chunks")


def _vectors(
    tenant_id: str, chunks: Sequence[Chunk], *, reuse: bool = True
) -> tuple[Matrix, list[SparseVector]]:
    """The vectors of each chunk; of a text that is stored already they are taken from there."""
    wanted = [chunk.vector_of for chunk in chunks if chunk.vector_of is not None] if reuse else []
    known = _points().vectors_of(tenant_id, wanted)
    texts = [chunk.text for chunk in chunks if chunk.vector_of not in known]
    with _embedding:
        computed = iter(_embedder().embed_passages(texts)) if texts else iter(())
    dense = [
        known[chunk.vector_of].dense if chunk.vector_of in known else next(computed)
        for chunk in chunks
    ]
    return np.asarray(dense, dtype=np.float32), _bm25().encode_passages([c.text for c in chunks])


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
    if wanted:
        # The points first: a document that the ledger calls ready has to answer.
        _points().publish(version.tenant_id, version.document_id, version.id, superseded=older)
        with run.writing() as connection:
            versions.describe(
                connection, version.id, embedding_model=get_settings().embedding.model
            )
            wanted = versions.publish(connection, version.document_id, version.id)
    if not wanted:
        _points().remove_version(version.tenant_id, version.document_id, version.id)
        raise Cancelled("The document was deleted, or a newer version of it is live already.")


def _newer_is_live(connection: Connection, version: Version) -> bool:
    live = documents.live(connection, [version.document_id]).get(version.document_id)
    return live is not None and versions.get(connection, live.version_id).number > version.number


@stage(pipelines.REINDEX)
def reindex(run: StageRun) -> Signature:
    """Plan the re-indexing of a live version from its stored chunks."""
    version = _still_live(run)
    parts = 0
    while _blobs().exists(chunks_ref(version.tenant_id, version.id, parts)):
        parts += 1
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
    chunks = list(_blobs().values(chunks_ref(version.tenant_id, version.id, run.part), Chunk))
    dense, sparse = _vectors(version.tenant_id, chunks, reuse=False)
    run.checkpoint()
    _points().rewrite(
        version.tenant_id,
        version.collection_id,
        version.document_name,
        version.metadata,
        chunks,
        dense,
        sparse,
    )
    _still_live(run)
    run.finish_part(len(chunks), version.chunks, "chunks")


@stage(pipelines.CONFIRM, after=pipelines.INDEX_AGAIN, wave=pipelines.index_again)
def confirm(run: StageRun) -> None:
    """Show what was missing and has been written anew."""
    version = _still_live(run)
    _points().publish(version.tenant_id, version.document_id, version.id, superseded=[])
    _still_live(run)


def _still_live(run: StageRun) -> Version:
    """The version that is re-indexed, as long as it is the one that answers.

    Raises:
        Cancelled: another took its place, or the document was deleted; nothing is left of it.
    """
    assert run.job.version_id is not None  # noqa: S101 - re-indexings have one
    try:
        version = run.version()
    except (Cancelled, DocumentNotFound):
        with run.database.reading() as connection:
            gone = not versions.is_live(connection, run.job.version_id)
        if gone:
            _remove_version(run)
        raise
    if version.state != versions.LIVE:
        _remove_version(run)
        raise Cancelled("A newer version of the document has taken this one's place.")
    return version


def _remove_version(run: StageRun) -> None:
    assert run.job.document_id is not None  # noqa: S101
    assert run.job.version_id is not None  # noqa: S101
    _points().remove_version(run.job.tenant_id, run.job.document_id, run.job.version_id)


@stage(pipelines.REMOVE)
def remove(run: StageRun) -> None:
    """Remove the points of deleted documents."""
    removed = sum(
        _points().remove_document(run.job.tenant_id, document_id)
        for document_id in run.job.payload["document_ids"]
    )
    run.finish_part(removed, removed, "points")


@app.task(name=pipelines.DISCARD, autoretry_for=(Exception,), retry_backoff=True, max_retries=8)
def discard(job_id: str) -> None:
    """Remove what a cancelled ingestion left behind, and note that nothing is left."""
    database = get_database()
    with database.reading() as connection:
        job = jobs.get(connection, job_id)
    if job is None or not job.status.final or job.document_id is None or job.version_id is None:
        return
    _points().remove_version(job.tenant_id, job.document_id, job.version_id)
    with database.writing() as connection:
        recovery.mark_cleaned(connection, job_id)


from flotilla.vectorstore import sweep  # noqa: E402, F401 - registers its task
