"""The embedding model is changed while people ask and submit: nobody notices, nothing is mixed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from qdrant_client import QdrantClient, models

from flotilla.client import Flotilla, FlotillaAPIError
from flotilla.schemas import Task
from flotilla.schemas.models import ModelSpace
from flotilla.settings import Settings
from flotilla.vectorstore.fastembed_embedder import FastembedEmbedder
from flotilla.vectorstore.manifest import FILE_NAME
from tests.acceptance.stack import PATIENCE, Stack, flotilla, running_stack, wait_until
from tests.doubles import rotated_model

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
ISLANDS = [
    *("Arran", "Barra", "Canna", "Danna", "Eigg", "Foula", "Gigha", "Hirta", "Iona", "Jura"),
    *("Kerrera", "Lismore", "Mingulay", "Noss", "Oronsay", "Pabbay", "Rona", "Scarba", "Tiree"),
]
PARAGRAPHS = 4
CHUNK_TOKENS = 64
"""Small, so that documents which are soon embedded have several chunks each."""

FILLER = "The ferry timetable lists the crossings of the season and the harbour dues of each pier. "
"""Of all documents: what it takes to have several chunks each."""

FEW = 5
PACE = 0.1
"""Seconds from an answer to the next question: the machine has documents to embed besides."""


def text_of(island: str, keeper: str) -> bytes:
    fact = f"The lighthouse on {island} is kept by {keeper}, who came there as a child.\n\n"
    return (
        fact + "\n\n".join(f"{island}, part {n}. " + 3 * FILLER for n in range(PARAGRAPHS))
    ).encode()


def question(island: str) -> str:
    return f"Who keeps the lighthouse on {island}?"


@pytest.fixture(scope="module")
def model_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real model, and one whose vectors are its vectors turned."""
    folder = tmp_path_factory.mktemp("models")
    original = Settings().embedding_model_folder
    assert (original / FILE_NAME).exists(), "run `flotilla models pull`"
    (folder / original.name).symlink_to(original)
    rotated_model.lay(original, folder)
    return folder


@pytest.fixture(scope="module")
def islands(tmp_path_factory: pytest.TempPathFactory, model_folders: Path) -> Iterator["Islands"]:
    """A stack with a document about each island."""
    with running_stack(
        tmp_path_factory.mktemp("stack"),
        tmp_path_factory.mktemp("open"),
        FLOTILLA_EMBEDDING_MODELS_DIR=str(model_folders),
        EMBEDDING_MODEL=f"fastembed:{MINILM}",
        FLOTILLA_DOCUMENT_CHUNK_TOKENS=str(CHUNK_TOKENS),
        FLOTILLA_DOCUMENT_CHUNK_OVERLAP="8",
        FLOTILLA_VECTORSTORE_CHUNKS_PER_BATCH="8",
        FLOTILLA_JOB_BACKOFF_BASE="0.1",
    ) as stack:
        folder = tmp_path_factory.mktemp("texts")
        with Flotilla(stack.url, timeout=PATIENCE) as client:
            qdrant = QdrantClient(url=stack.addresses.qdrant, check_compatibility=False)
            made = Islands(stack, client, qdrant, folder)
            made.submit({island: f"Ada {island}son" for island in ISLANDS})
            yield made
            qdrant.close()


class Islands:
    """The stack, and what the documents should be."""

    def __init__(self, stack: Stack, client: Flotilla, qdrant: QdrantClient, folder: Path) -> None:
        self.stack = stack
        self.client = client
        self.qdrant = qdrant
        self.folder = folder
        self.keepers: dict[str, str] = {}
        self.ids: dict[str, str] = {}

    def submit(self, keepers: dict[str, str]) -> None:
        """New documents, or new versions of known ones, to their end."""
        paths = []
        for island, keeper in keepers.items():
            path = self.folder / f"{island}.txt"
            path.write_bytes(text_of(island, keeper))
            paths.append(path)
        for accepted in self.client.upload(*paths):
            task = self.client.wait(accepted.task_id, timeout=4 * PATIENCE)
            assert task.status == "completed", task.error
            island = accepted.name.removesuffix(".txt")
            self.ids[island] = accepted.document_id
            self.keepers[island] = keepers[island]

    def delete(self, island: str) -> None:
        accepted = self.client.delete_document(self.ids.pop(island))
        del self.keepers[island]
        assert self.client.wait(accepted.task_id, timeout=PATIENCE).status == "completed"

    def spaces(self) -> list[ModelSpace]:
        return self.client.models().items

    def only_the_active(self) -> str:
        """Drop what another test has left; returns the model that is not in use then."""
        active, *others = self.spaces()
        for space in others:
            task = self.client.wait(self.client.drop_model(space.space_id).task_id, timeout=60)
            assert task.status == "completed", task.error
        return MINILM if active.model == rotated_model.NAME else rotated_model.NAME

    def wait_for_filling(self) -> ModelSpace:
        """The second space as soon as it is written."""

        def look() -> ModelSpace | None:
            others = self.spaces()[1:]
            return others[0] if others and others[0].state == "filling" else None

        found = wait_until(look, "the second space is written")
        assert found is not None
        return found

    def end(self, task_id: str) -> Task:
        return self.client.wait(task_id, timeout=4 * PATIENCE)

    def check_spaces(self) -> None:
        """Every space holds every chunk of every document once, embedded with its own model, and
        nothing else."""
        chunks = {
            (document_id, chunk.chunk_id): chunk
            for document_id in self.ids.values()
            for chunk in self.client.chunks(document_id)
        }
        expected = {key: chunk.text for key, chunk in chunks.items()}
        for space in self.spaces():
            found = self._points(space.collection)
            assert {key: text for key, (text, _) in found.items()} == expected, space.model
            embedder = FastembedEmbedder(
                Path(self.stack.environment["FLOTILLA_EMBEDDING_MODELS_DIR"])
                / space.model.replace("/", "--")
            )
            some = sorted(found)[:: len(found) // 8]
            embedded = [f"{chunks[key].context}\n{chunks[key].text}".strip() for key in some]
            for vector, key in zip(embedder.embed_passages(embedded), some, strict=True):
                assert float(vector @ found[key][1]) > 0.999

    def _points(self, collection: str) -> dict[tuple[str, str], tuple[str, list[float]]]:
        live = models.FieldCondition(key="live", match=models.MatchValue(value=True))
        records, rest = self.qdrant.scroll(
            collection,
            scroll_filter=models.Filter(must=[live]),
            limit=5000,
            with_payload=True,
            with_vectors=["dense"],
        )
        assert rest is None
        assert self.qdrant.count(collection).count == len(records), "some points are hidden"
        return {
            (record.payload["document_id"], str(record.id)): (
                record.payload["text"],
                record.vector["dense"],  # type: ignore[index,call-overload]
            )
            for record in records
            if record.payload is not None
        }

    @contextmanager
    def asked_all_the_while(self, *islands: str) -> Iterator[list[str]]:
        """Ask about these islands all the while, and see that each answer is right.

        Gives the list of what was wrong, for the test to see in time; it is empty in the end.
        """
        over = threading.Event()
        wrong: list[str] = []
        count = 0

        def ask(client: Flotilla, island: str) -> None:
            nonlocal count
            found = client.search(question(island), top_k=3).passages
            fact = f"The lighthouse on {island} is kept by {self.keepers[island]}"
            if not found or fact not in found[0].text:
                wrong.append(f"search {island}: {[passage.text[:60] for passage in found]}")
            if count % 5 == 0:
                answer = client.ask(question(island))
                if not answer.answerable or self.keepers[island] not in answer.text:
                    wrong.append(f"ask {island}: {answer.text}")
            count += 1

        def go_on() -> None:
            with Flotilla(self.stack.url, timeout=PATIENCE, retries=0) as client:
                while not over.is_set():
                    for island in islands:
                        try:
                            ask(client, island)
                        except Exception as error:  # noqa: BLE001 - whatever it is, it is wrong
                            wrong.append(f"{island}: {error!r}")
                        over.wait(PACE)

        asking = threading.Thread(target=go_on)
        asking.start()
        try:
            yield wrong
            wait_until(lambda: count > FEW or wrong, "some questions are answered")
        finally:
            over.set()
            asking.join(PATIENCE)
        assert wrong == []


def test_the_model_changes_while_people_ask_and_submit(islands: Islands) -> None:
    target = islands.only_the_active()
    before = islands.spaces()[0].model
    islands.submit({"Sark": "Ada Sarkson", "Herm": "Ada Hermson"})
    with islands.asked_all_the_while("Arran", "Tiree"):
        task_id = islands.client.migrate_model(target).task_id
        islands.wait_for_filling()
        islands.submit({"Lundy": "Grace Lundyson", "Sark": "Grace Sarkson"})
        islands.delete("Herm")
        task = islands.end(task_id)
        assert task.status == "completed", task.error
        assert [space.model for space in islands.spaces()] == [target, before]
    assert task.progress is not None
    assert (task.progress.unit, task.progress.done) == ("documents", task.progress.total)
    assert task.result["previous_model"] == before
    islands.check_spaces()
    for island in ("Lundy", "Sark", "Arran"):
        [passage] = islands.client.search(question(island), top_k=1).passages
        assert islands.keepers[island] in passage.text
    # What comes after the switch is in both as well, and so the way back is short.
    islands.submit({"Lundy": "Mary Lundyson"})
    with islands.asked_all_the_while("Barra", "Rona"):
        islands.stack.run(*flotilla("models", "migrate", "--rollback", "--wait"), seconds=120)
        assert [space.model for space in islands.spaces()] == [before, target]
    islands.check_spaces()
    [passage] = islands.client.search(question("Lundy"), top_k=1).passages
    assert "Mary Lundyson" in passage.text


@pytest.mark.thorough
def test_a_migration_outlives_its_workers(islands: Islands) -> None:
    target = islands.only_the_active()
    task_id = islands.client.migrate_model(target).task_id
    islands.wait_for_filling()
    with islands.stack.halted("qdrant"):  # the work cannot end before its workers do
        for program in ("vectorstore-1", "default-1"):
            for process in islands.stack.processes(program):
                process.kill()
    with islands.asked_all_the_while("Canna"):
        task = islands.end(task_id)
    assert task.status == "completed", task.error
    assert islands.spaces()[0].model == target
    islands.check_spaces()


def test_a_cancelled_migration_leaves_nothing(islands: Islands) -> None:
    target = islands.only_the_active()
    before = islands.spaces()[0]
    task_id = islands.client.migrate_model(target).task_id
    filling = islands.wait_for_filling()
    with islands.stack.halted("qdrant"):  # the work cannot end before it is cancelled
        assert filling.task_id == task_id
        for refused in (
            lambda: islands.client.migrate_model(target),
            islands.client.roll_back_model,
        ):
            with pytest.raises(FlotillaAPIError, match=task_id) as caught:
                refused()
            assert caught.value.status == 409
        with pytest.raises(FlotillaAPIError, match="answers all questions"):
            islands.client.drop_model(before.space_id)
        assert httpx.delete(f"{islands.stack.url}/tasks/{task_id}", timeout=PATIENCE).is_success
    with islands.asked_all_the_while("Danna"):
        assert islands.client.task(task_id).status == "cancelled"
        wait_until(
            lambda: not islands.qdrant.collection_exists(filling.collection),
            "the half-filled collection is deleted",
        )
    assert [space.space_id for space in islands.spaces()] == [before.space_id]
    islands.submit({"Arran": "Flora Arranson"})
    islands.check_spaces()


def test_a_model_that_no_machine_has_is_refused_with_what_to_do(islands: Islands) -> None:
    islands.only_the_active()
    done = islands.stack.run(
        *flotilla("models", "migrate", "BAAI/bge-small-en-v1.5", "--wait"), check=False
    )
    assert done.returncode == 1
    assert "flotilla models pull BAAI/bge-small-en-v1.5" in done.stderr
    assert len(islands.spaces()) == 1


def test_the_setting_does_not_change_the_model(islands: Islands) -> None:
    active = islands.spaces()[0]
    other = MINILM if active.model == rotated_model.NAME else rotated_model.NAME
    islands.stack.environment["EMBEDDING_MODEL"] = f"fastembed:{other}"
    told = islands.stack.run(*flotilla("doctor"), check=False)
    assert told.returncode == 1
    assert f"flotilla models migrate {other}" in " ".join(told.stdout.split())
