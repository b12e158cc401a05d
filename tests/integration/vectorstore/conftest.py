"""A point store of its own for each test on the real node, and a process with small models."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from qdrant_client import QdrantClient

from flotilla.blobs import BlobStore
from flotilla.ledger import endings, runs, stages
from flotilla.ledger.database import Database
from flotilla.rag import retrieval
from flotilla.settings import EmbeddingSettings, QdrantSettings, Settings
from flotilla.vectorstore import migration, sweep, tasks
from flotilla.vectorstore.bm25 import USUAL_LENGTH, Bm25Encoder
from flotilla.vectorstore.indexing import Indexer
from flotilla.vectorstore.manifest import FILE_NAME, Manifest
from flotilla.vectorstore.points import PointStore
from flotilla.vectorstore.qdrant import connect
from tests.doubles.ledger_rows import make_ledger
from tests.integration.vectorstore import small_models
from tests.integration.vectorstore.passages import DIMENSIONS
from tests.integration.vectorstore.small_models import FIRST, Process


@pytest.fixture
def client(qdrant_url: str) -> Iterator[QdrantClient]:
    client = connect(Settings(qdrant=QdrantSettings(url=qdrant_url)))
    yield client
    client.close()


@pytest.fixture
def points(client: QdrantClient) -> Iterator[PointStore]:
    store = PointStore(client, f"test-{uuid4()}", DIMENSIONS)
    store.ensure()
    yield store
    client.delete_collection(store.collection)


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    database = make_ledger()
    monkeypatch.setattr(stages, "get_database", lambda: database)
    monkeypatch.setattr(retrieval, "get_database", lambda: database)
    # Nobody follows the tasks, so that no Redis is needed.
    monkeypatch.setattr(runs.task_events, "tell", lambda _task: None)
    monkeypatch.setattr(endings, "announce", lambda _task: None)
    yield database
    database.close()


@pytest.fixture
def make_process(
    ledger: Database, tmp_path: Path, qdrant_url: str, client: QdrantClient
) -> Callable[..., Process]:
    """Makes a process with this EMBEDDING_MODEL."""

    def make(model: str = FIRST) -> Process:
        folder = tmp_path / model.partition(":")[2]
        folder.mkdir(exist_ok=True)
        manifest = Manifest(
            model=model,
            dimensions=small_models.DIMENSIONS[model],
            max_tokens=8,
            source="package",
            files={},
            sha256={},
        )
        (folder / FILE_NAME).write_text(manifest.model_dump_json())
        settings = Settings(
            embedding=EmbeddingSettings(model=model, models_dir=tmp_path),
            qdrant=QdrantSettings(url=qdrant_url, collection=tmp_path.name.lower()),
        )
        return Process(ledger, settings, client)

    return make


@pytest.fixture(scope="session")
def bm25() -> Bm25Encoder:
    """To make one takes fastembed a quarter of a second: it looks at each character of Unicode."""
    return Bm25Encoder()


@pytest.fixture
def process(
    make_process: Callable[..., Process],
    bm25: Bm25Encoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Process]:
    """This process, whose tasks use it."""
    process = make_process()
    indexer = Indexer(BlobStore(f"file://{tmp_path / 'blobs'}"), bm25, lambda _: USUAL_LENGTH)
    for module in (tasks, migration):
        monkeypatch.setattr(module, "get_spaces", lambda: process.spaces)
        monkeypatch.setattr(module, "get_indexer", lambda: indexer)
    for module in (retrieval, sweep):
        monkeypatch.setattr(module, "get_spaces", lambda: process.spaces)
    process.spaces.writable(fresh=True)
    yield process
    for space in process.spaces.writable(fresh=True):
        space.points.drop()
        space.turns.drop()
