"""What a process of the fleet `vectorstore` loads once, before its first task."""

from functools import lru_cache

from flotilla.blobs import BlobStore
from flotilla.broker import at_start
from flotilla.ledger import chunk_lengths
from flotilla.ledger.database import get_database
from flotilla.settings import get_settings
from flotilla.vectorstore.bm25 import Bm25Encoder, average_length
from flotilla.vectorstore.embedder import Embedder
from flotilla.vectorstore.embedders import load_embedder
from flotilla.vectorstore.indexing import Indexer
from flotilla.vectorstore.qdrant import connect
from flotilla.vectorstore.spaces import Spaces


@lru_cache(maxsize=1)
def get_spaces() -> Spaces:
    """The spaces of this process."""
    settings = get_settings()

    def load(model: str) -> Embedder:
        lanes = settings.vectorstore.embedding_threads
        return load_embedder(settings, threads=1, lanes=lanes, model=model)

    return Spaces(get_database, settings, connect(settings), load)


@lru_cache(maxsize=1)
def get_indexer() -> Indexer:
    """What writes chunks to them."""
    return Indexer(BlobStore(get_settings().blobs_url), Bm25Encoder(), _average_length)


def _average_length(collection_id: str) -> float:
    with get_database().reading() as connection:
        return average_length(*chunk_lengths.of_collection(connection, collection_id))


@at_start
def _warm_up() -> None:
    """Load the models once a process, before the first task."""
    get_indexer()
    get_spaces().load_at_start(writes=True)
