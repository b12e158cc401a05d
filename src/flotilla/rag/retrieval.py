"""Searching as the fleet does it: in one space, through the caches, by the ledger's word."""

from collections.abc import Sequence
from functools import lru_cache
from threading import Lock

from flotilla.cache_store import get_cache_store
from flotilla.ledger import documents
from flotilla.ledger.database import get_database
from flotilla.models import Passage, Query
from flotilla.rag.caching.caches import Caches
from flotilla.rag.whole_tables import MOST_CHUNKS, WholeTables, whole_tables
from flotilla.rag.wordings import Reword
from flotilla.settings import cores, get_settings
from flotilla.vectorstore.bm25 import Bm25Encoder
from flotilla.vectorstore.cross_encoder import CrossEncoder
from flotilla.vectorstore.embedders import load_embedder
from flotilla.vectorstore.kept_vectors import KeptVectors
from flotilla.vectorstore.qdrant import connect
from flotilla.vectorstore.query_vectors import QueryVectors
from flotilla.vectorstore.search import Retriever
from flotilla.vectorstore.spaces import Spaces, VectorSpace

# Passages asked for beyond top_k, in place of those whose document was deleted a moment ago.
SPARE = 5

# Tokens of sentences that are embedded at once: about two.
SENTENCES_TOKENS = 64

# Searches of one question, at most: each further one needs a document that is replaced meanwhile.
LOOKS = 3


@lru_cache(maxsize=1)
def get_spaces() -> Spaces:
    """The spaces of this process."""
    settings = get_settings()

    def load(model: str) -> QueryVectors:
        threads = settings.rag.embedding_threads
        # A few sentences of unlike lengths: padding costs more than a larger batch saves.
        embedder = load_embedder(
            settings, threads=threads, batch_tokens=SENTENCES_TOKENS, model=model
        )
        store, seconds = get_cache_store(), settings.cache.embedding_ttl
        kept = (
            KeptVectors(store, model, embedder.dimensions, seconds) if store and seconds else None
        )
        return QueryVectors(embedder, turns=max(1, cores() // threads), kept=kept)

    return Spaces(get_database, settings, connect(settings), load)


@lru_cache(maxsize=1)
def get_caches() -> Caches:
    """The caches of this process."""
    return Caches(get_cache_store(), get_settings(), get_database)


@lru_cache(maxsize=1)
def get_bm25() -> Bm25Encoder:
    """What encodes questions for BM25."""
    return Bm25Encoder()


_loading = Lock()


def get_cross_encoder() -> CrossEncoder:
    """The model that reranks, loaded once a process when it is first asked for.

    Raises:
        ModelMissing: it is not on this machine.
        FileCorrupt: its folder is damaged.
    """
    with _loading:  # several questions that come at once load it once
        return _cross_encoder()


@lru_cache(maxsize=1)
def _cross_encoder() -> CrossEncoder:
    settings = get_settings()
    model = settings.retrieval.rerank_model
    folder = settings.model_folder(f"fastembed:{model}")
    return CrossEncoder(folder, model, threads=settings.rag.embedding_threads)


class _NotToKeep(Exception):
    """Passages that are not what the query deserves."""

    def __init__(self, passages: list[Passage]) -> None:
        super().__init__()
        self.passages = passages


def retrieve(query: Query, space: VectorSpace, reword: Reword | None = None) -> list[Passage]:
    """The nearest passages that may answer, from the cache where an earlier search still holds.

    `reword` gives other wordings to search for as well, and is asked only where there is none.
    """

    def look() -> list[Passage]:
        wordings = reword(query) if reword is not None else ()
        found = _search(query, space, wordings or ())
        if wordings is None:
            raise _NotToKeep(found)
        return found

    try:
        return get_caches().passages(query, space, look)
    except _NotToKeep as unkept:
        return unkept.passages


def read_tables(query: Query, found: Sequence[Passage], space: VectorSpace) -> WholeTables:
    """The tables of which a search for the query has found rows, whole where that can be done."""

    def read(passage: Passage) -> list[Passage] | None:
        version = passage.version_id
        every = space.points.of_version(query.tenant_id, version, MOST_CHUNKS + 1)
        with get_database().reading() as connection:
            live = documents.live(connection, [passage.document_id]).get(passage.document_id)
        # Nothing is removed of a version that is live still.
        if live is None or live.version_id != version or len(every) > MOST_CHUNKS:
            return None
        return [each.model_copy(update={"collection": live.collection}) for each in every]

    return whole_tables(found, read)


def _search(query: Query, space: VectorSpace, wordings: Sequence[str]) -> list[Passage]:
    """The nearest passages that may answer: those of documents which the ledger holds.

    All of it is done in one space: what another model makes of the question never meets its
    vectors. Should the space have been dropped in this moment, the question begins anew.
    """
    passages = _retrieve(query, space, wordings)
    if not passages:
        active = get_spaces().readable(fresh=True)
        if active.id != space.id:
            return _retrieve(query, active, wordings)
    return passages


def _retrieve(query: Query, space: VectorSpace, wordings: Sequence[str]) -> list[Passage]:
    """Search, and keep what the ledger names live afterwards.

    The points of a version are shown before the ledger names it live, and those of the version
    before are removed after that. So whichever is live by now is found; but a search that is older
    than the ledger's word may have found only the version before, or passages of the two in each
    other's place. It is made again then, without those that do not count.
    """
    settings = get_settings().retrieval
    retriever = Retriever(space.points, space.embedder, get_bm25(), settings, get_cross_encoder)
    limit = query.top_k + SPARE
    documents_of: dict[str, str] = {}  # by their versions that were found
    not_live: set[str] = set()
    for _ in range(LOOKS):
        found = retriever.search(query, limit=limit, without=not_live, wordings=wordings)
        documents_of |= {passage.version_id: passage.document_id for passage in found}
        with get_database().reading() as connection:
            live = documents.live(connection, documents_of.values())
        kept = [
            passage.model_copy(update={"collection": live[passage.document_id].collection})
            for passage in found
            if passage.document_id in live
            and passage.version_id == live[passage.document_id].version_id
        ]
        not_live = {
            version_id
            for version_id, document_id in documents_of.items()
            if document_id in live and version_id != live[document_id].version_id
        }
        dropped = {each.document_id for each in found if each.version_id in not_live}
        crowded_out = dropped and len(kept) < query.top_k and len(found) == limit
        if dropped <= {each.document_id for each in kept} and not crowded_out:
            break
    return retriever.expand(query, kept[: query.top_k])
