"""The tasks of the fleet `vectorstore`: embed and index, publish, remove."""

import threading
from functools import lru_cache

from sqlalchemy import Connection

from flotilla import pipelines
from flotilla.blobs import BlobStore, chunks_ref
from flotilla.broker import app, at_start
from flotilla.errors import Cancelled, DocumentNotFound
from flotilla.ledger import documents, versions
from flotilla.ledger.stages import StageRun, stage
from flotilla.ledger.versions import Version
from flotilla.models import Chunk
from flotilla.settings import get_settings
from flotilla.vectorstore.bm25 import Bm25Encoder
from flotilla.vectorstore.embedder import FastembedEmbedder, load_embedder
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
    texts = [chunk.text for chunk in chunks]
    sparse = _bm25().encode_passages(texts)
    with _embedding:
        dense = _embedder().embed_passages(texts)
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
        # A second delivery that was slower than all the rest has hidden what was published.
        _points().publish(version.tenant_id, version.document_id, version.id, superseded=[])
    run.finish_part(len(chunks), version.chunks, "chunks")


@stage(pipelines.PUBLISH)
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
        with run.database.writing() as connection:
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


@stage(pipelines.REMOVE)
def remove(run: StageRun) -> None:
    """Remove the points of deleted documents."""
    for document_id in run.job.payload["document_ids"]:
        _points().remove_document(run.job.tenant_id, document_id)


@app.task(name=pipelines.DISCARD, autoretry_for=(Exception,), retry_backoff=True, max_retries=8)
def discard(tenant_id: str, document_id: str, version_id: str) -> None:
    """Remove what a given-up version left behind."""
    _points().remove_version(tenant_id, document_id, version_id)
