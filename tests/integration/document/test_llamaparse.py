"""Documents that LlamaParse reads, as a task of the fleet has them read: with the service's real
client, against a server on localhost."""

import io
from collections.abc import Callable, Iterator

import pytest
from reportlab.pdfgen.canvas import Canvas

from flotilla.document import remote_conversion, tasks
from flotilla.ledger import jobs
from flotilla.ledger.database import Database
from flotilla.ledger.endings import cancel
from flotilla.models import ConverterName
from flotilla.schemas import TaskStatus
from flotilla.settings import DocumentSettings, LlamaParseSettings, OCRSettings, Settings
from tests.doubles.frozen_blobs import Blobs
from tests.doubles.llamacloud_server import KEY, LlamaCloudServer
from tests.integration.document.ingested import IngestedFile

pytest.importorskip("llama_cloud", reason="the extra `llamaparse` is not installed")

OWN_TEXT = "The ferry leaves at nine."


def pdf(text: str = OWN_TEXT, pages: int = 1) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out)
    for _ in range(pages):
        canvas.drawString(72, 700, text)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LlamaCloudServer]:
    # A task that is run in place is also tried again in place, and at once.
    monkeypatch.setattr(remote_conversion, "SHORTEST_PAUSE", 60.0)
    monkeypatch.setattr(remote_conversion, "LONGEST_PAUSE", 60.0)
    with LlamaCloudServer() as server:
        yield server


Configure = Callable[..., None]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch, server: LlamaCloudServer) -> Configure:
    def configure(rules: str = "", **options: object) -> None:
        given = {"api_key": KEY, "base_url": server.url, "request_timeout": 10.0} | options
        settings = Settings(
            document=DocumentSettings(converters=rules),
            llamaparse=LlamaParseSettings(**given),
            ocr=OCRSettings(enabled=False),
        )
        monkeypatch.setattr(tasks, "get_settings", lambda: settings)

    configure()
    return configure


Send = Callable[..., IngestedFile]


@pytest.fixture
def send(ledger: Database, blobs: Blobs, configure: Configure) -> Send:
    def send(
        converter: ConverterName = ConverterName.LLAMAPARSE,
        name: str = "dues.pdf",
        content: bytes | None = None,
        password: str | None = None,
    ) -> IngestedFile:
        return IngestedFile(ledger, blobs, name, content or pdf(), converter, password)

    return send


def test_its_pages_become_the_documents(server: LlamaCloudServer, send: Send) -> None:
    server.looks, server.markdown = 1, ["# Dues\n\nAs parsed.", None, "The end."]
    file = send()
    file.convert()
    assert (file.task.status, file.step()) == (TaskStatus.PROCESSING, ("waiting", 0))
    assert server.steps == ["upload", "create"]  # nothing is held while the service is at it
    file.convert_later()
    assert not file.is_converted
    file.convert_later()
    assert [(page.number, page.text) for page in file.pages()] == [
        (1, "Dues\n\nAs parsed."),
        (2, ""),
        (3, "The end."),
    ]
    assert file.is_converted
    assert (file.converter, file.document.pages) == ("llamaparse", 3)
    assert file.notes() == [("pages_not_parsed", "2")]
    assert server.steps.count("upload") == 1
    assert (server.files, server.jobs) == ({}, {})


def test_a_rule_chooses_it(server: LlamaCloudServer, send: Send, configure: Configure) -> None:
    configure("*.txt=pdfium, dues*=llamaparse")
    file = send(ConverterName.AUTO)
    file.convert()
    assert server.steps == ["upload", "create"]
    other = send(ConverterName.AUTO, "notice.pdf")
    other.convert()
    assert other.pages()[0].text == OWN_TEXT
    asked = send(ConverterName.PDFIUM)  # which goes before any rule
    asked.convert()
    assert asked.pages()[0].text == OWN_TEXT
    assert server.steps == ["upload", "create"]


def test_nothing_is_sent_that_does_not_ask_for_it(server: LlamaCloudServer, send: Send) -> None:
    file = send(ConverterName.AUTO)
    file.convert()
    assert (file.is_converted, file.converter, server.steps) == (True, "pdfium", [])
    text = send(name="notice.txt", content=b"The office is closed.")
    text.convert()
    assert (text.is_converted, text.converter, server.steps) == (True, "text", [])
    assert text.notes() == [("converter_passed_over", None)]


@pytest.mark.parametrize("status", [401, 402, 422])
@pytest.mark.parametrize("step", ["upload", "create"])
def test_pdfium_stands_in_when_it_refuses(
    server: LlamaCloudServer, send: Send, step: str, status: int
) -> None:
    server.fail(step, status)
    file = send()
    file.convert()
    assert file.pages()[0].text == OWN_TEXT
    assert (file.is_converted, file.converter) == (True, "pdfium")
    [note] = file.task.notes
    assert note.code == "converter_replaced"
    assert str(status) in note.message
    assert file.document.notes == [note]
    assert server.steps.count(step) == 1


def test_what_may_pass_is_asked_for_again_with_its_pause(
    server: LlamaCloudServer, send: Send
) -> None:
    server.fail("upload", 503)
    server.fail("create", 429, headers={"Retry-After": "30"})
    file = send()
    file.convert()
    assert file.step() == ("waiting", 0)
    file.convert()  # too early
    assert server.steps == ["upload"]
    file.convert_later()
    assert server.steps == ["upload", "upload", "create"]
    file.convert_later()
    file.convert_later()
    assert (file.is_converted, file.converter, file.notes()) == (True, "llamaparse", [])
    # The file is there already, and is not sent again.
    assert server.steps.count("upload") == 2


@pytest.mark.parametrize("step", ["upload", "create", "get"])
def test_pdfium_stands_in_after_some_attempts(
    server: LlamaCloudServer, send: Send, configure: Configure, step: str
) -> None:
    configure(attempts=3)
    server.fail(step, 500, times=9)
    file = send()
    file.convert()
    for _ in range(5):
        if not file.is_converted:
            file.convert_later()
    assert file.pages()[0].text == OWN_TEXT
    assert file.notes() == [("converter_replaced", None)]
    assert server.steps.count(step) == 3


def test_pdfium_stands_in_when_it_asks_for_too_much_patience(
    server: LlamaCloudServer, send: Send
) -> None:
    server.fail("create", 429, headers={"Retry-After": "3600"})
    file = send()
    file.convert()
    assert file.notes() == [("converter_replaced", None)]


def test_pdfium_stands_in_when_it_takes_too_long(
    server: LlamaCloudServer, send: Send, configure: Configure
) -> None:
    server.looks = 1000
    configure(timeout=1e-3)
    file = send()
    file.convert()
    file.convert_later()
    assert file.pages()[0].text == OWN_TEXT
    assert "within" in file.task.notes[0].message
    assert "cancel" in server.steps
    assert server.files == {}


def test_pdfium_stands_in_when_its_job_fails(server: LlamaCloudServer, send: Send) -> None:
    server.ends_as = "FAILED"
    file = send()
    file.convert()
    file.convert_later()
    assert file.pages()[0].text == OWN_TEXT
    assert file.notes() == [("converter_replaced", None)]


def test_page_ranges_after_it_failed_are_pdfiums(
    server: LlamaCloudServer,
    send: Send,
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tasks.pipelines, "convert_ranges", lambda _job_id, _parts: None)
    settings = tasks.get_settings()
    document = DocumentSettings(pages_per_range=2)
    changed = settings.model_copy(update={"document": document})
    monkeypatch.setattr(tasks, "get_settings", lambda: changed)
    server.fail("upload", 401)
    file = send(content=pdf(pages=3))
    file.convert()
    file.convert_ranges()
    assert [len(file.pages(part)) for part in (0, 1)] == [2, 1]
    assert file.notes() == [("converter_replaced", None)]
    assert server.steps == ["upload"]


def test_a_retry_begins_with_the_service_again(server: LlamaCloudServer, send: Send) -> None:
    """Where nothing could stand in for it, the failure is not for ever."""
    server.fail("upload", 401)
    file = send(content=pdf(text=""))
    file.convert()
    assert (file.task.status, file.task.error and file.task.error.code) == (
        TaskStatus.FAILED,
        "no_text",
    )
    assert not file.payload[remote_conversion.KEY]


def test_a_cancelled_task_asks_no_more(
    server: LlamaCloudServer, send: Send, ledger: Database
) -> None:
    server.looks = 5
    file = send()
    file.convert()
    cancel(ledger, file.job_id)
    file.convert_later()
    assert server.steps == ["upload", "create"]
    with ledger.reading() as connection:
        job = jobs.get(connection, file.job_id)
    assert job is not None
    assert job.status is TaskStatus.CANCELLED


def test_a_file_with_a_password_stays_here(server: LlamaCloudServer, send: Send) -> None:
    file = send(password="a secret")
    file.convert()
    assert server.steps == []
    assert file.notes() == [("converter_replaced", None)]


def test_without_a_key_the_task_says_what_to_do(send: Send, configure: Configure) -> None:
    configure(api_key=None)
    file = send()
    file.convert()
    error = file.task.error
    assert error is not None
    assert (error.code, error.retryable) == ("converter_unavailable", False)
    assert "LLAMA_CLOUD_API_KEY" in error.message
