"""The baseline of questions: retrieval and answering in this process, over the stack's Qdrant."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from flotilla.ledger.collections import DEFAULT_TENANT, resolve
from flotilla.ledger.database import Database
from flotilla.models import Query
from flotilla.settings import Settings
from tests.benchmarks.load import Load

Answering = Callable[[Query], object]


class InProcess:
    """What the rag fleet does with a question, without a gateway, a queue or a ledger.

    Args:
        settings: turned to the stack under measurement.
        collection: name of the collection that is asked about.
    """

    def __init__(self, settings: Settings, collection: str) -> None:
        from flotilla.rag.answering import Answerer, build_generator
        from flotilla.vectorstore.bm25 import Bm25Encoder
        from flotilla.vectorstore.embedders import load_embedder
        from flotilla.vectorstore.points import PointStore, collection_name
        from flotilla.vectorstore.qdrant import connect
        from flotilla.vectorstore.search import Retriever

        database = Database(settings.ledger_url)
        with database.reading() as connection:
            ids = resolve(connection, DEFAULT_TENANT, [collection])
        database.close()
        self._ids = tuple(ids.values())
        self._top_k = settings.rag.top_k
        embedder = load_embedder(settings, threads=settings.rag.embedding_threads, batch_tokens=64)
        points = PointStore(connect(settings), collection_name(settings), embedder.dimensions)
        self.search = Retriever(points, embedder, Bm25Encoder(), settings.retrieval).search
        self.answer = Answerer(self.search, build_generator(embedder)).answer

    def query(self, question: str) -> Query:
        """The question as the rag fleet would see it."""
        return Query(
            tenant_id=DEFAULT_TENANT,
            question=question,
            collection_ids=self._ids,
            top_k=self._top_k,
        )

    def run(self, call: Answering, questions: Sequence[str], threads: int) -> Load:
        """Put each question once, from so many threads."""
        queries = [self.query(question) for question in questions]
        load = Load()

        def timed(query: Query) -> None:
            began = time.perf_counter()
            call(query)
            load.latencies.append(1000 * (time.perf_counter() - began))

        began = time.perf_counter()
        if threads == 1:
            for query in queries:
                timed(query)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(timed, queries))
        load.seconds = time.perf_counter() - began
        return load
