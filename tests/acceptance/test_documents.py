"""Documents on their way through all fleets: submitted, read, replaced, deleted."""

from pathlib import Path

import httpx
import pytest
from qdrant_client import QdrantClient, models

from flotilla.client import Flotilla, FlotillaAPIError
from flotilla.schemas import Document, DocumentStatus
from flotilla.settings import Settings
from flotilla.vectorstore.points import collection_name
from tests.acceptance.stack import PATIENCE, SAMPLES, Stack, wait_until


def points(stack: Stack, document_id: str) -> int:
    """How many points of a document Qdrant holds, live or not."""
    of_document = models.FieldCondition(
        key="document_id", match=models.MatchValue(value=document_id)
    )
    client = QdrantClient(url=stack.addresses.qdrant, check_compatibility=False)
    name = collection_name(Settings())
    return client.count(name, models.Filter(must=[of_document]), exact=True).count


def test_every_sample_is_ready_with_what_is_known_of_it(samples: dict[str, Document]) -> None:
    assert {document.status for document in samples.values()} == {DocumentStatus.READY}
    pages = {name: document.pages for name, document in samples.items()}
    assert pages == {
        "terms-of-use.pdf": 7,
        "price-list.pdf": 3,
        "faq.docx": None,
        "delivery-and-warranty.html": None,
        "trade-in-guide.md": None,
        "opening-hours.txt": None,
    }
    assert all(document.chunks for document in samples.values())
    assert {document.metadata["kind"] for document in samples.values()} == {"sample"}


def test_its_chunks_are_read_in_parts_each_exactly_once(
    stack: Stack, raw: httpx.Client, samples: dict[str, Document]
) -> None:
    document = samples["terms-of-use.pdf"]
    assert document.chunks is not None
    address = f"/documents/{document.document_id}/chunks"
    whole = raw.get(address, params={"limit": 500}).json()
    assert whole["next_cursor"] is None
    assert [chunk["position"] for chunk in whole["items"]] == list(range(document.chunks))
    found: list[str] = []
    cursor = None
    while True:
        params = {"limit": 5} | ({"cursor": cursor} if cursor else {})
        part = raw.get(address, params=params).json()
        assert 0 < len(part["items"]) <= 5
        found += [chunk["chunk_id"] for chunk in part["items"]]
        cursor = part["next_cursor"]
        if cursor is None:
            break
    assert found == [chunk["chunk_id"] for chunk in whole["items"]]
    # Seven pages in ranges of three went through three tasks, and all of them arrived.
    pages = {chunk["page_start"] for chunk in whole["items"]}
    assert pages == set(range(1, 8))
    assert points(stack, document.document_id) == document.chunks


def test_its_status_shows_the_ingestion_to_its_end(
    client: Flotilla, samples: dict[str, Document]
) -> None:
    document = samples["terms-of-use.pdf"]
    state = client.document_status(document.document_id)
    assert state.task is not None
    assert state.task.status == "completed"
    assert state.task.stage == "upkeep.finish"
    assert state.task.progress is not None
    assert state.task.progress.done == state.task.progress.total == document.chunks


def test_a_deleted_document_answers_nothing_from_the_next_question_on(
    stack: Stack, client: Flotilla
) -> None:
    client.create_collection("deletion")
    text = "The secret ingredient of the harbour soup is smoked paprika."
    kept = client.ingest_text("Soup is served from noon.", name="k.txt", collection="deletion")
    gone = client.ingest_text(text, name="g.txt", collection="deletion")
    for accepted in (kept, gone):
        assert client.wait(accepted.task_id, timeout=PATIENCE).status == "completed"
    asked = "What is the secret ingredient of the harbour soup?"
    answer = client.ask(asked, collections=["deletion"])
    assert answer.citations[0].document_id == gone.document_id
    assert points(stack, gone.document_id) > 0
    blobs = stack.addresses.data / "blobs"
    sources = len(list(blobs.rglob("source")))

    deletion = client.delete_document(gone.document_id)

    found = client.search(asked, collections=["deletion"]).passages
    assert [passage.document_id for passage in found] == [kept.document_id]
    with pytest.raises(FlotillaAPIError) as refused:
        client.document(gone.document_id)
    assert refused.value.code == "document_not_found"
    assert client.wait(deletion.task_id, timeout=PATIENCE).status == "completed"
    assert points(stack, gone.document_id) == 0
    assert len(list(blobs.rglob("source"))) == sources - 1
    again = client.ingest_text(text, name="g.txt", collection="deletion")
    assert again.duplicate_of is None
    assert client.wait(again.task_id, timeout=PATIENCE).status == "completed"


def test_a_new_version_takes_the_place_of_the_old_one(stack: Stack, client: Flotilla) -> None:
    client.create_collection("versions")
    for number, hour in enumerate(("nine", "ten"), start=1):
        accepted = client.ingest_text(
            f"The ferry leaves at {hour} in the morning.", name="ferry.txt", collection="versions"
        )
        assert client.wait(accepted.task_id, timeout=PATIENCE).status == "completed"
        assert client.document(accepted.document_id).version == number
        found = client.search("When does the ferry leave?", collections=["versions"]).passages
        assert [hour in passage.text for passage in found] == [True]
    assert points(stack, accepted.document_id) == 1


def test_a_deleted_collection_is_empty_everywhere(stack: Stack, client: Flotilla) -> None:
    client.create_collection("short-lived")
    accepted = client.ingest_text("Here today, gone tomorrow.", collection="short-lived")
    assert client.wait(accepted.task_id, timeout=PATIENCE).status == "completed"
    assert client.collection("short-lived").chunks == 1
    deletion = client.delete_collection("short-lived")
    with pytest.raises(FlotillaAPIError) as refused:
        client.search("Here?", collections=["short-lived"])
    assert refused.value.code == "collection_not_found"
    assert client.wait(deletion.task_id, timeout=PATIENCE).status == "completed"
    assert points(stack, accepted.document_id) == 0


def test_a_web_page_and_a_servers_file_are_ingested(
    stack: Stack, client: Flotilla, site: str
) -> None:
    client.create_collection("sources")
    (stack.ingest_root / "tides.txt").write_text("High tide is at a quarter past four.")
    page = client.ingest_url(f"{site}/page.html", collection="sources")
    file = client.ingest_path("tides.txt", collection="sources")
    for accepted in (page, file):
        assert client.wait(accepted.task_id, timeout=PATIENCE).status == "completed"
    assert client.document(page.document_id).content_type == "text/html"
    answer = client.ask("Who feeds the harbour cats?", collections=["sources"])
    assert answer.citations[0].document_id == page.document_id
    assert "lighthouse keeper" in answer.text


def test_a_document_that_is_deleted_while_it_is_indexed_leaves_nothing(
    stack: Stack, client: Flotilla
) -> None:
    client.create_collection("overtaken")
    source = SAMPLES / "terms-of-use.pdf"
    before = blobs(stack)
    for stage in ("document.convert_range", "document.split", *3 * ["vectorstore.index"]):
        [accepted] = client.upload(source, collection="overtaken")
        wait_until(
            lambda task_id=accepted.task_id, stage=stage: client.task(task_id).stage >= stage,
            f"the document has come as far as {stage}",
        )
        deletion = client.delete_document(accepted.document_id)
        assert client.task(accepted.task_id).status == "cancelled"
        assert client.wait(deletion.task_id, timeout=PATIENCE).status == "completed"
        # What a worker was still writing it removes itself, or the cleaning after it.
        wait_until(
            lambda document_id=accepted.document_id: points(stack, document_id) == 0,
            "no point is left",
        )
    wait_until(lambda: blobs(stack) == before, "no blob is left")


def blobs(stack: Stack) -> set[Path]:
    """Every file among the stack's blobs."""
    found = (stack.addresses.data / "blobs").rglob("*")
    return {path for path in found if path.is_file() and not path.name.startswith("ping-")}
