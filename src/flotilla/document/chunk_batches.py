"""Chunks in the blobs: those of the version that answers now, and those of other attempts."""

from collections.abc import Iterator

from flotilla.blobs import BlobStore, chunks_ref
from flotilla.errors import NotFound
from flotilla.ledger import documents
from flotilla.ledger.runs import StageRun
from flotilla.ledger.versions import Version
from flotilla.models import Chunk


def live_chunks(run: StageRun, blobs: BlobStore, version: Version) -> Iterator[Chunk]:
    """The chunks of the version that answers now, whose vectors may be taken over."""
    with run.database.reading() as connection:
        live = documents.live(connection, [version.document_id]).get(version.document_id)
    part = 0
    while live is not None and blobs.exists(
        ref := chunks_ref(version.tenant_id, live.version_id, part)
    ):
        try:
            yield from blobs.values(ref, Chunk)
        except NotFound:  # another version has taken its place in this moment
            return
        part += 1


def remove_beyond(run: StageRun, blobs: BlobStore, version: Version, first: int) -> None:
    """Remove batches of chunks that an attempt with other settings has written beyond these: as
    many as are there count as the version's."""
    part = first
    if blobs.exists(chunks_ref(version.tenant_id, version.id, part)):
        run.checkpoint()  # they may be those of a worker that has taken this over
    while blobs.exists(ref := chunks_ref(version.tenant_id, version.id, part)):
        blobs.delete(ref)
        part += 1
