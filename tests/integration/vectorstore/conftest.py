"""A point store of its own for each test, on the real node."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from qdrant_client import QdrantClient

from flotilla.settings import QdrantSettings, Settings
from flotilla.vectorstore.points import PointStore
from flotilla.vectorstore.qdrant import connect
from tests.integration.vectorstore.passages import DIMENSIONS


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
