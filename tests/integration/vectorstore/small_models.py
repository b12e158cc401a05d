"""A process with small models over a ledger and a real node, and documents that it ingests."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from qdrant_client import QdrantClient

from flotilla.blobs import BlobStore, chunks_ref
from flotilla.errors import ModelMissing
from flotilla.ledger import model_migrations, spaces
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.models import Passage, Query
from flotilla.rag import retrieval
from flotilla.settings import Settings
from flotilla.vectorstore.embedder import Matrix, Vector
from flotilla.vectorstore.spaces import Spaces
from tests.doubles.ledger_rows import add_document, add_job, add_version
from tests.integration.vectorstore.passages import chunk

FIRST, SECOND = "fastembed:first", "fastembed:second"
DIMENSIONS = {FIRST: 4, SECOND: 6}
CHUNKS = 3


class LettersEmbedder:
    """Vectors that follow from a text's letters and from the model's name."""

    max_tokens = 8

    def __init__(self, name: str) -> None:
        self.name = name
        self.dimensions = DIMENSIONS[name]

    def embed_passages(self, texts: Sequence[str]) -> Matrix:
        return np.array([self.embed_query(text) for text in texts], np.float32)

    def embed_queries(self, texts: Sequence[str]) -> Matrix:
        return self.embed_passages(texts)

    def embed_query(self, text: str) -> Vector:
        digest = hashlib.sha256(f"{self.name}{text}".encode()).digest()
        vector = np.frombuffer(digest[: self.dimensions], np.uint8).astype(np.float32) - 128
        return np.asarray(vector / np.linalg.norm(vector), np.float32)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]


class Process:
    """One process's spaces, and the models of its machine."""

    def __init__(self, ledger: Database, settings: Settings, client: QdrantClient) -> None:
        self.models = {FIRST, SECOND}
        self.loaded: list[str] = []
        self.spaces = Spaces(lambda: ledger, settings, client, self._load)

    def _load(self, model: str) -> LettersEmbedder:
        if model not in self.models:
            raise ModelMissing("The embedding model is not on this machine.")
        self.loaded.append(model)
        return LettersEmbedder(model)


def begin_filling(ledger: Database, model: str = SECOND) -> str:
    with ledger.writing() as connection:
        model_migrations.migrate(connection, model, "t")
        [space] = [each for each in spaces.undropped(connection) if each.model == model]
        assert spaces.fill(connection, space.id, DIMENSIONS[model])
    return space.id


def switch(ledger: Database, space_id: str) -> None:
    with ledger.writing() as connection:
        assert spaces.switch(connection, space_id)


def pending(
    ledger: Database, tmp_path: Path, document_id: str | None = None, number: int = 1
) -> str:
    """A version whose chunks are stored and whose job is at the first stage of this fleet."""
    document_id = document_id or add_document(ledger)
    version_id = add_version(ledger, document_id, "pending", number=number, chunks=CHUNKS)
    blobs = BlobStore(f"file://{tmp_path / 'blobs'}")
    chunks = [chunk(document_id, version_id, position) for position in range(CHUNKS)]
    blobs.put_values(chunks_ref(DEFAULT_TENANT, version_id, 0), chunks)
    return add_job(
        ledger,
        "ingest",
        "processing",
        document_id=document_id,
        version_id=version_id,
        queue="vectorstore",
        payload={"name": "terms.pdf", "metadata": {}},
    )


def passages(process: Process, question: str, top_k: int = CHUNKS) -> list[Passage]:
    """What the question finds, the nearest first."""
    space = process.spaces.readable()
    query = Query(tenant_id=DEFAULT_TENANT, question=question, collection_ids=(), top_k=top_k)
    return retrieval.retrieve(query, space)
