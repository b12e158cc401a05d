"""Documents that OCR, LlamaParse and a vision model read, in the fleet's own processes."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from flotilla.client import Flotilla, FlotillaAPIError
from flotilla.schemas import Document
from tests.acceptance.stack import PATIENCE, Stack, running_stack
from tests.doubles.drawn import drawn, encoded, pdf, scan
from tests.doubles.llamacloud_server import KEY, LlamaCloudServer
from tests.doubles.openai_server import OpenAIServer, text

for package in ("rapidocr", "llama_cloud"):
    pytest.importorskip(package, reason="the extras `ocr` and `llamaparse` are not installed")

PROSE = "The ferry leaves at nine from the quay behind the office, and it takes all who have paid."
MORE = "Whoever is late waits for the next one, which leaves at noon unless the wind is too high."
SUMMARY = "A bar chart of ferry passengers by year, with 4,711 in 2019."
SUBMITTED = 4 * PATIENCE
"""Seconds: a page takes twenty on a busy machine, and the models are loaded first."""


@pytest.fixture(scope="module")
def llamacloud() -> Iterator[LlamaCloudServer]:
    with LlamaCloudServer() as server:
        server.looks = 1
        server.markdown = ["# Timetable\n\n| Day | Leaves |\n|---|---|\n| Sunday | 11:45 |\n"]
        yield server


@pytest.fixture(scope="module")
def model() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        server.fallback = text(SUMMARY)
        yield server


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, llamacloud: LlamaCloudServer, model: OpenAIServer
) -> Iterator[Stack]:
    with running_stack(
        tmp_path_factory.mktemp("stack"),
        tmp_path_factory.mktemp("open"),
        LLAMA_CLOUD_API_KEY=KEY,
        LLAMA_CLOUD_BASE_URL=llamacloud.url,
        LLM_BASE_URL=model.base_url,
        FLOTILLA_LLM_VISION_MODEL="seer",
        FLOTILLA_OCR_PAGES_PER_RANGE="1",
        FLOTILLA_OCR_PICTURES="false",
    ) as stack:
        yield stack


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[Flotilla]:
    with Flotilla(stack.url, timeout=PATIENCE) as client:
        yield client


def ingest(client: Flotilla, name: str, content: bytes, converter: str | None = None) -> Document:
    [accepted] = client.upload((name, io.BytesIO(content)), converter=converter)
    task = client.wait(accepted.task_id, timeout=SUBMITTED)
    assert task.status == "completed", task.error
    return client.document(accepted.document_id)


def found(client: Flotilla, question: str) -> list[tuple[str, str]]:
    """The passages' documents and texts, the best first."""
    return [(p.document_name, p.text) for p in client.search(question).passages]


@pytest.mark.timeout(600)
def test_scanned_pages_can_be_searched(client: Flotilla) -> None:
    lines = ("The lighthouse keeper", "feeds the harbour cats", "at half past six.")
    document = ingest(client, "log.pdf", pdf([PROSE, MORE], scan(*lines), scan("Page three")))
    assert (document.converter, document.pages) == ("pdfium", 3)
    assert [(n.code, n.pages) for n in document.notes] == [("pages_read_by_ocr", "2-3")]
    name, passage = found(client, "Who feeds the cats?")[0]
    assert name == "log.pdf"
    assert "\n".join(lines) in passage
    assert client.page(document.document_id, 3).text == "Page three"


def test_a_document_is_read_by_llamaparse(client: Flotilla, llamacloud: LlamaCloudServer) -> None:
    content = pdf([PROSE, MORE])
    document = ingest(client, "ferry.pdf", content, "llamaparse")
    assert (document.converter, document.notes) == ("llamaparse", [])
    assert "Sunday | 11:45" in found(client, "When does it leave on Sunday?")[0][1]
    assert llamacloud.files == {}
    # Read anew, and the service is out of order.
    llamacloud.fail("upload", 401)
    again = ingest(client, "ferry.pdf", content + b"\n", "llamaparse")
    assert (again.document_id, again.converter) == (document.document_id, "pdfium")
    assert [note.code for note in again.notes] == ["converter_replaced"]


def test_pictures_are_found_by_what_a_model_says_of_them(client: Flotilla) -> None:
    chart = (drawn("4711", size=(400, 300), colour="yellow"), (72.0, 200.0, 372.0, 425.0))
    document = ingest(client, "report.pdf", pdf([PROSE, chart]))
    chunks = [c for c in client.chunks(document.document_id) if SUMMARY in c.text]
    assert [chunk.page_start for chunk in chunks] == [1]
    assert found(client, "How many ferry passengers were there in 2019?")[0][0] == "report.pdf"


def test_a_photo_is_a_document(client: Flotilla, tmp_path: Path) -> None:
    document = ingest(client, "board.jpg", encoded(drawn("Mooring forbidden"), "JPEG"))
    assert (document.content_type, document.pages) == ("image/jpeg", 1)
    assert any("Mooring forbidden" in chunk.text for chunk in client.chunks(document.document_id))


def test_what_there_is_not_is_refused(client: Flotilla) -> None:
    with pytest.raises(FlotillaAPIError) as refused:
        client.upload(("a.pdf", io.BytesIO(b"%PDF")), converter="tesseract")
    assert (refused.value.status, refused.value.code) == (422, "invalid_request")
