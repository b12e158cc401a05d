"""Questions and documents while the spaces change: on the real node, with small models."""

from collections.abc import Callable
from pathlib import Path

import pytest
from qdrant_client import QdrantClient

from flotilla import pipelines
from flotilla.blobs import BlobStore, version_prefix
from flotilla.ledger import (
    documents,
    endings,
    job_views,
    jobs,
    model_migrations,
    spaces,
    versions,
)
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.ledger.spaces import SpaceState
from flotilla.ledger.tables import STEPS
from flotilla.ledger.versions import Version
from flotilla.vectorstore import migration, tasks
from flotilla.vectorstore.embedder import Matrix
from flotilla.vectorstore.indexing import Indexer
from flotilla.vectorstore.points import PointStore
from flotilla.vectorstore.spaces import FRESH_SECONDS, READY
from tests.doubles.ledger_rows import add_document, add_job
from tests.integration.vectorstore.small_models import (
    CHUNKS,
    FIRST,
    SECOND,
    LettersEmbedder,
    Process,
    begin_filling,
    passages,
    pending,
    switch,
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
    return [passage.position for passage in passages(process, question)]


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

    # Of a fleet that was away for long, more messages come.
    monkeypatch.setattr(tasks, "_remove_version", None)
    assert tasks.discard.apply([job_id]).successful()


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
