"""Scanned documents, pictures and illustrated ones as the fleet's tasks convert them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flotilla.document import tasks
from flotilla.document.converters import choice
from flotilla.document.converters import ocr as recognition
from flotilla.ledger.database import Database
from flotilla.models import ConverterName, DataType, Page
from flotilla.schemas import TaskStatus
from flotilla.settings import (
    DocumentSettings,
    LLMSettings,
    OCRSettings,
    PictureSettings,
    Settings,
)
from tests.doubles.drawn import drawn, encoded, pdf, scan
from tests.doubles.frozen_blobs import Blobs
from tests.doubles.openai_server import OpenAIServer, text
from tests.integration.document.ingested import IngestedFile

PROSE = "The ferry leaves at nine from the quay behind the office, and it takes all who have paid."
MORE = "Whoever is late waits for the next one, which leaves at noon unless the wind is too high."
READ = "As it was read."


class Reader:
    """Stands in for text recognition, whose models take seconds a page."""

    def page(self, _pixels: Any, number: int | None) -> Page:
        return Page(number=number, text=READ)


Configure = Callable[..., None]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Configure:
    monkeypatch.setattr(recognition, "text_reader", lambda _threads: Reader())
    monkeypatch.setattr(tasks.pipelines, "convert_ranges", lambda _job_id, _parts: None)

    def configure(*, installed: bool = True, **groups: Any) -> None:
        given = {"ocr": OCRSettings(pages_per_range=2), "llm": LLMSettings(vision_model=None)}
        settings = Settings(**given | groups)
        there = {"openai", "PIL"} | ({"rapidocr", "onnxruntime"} if installed else set())
        monkeypatch.setattr(choice, "_installed", lambda *packages: set(packages) <= there)
        monkeypatch.setattr(tasks, "get_settings", lambda: settings)

    configure()
    return configure


Send = Callable[..., IngestedFile]


@pytest.fixture
def send(ledger: Database, blobs: Blobs, configure: Configure) -> Send:
    def send(
        content: bytes,
        name: str = "minutes.pdf",
        converter: ConverterName = ConverterName.AUTO,
    ) -> IngestedFile:
        file = IngestedFile(ledger, blobs, name, content, converter)
        file.convert()
        return file

    return send


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        server.fallback = text("A map of the harbour.")
        yield server


def test_scanned_pages_are_shared_by_the_fleet(send: Send) -> None:
    file = send(pdf([PROSE, MORE], scan("a"), scan("b"), [PROSE, MORE], scan("c"), [PROSE, MORE]))
    assert file.step()[0] == "done"
    file.convert_ranges()
    # At most two scanned pages in one range.
    assert [[page.number for page in file.pages(part)] for part in (0, 1)] == [[1, 2, 3], [4, 5, 6]]
    assert [page.text == READ for part in (0, 1) for page in file.pages(part)] == [
        False,
        True,
        True,
        False,
        True,
        False,
    ]
    assert file.notes() == [("pages_read_by_ocr", "2-3,5")]
    assert file.converter == "pdfium"


def test_a_long_pdf_with_text_is_cut_as_ever(send: Send, configure: Configure) -> None:
    configure(document=DocumentSettings(pages_per_range=3))
    file = send(pdf(*[[PROSE, MORE]] * 7))
    file.convert_ranges()
    assert [len(file.pages(part)) for part in range(3)] == [3, 3, 1]
    assert file.notes() == []


def test_every_page_is_read_where_that_is_asked_for(send: Send) -> None:
    file = send(pdf(*[[PROSE, MORE]] * 3), converter=ConverterName.OCR)
    file.convert_ranges()
    assert [page.text for part in (0, 1) for page in file.pages(part)] == [READ] * 3
    assert file.converter == "ocr"


def test_what_cannot_be_read_is_named(send: Send, configure: Configure) -> None:
    configure(installed=False)
    file = send(pdf([PROSE, MORE], scan("a"), scan("b"), [PROSE, MORE]))
    assert file.is_converted
    assert file.notes() == [("scanned_pages", "2-3")]
    assert file.document.notes[0].pages == "2-3"


@pytest.mark.parametrize(
    ("converter", "says"),
    [(ConverterName.AUTO, "extra `ocr`"), (ConverterName.PDFIUM, "converter `auto`")],
)
def test_a_wholly_scanned_pdf_says_what_to_do(
    send: Send, configure: Configure, converter: ConverterName, says: str
) -> None:
    configure(installed=converter is ConverterName.PDFIUM)
    file = send(pdf(scan("a"), scan("b")), converter=converter)
    assert file.task.status is TaskStatus.FAILED
    assert file.task.error is not None
    assert file.task.error.code == "no_text"
    assert says in file.task.error.message


def test_text_recognition_that_is_not_there_ends_the_task(send: Send, configure: Configure) -> None:
    configure(installed=False)
    file = send(pdf([PROSE]), converter=ConverterName.OCR)
    assert file.task.error is not None
    assert (file.task.error.code, file.task.error.retryable) == ("converter_unavailable", False)


def test_a_picture_is_a_document(send: Send) -> None:
    file = send(encoded(drawn("a", size=(90, 90))), "board.png")
    assert [(page.number, page.text) for page in file.pages()] == [(1, READ)]
    assert (file.converter, file.document.content_type) == ("png", "image/png")


def test_a_picture_that_nothing_can_read_is_refused(send: Send, configure: Configure) -> None:
    configure(installed=False)
    file = send(encoded(drawn("a", size=(90, 90))), "board.png")
    assert file.task.error is not None
    assert file.task.error.code == "unsupported_type"
    assert "PNG" in file.task.error.message
    assert "extra `ocr`" in file.task.error.message


def test_a_picture_is_described_where_a_model_is_configured(
    send: Send, configure: Configure, model: OpenAIServer
) -> None:
    llm = LLMSettings(base_url=model.base_url, vision_model="seer")
    configure(installed=False, llm=llm)
    [page] = send(encoded(drawn("a", size=(90, 90))), "board.png").pages()
    assert page.text == "[Picture: A map of the harbour.]"
    assert page.regions[0].data_type is DataType.IMAGE


def test_pictures_of_a_long_pdf_are_chosen_once_for_all_ranges(
    send: Send, configure: Configure, model: OpenAIServer
) -> None:
    llm = LLMSettings(base_url=model.base_url, vision_model="seer")
    configure(
        installed=False,
        llm=llm,
        document=DocumentSettings(pages_per_range=1),
        pictures=PictureSettings(per_document=2),
    )
    logo = (drawn("L", size=(200, 200)), (400.0, 50.0, 500.0, 150.0))
    large = (drawn("M", size=(300, 300), colour="red"), (72.0, 200.0, 372.0, 500.0))
    small = (drawn("S", size=(300, 300), colour="blue"), (72.0, 200.0, 132.0, 260.0))
    file = send(pdf([PROSE, MORE, logo], [PROSE, MORE, logo, small], [PROSE, MORE, logo, large]))
    file.convert_ranges()
    assert [len(file.pages(part)[0].regions) for part in range(3)] == [1, 0, 1]
    assert len(model.requests) == 2
    # A second attempt pays for nothing again.
    tasks.convert_range.apply([file.job_id, 0, 1, 1])
    assert len(model.requests) == 2


def test_no_picture_is_sent_without_a_model_for_it(
    send: Send, configure: Configure, model: OpenAIServer
) -> None:
    configure(installed=False, llm=LLMSettings(base_url=model.base_url, model="openai:writer"))
    picture = (drawn("M", size=(300, 300)), (72.0, 200.0, 372.0, 500.0))
    assert send(pdf([PROSE, picture])).pages()[0].regions == ()
    assert model.requests == []


def test_a_model_that_is_not_set_up_is_told_of(
    send: Send, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    configure(installed=False, llm=LLMSettings(vision_model="openai:seer", api_key=None))
    picture = (drawn("M", size=(300, 300)), (72.0, 200.0, 372.0, 500.0))
    file = send(pdf([PROSE, picture]))
    assert file.is_converted
    assert file.notes() == [("pictures_not_described", None)]
    assert "OPENAI_API_KEY" in file.task.notes[0].message
