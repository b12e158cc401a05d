"""Questions and documents while the spaces change: on the real node, with small models."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import QdrantClient

from flotilla import pipelines
from flotilla.blobs import BlobStore, chunks_ref, version_prefix
from flotilla.errors import ModelMissing
from flotilla.ledger import (
    documents,
    endings,
    job_views,
    jobs,
    model_migrations,
    runs,
    spaces,
    stages,
    versions,
)
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.ledger.spaces import SpaceState
from flotilla.ledger.tables import STEPS
from flotilla.ledger.versions import Version
from flotilla.models import Query
from flotilla.rag import tasks as rag_tasks
from flotilla.settings import EmbeddingSettings, QdrantSettings, Settings
from flotilla.vectorstore import migration, tasks
from flotilla.vectorstore.bm25 import Bm25Encoder
from flotilla.vectorstore.embedder import Matrix, Vector
from flotilla.vectorstore.indexing import Indexer
from flotilla.vectorstore.manifest import FILE_NAME, Manifest
from flotilla.vectorstore.points import PointStore
from flotilla.vectorstore.spaces import FRESH_SECONDS, READY, Spaces
from tests.doubles.ledger_rows import add_document, add_job, add_version, make_ledger
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


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    database = make_ledger(tmp_path)
    monkeypatch.setattr(stages, "get_database", lambda: database)
    monkeypatch.setattr(rag_tasks, "get_database", lambda: database)
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
            dimensions=DIMENSIONS[model],
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


@pytest.fixture
def process(
    make_process: Callable[..., Process], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Process]:
    """This process, whose tasks use it."""
    process = make_process()
    indexer = Indexer(BlobStore(f"file://{tmp_path / 'blobs'}"), Bm25Encoder())
    for module in (tasks, migration):
        monkeypatch.setattr(module, "get_spaces", lambda: process.spaces)
        monkeypatch.setattr(module, "get_indexer", lambda: indexer)
    monkeypatch.setattr(rag_tasks, "get_spaces", lambda: process.spaces)
    process.spaces.writable(fresh=True)
    yield process
    for space in process.spaces.writable(fresh=True):
        space.points.drop()


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


def version_of(ledger: Database, job_id: str) -> Version:
    with ledger.reading() as connection:
        job = jobs.get(connection, job_id)
        assert job is not None
        return versions.get(connection, str(job.version_id))


def counts(process: Process, live: bool | None = True) -> dict[str, int]:
    return {
        space.row.model: space.points.count(DEFAULT_TENANT, live=live)
        for space in process.spaces.writable(fresh=True)
    }


def ask(process: Process, question: str) -> list[int]:
    """The positions of the passages that are found, the nearest first."""
    space = process.spaces.readable()
    query = Query(tenant_id=DEFAULT_TENANT, question=question, collection_ids=(), top_k=CHUNKS)
    return [passage.position for passage in rag_tasks.retrieve(query, space)]


def test_the_setting_makes_the_first_space_and_changes_none(
    process: Process, make_process: Callable[..., Process]
) -> None:
    other = make_process(SECOND)
    assert other.spaces.readable().row.model == FIRST
    assert other.loaded == [FIRST]
    assert [space.row.model for space in other.spaces.writable()] == [FIRST]


def test_a_machine_without_the_new_model_answers_from_the_one_before(
    ledger: Database, process: Process
) -> None:
    process.models = {FIRST}
    space_id = begin_filling(ledger)
    assert process.spaces.load()[FIRST] == READY
    assert "flotilla models pull second" in process.spaces.load()[SECOND]
    switch(ledger, space_id)
    assert process.spaces.readable(fresh=True).row.model == FIRST
    process.models = {FIRST, SECOND}
    assert process.spaces.readable().row.model == SECOND


def test_a_model_is_loaded_before_it_is_needed_and_forgotten_when_it_is_dropped(
    ledger: Database, process: Process
) -> None:
    with ledger.writing() as connection:
        job_id = model_migrations.migrate(connection, SECOND, "t")
    assert process.spaces.load() == {FIRST: READY, SECOND: READY}
    assert len(process.spaces.writable(fresh=True)) == 1
    with ledger.writing() as connection:
        endings.cancel_in(connection, [job_id])
    assert process.spaces.load() == {FIRST: READY}
    with ledger.writing() as connection:
        model_migrations.migrate(connection, SECOND, "t")
    process.spaces.load()
    assert process.loaded == [FIRST, SECOND, SECOND]


def test_a_document_is_written_to_both_spaces(
    ledger: Database, process: Process, tmp_path: Path
) -> None:
    begin_filling(ledger)
    process.spaces.load()
    job_id = pending(ledger, tmp_path)
    tasks.index.apply([job_id])
    assert counts(process, live=False) == {FIRST: CHUNKS, SECOND: CHUNKS}
    tasks.publish.apply([job_id])
    assert counts(process) == {FIRST: CHUNKS, SECOND: CHUNKS}


def test_a_space_that_begins_to_be_filled_in_mid_ingestion_gets_the_document(
    ledger: Database, process: Process, tmp_path: Path
) -> None:
    job_id = pending(ledger, tmp_path)
    tasks.index.apply([job_id])
    begin_filling(ledger)
    tasks.publish.apply([job_id])
    assert counts(process) == {FIRST: CHUNKS, SECOND: CHUNKS}


def test_a_space_that_begins_to_be_filled_in_mid_publishing_gets_the_document(
    ledger: Database, process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = pending(ledger, tmp_path)
    tasks.index.apply([job_id])
    began: list[str] = []
    complete = tasks._complete

    def complete_then_begin(*arguments: object) -> None:
        complete(*arguments)  # type: ignore[arg-type]
        if not began:
            began.append(begin_filling(ledger))

    monkeypatch.setattr(tasks, "_complete", complete_then_begin)
    tasks.publish.apply([job_id])
    assert counts(process) == {FIRST: CHUNKS, SECOND: CHUNKS}


def test_points_that_were_lost_before_publishing_are_written_again(
    ledger: Database, process: Process, tmp_path: Path
) -> None:
    job_id = pending(ledger, tmp_path)
    tasks.index.apply([job_id])
    [space] = process.spaces.writable()
    space.points.drop()
    tasks.publish.apply([job_id])
    assert counts(process) == {FIRST: CHUNKS}


def test_a_replaced_version_is_gone_from_both_spaces(
    ledger: Database, process: Process, tmp_path: Path
) -> None:
    begin_filling(ledger)
    document_id = add_document(ledger)
    for number in (1, 2):
        job_id = pending(ledger, tmp_path, document_id, number)
        tasks.index.apply([job_id])
        tasks.publish.apply([job_id])
    assert counts(process, live=None) == {FIRST: CHUNKS, SECOND: CHUNKS}


def test_a_cancelled_ingestion_leaves_nothing_in_any_space(
    ledger: Database, process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "get_database", lambda: ledger)
    begin_filling(ledger)
    job_id = pending(ledger, tmp_path)
    tasks.index.apply([job_id])
    endings.cancel(ledger, job_id)
    tasks.discard.apply([job_id])
    assert counts(process, live=None) == {FIRST: 0, SECOND: 0}


def test_a_late_worker_does_not_bring_a_dropped_collection_back(
    ledger: Database, process: Process, client: QdrantClient, tmp_path: Path
) -> None:
    space_id = begin_filling(ledger)
    stale = process.spaces.writable(fresh=True)
    with ledger.writing() as connection:
        assert spaces.drop(connection, space_id, SpaceState.FILLING)
    # Within the second in which the ledger's word is not asked for again.
    assert [space.id for space in process.spaces.writable()] == [each.id for each in stale]
    tasks.index.apply([pending(ledger, tmp_path)])
    assert not client.collection_exists(stale[1].points.collection)
    assert client.collection_exists(stale[0].points.collection)


def test_the_sweep_deletes_what_came_back_all_the_same(
    ledger: Database, process: Process, client: QdrantClient
) -> None:
    space_id = begin_filling(ledger)
    filling = process.spaces.get(space_id)
    assert filling is not None
    filling.points.ensure()
    with ledger.writing() as connection:
        spaces.drop(connection, space_id, SpaceState.FILLING)
    process.spaces.delete_dropped()
    assert not client.collection_exists(filling.points.collection)


def test_a_question_with_an_old_view_of_the_spaces_is_answered_right(
    ledger: Database, process: Process, tmp_path: Path
) -> None:
    """Up to a second after the switch it is answered from the space before, even when that one is
    dropped already."""
    assert FRESH_SECONDS >= 1
    space_id = begin_filling(ledger)
    job_id = pending(ledger, tmp_path)
    tasks.index.apply([job_id])
    tasks.publish.apply([job_id])
    [question] = [one.text for one in tasks.get_indexer().batch(version_of(ledger, job_id), 0)][1:2]
    old = process.spaces.readable(fresh=True)
    switch(ledger, space_id)
    assert process.spaces.readable().id == old.id
    assert ask(process, question)[0] == 1
    with ledger.writing() as connection:
        spaces.drop(connection, old.id, SpaceState.STANDBY)
    assert process.spaces.readable().id == old.id
    old.points.drop()
    assert ask(process, question)[0] == 1
    assert process.spaces.readable().id == space_id


def test_a_reindexing_writes_every_space(
    ledger: Database, process: Process, tmp_path: Path
) -> None:
    begin_filling(ledger)
    job_id = pending(ledger, tmp_path)
    tasks.index.apply([job_id])
    tasks.publish.apply([job_id])
    for space in process.spaces.writable():
        space.points.drop()
    version = version_of(ledger, job_id)
    again = add_job(
        ledger,
        "reindex",
        "processing",
        document_id=version.document_id,
        version_id=version.id,
        queue="vectorstore",
        stage=pipelines.REINDEX,
    )
    tasks.index_again.apply([again])
    assert counts(process) == {FIRST: 0, SECOND: 0}
    tasks.confirm.apply([again])
    assert counts(process) == {FIRST: CHUNKS, SECOND: CHUNKS}


# --- the migration's stages ----------------------------------------------------------------


def migration_to(ledger: Database, space_id: str) -> str:
    """The job that fills the space, at its second stage."""
    with ledger.writing() as connection:
        job_id = model_migrations.tasks_of(connection)[space_id]
        model_migrations.note(connection, job_id, documents=1)
    return job_id


def live(ledger: Database, tmp_path: Path) -> Version:
    """A document that answers, in the first space alone."""
    job_id = pending(ledger, tmp_path)
    tasks.index.apply([job_id])
    tasks.publish.apply([job_id])
    return version_of(ledger, job_id)


def fill(job_id: str, version: Version) -> None:
    migration.fill_space.apply([job_id, 0, [[version.id, 0, None, True]]])


def test_a_part_may_be_done_twice(ledger: Database, process: Process, tmp_path: Path) -> None:
    version = live(ledger, tmp_path)
    job_id = migration_to(ledger, begin_filling(ledger))
    fill(job_id, version)
    [_, space] = process.spaces.writable(fresh=True)
    space.points.remove_version(version.tenant_id, version.document_id, version.id)
    with ledger.writing() as connection:
        connection.execute(STEPS.delete().where(STEPS.c.job_id == job_id))
    fill(job_id, version)
    assert counts(process) == {FIRST: CHUNKS, SECOND: CHUNKS}


@pytest.mark.parametrize("moment", ["before", "embedded", "published"])
def test_a_document_that_is_deleted_while_it_is_written_leaves_nothing(
    ledger: Database,
    process: Process,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    version = live(ledger, tmp_path)
    job_id = migration_to(ledger, begin_filling(ledger))
    deletion = add_job(
        ledger,
        "delete",
        "processing",
        queue="vectorstore",
        payload={"document_ids": [version.document_id]},
    )

    def delete() -> None:
        with ledger.writing() as connection:
            documents.mark_deleted(connection, DEFAULT_TENANT, version.document_id)
        tasks.remove.apply([deletion])

    if moment == "before":
        delete()
    elif moment == "embedded":
        dense = Indexer.dense

        def embed_then_delete(*arguments: object, **options: object) -> Matrix:
            vectors = dense(*arguments, **options)  # type: ignore[arg-type]
            delete()
            return vectors

        monkeypatch.setattr(Indexer, "dense", embed_then_delete)
    else:
        publish = PointStore.publish

        def publish_then_delete(self: PointStore, *arguments: object) -> None:
            publish(self, *arguments)  # type: ignore[arg-type]
            delete()

        monkeypatch.setattr(PointStore, "publish", publish_then_delete)
    fill(job_id, version)
    assert counts(process, live=None) == {FIRST: 0, SECOND: 0}


def test_a_document_without_stored_chunks_stops_the_switch_by_name(
    ledger: Database, process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "_wait_for_models", lambda *_: None)
    version = live(ledger, tmp_path)
    BlobStore(f"file://{tmp_path / 'blobs'}").delete(version_prefix(DEFAULT_TENANT, version.id))
    job_id = migration_to(ledger, begin_filling(ledger))
    fill(job_id, version)
    migration.switch_space.apply([job_id])
    with ledger.reading() as connection:
        task = job_views.view(connection, DEFAULT_TENANT, job_id)
    assert task is not None
    assert task.error is not None
    assert "terms.pdf" in task.error.message
    assert process.spaces.readable(fresh=True).row.model == FIRST


def test_a_chunk_that_the_model_cuts_is_told_of(
    ledger: Database, process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "_wait_for_models", lambda *_: None)
    monkeypatch.setattr(LettersEmbedder, "max_tokens", 6)
    version = live(ledger, tmp_path)
    space_id = begin_filling(ledger)
    job_id = migration_to(ledger, space_id)
    fill(job_id, version)
    migration.switch_space.apply([job_id])
    with ledger.reading() as connection:
        task = job_views.view(connection, DEFAULT_TENANT, job_id)
    assert task is not None
    assert task.status == "completed", task.error
    assert any("7 tokens and the model takes 6" in each for each in task.result["warnings"])
    assert process.spaces.readable(fresh=True).id == space_id


def test_the_models_are_waited_for_and_a_missing_one_is_told_of(
    ledger: Database, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "MISSING_SECONDS", 0.0)
    shown: dict[str, str] = {}
    workers = [{"name": "rag@there", "models": shown}, {"name": "vectorstore@here"}]
    monkeypatch.setattr(migration, "live_workers", lambda *_: workers)
    with ledger.writing() as connection:
        job_id = model_migrations.migrate(connection, SECOND, "t")
    workers[1]["models"] = {SECOND: READY}
    shown[SECOND] = "It is not on this machine."
    migration.prepare_space.apply([job_id])
    with ledger.reading() as connection:
        task = job_views.view(connection, DEFAULT_TENANT, job_id)
        assert [space.model for space in spaces.undropped(connection)] == [FIRST]
    assert task is not None
    assert task.error is not None
    assert task.error.code == "model_missing"
    assert "rag@there" in task.error.message
    assert "flotilla models pull second" in task.error.message
