"""Bad input through all fleets: a clear end, a sentence that helps, and the fleet goes on."""

import io
import re
import zipfile
from collections.abc import Callable

import pytest
from pypdf import PdfReader, PdfWriter
from reportlab.pdfgen.canvas import Canvas

from flotilla.client import Flotilla
from flotilla.schemas import DocumentAccepted, TaskStatus
from tests.acceptance.stack import PATIENCE

ADVICE = re.compile(
    r"\b(send|save|submit|split|run|export|check|raise|download|make|try|are taken)\b"
)


def pdf(text: str = "The anchor weighs two tonnes.", pages: int = 1) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out)
    for _ in range(pages):
        if text:
            canvas.drawString(72, 700, text)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def encrypted_pdf() -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf())))
    writer.encrypt("anchor", algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def truncated_pdf() -> bytes:
    whole = pdf("The anchor weighs two tonnes. " * 3, pages=20)
    return whole[:600]


def zip_bomb() -> bytes:
    """A Word document of 60 MB of spaces, three times what the stack allows."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("word/document.xml", "w") as member:
            member.write(b"<document>")
            for _ in range(60):
                member.write(b" " * 1_000_000)
    return out.getvalue()


GIF = b"GIF89a" + bytes(64)

FILES: dict[str, tuple[str, Callable[[], bytes], str | None, str | None]] = {
    "empty": ("empty.txt", lambda: b"", None, "empty_file"),
    "image": ("boat.gif", lambda: GIF, None, "unsupported_type"),
    "binary": ("boat.xyz", lambda: bytes(range(256)) * 8, None, "unsupported_type"),
    "zip": ("a.zip", lambda: b"PK\x05\x06" + bytes(18), None, "unsupported_type"),
    "encrypted": ("locked.pdf", encrypted_pdf, None, "file_encrypted"),
    "wrong password": ("locked.pdf", encrypted_pdf, "achor", "wrong_password"),
    "right password": ("locked.pdf", encrypted_pdf, "anchor", None),
    "truncated": ("cut.pdf", truncated_pdf, None, "file_corrupt"),
    "scanned": ("scan.pdf", lambda: pdf("", pages=2), None, "no_text"),
    "long and scanned": ("scan.pdf", lambda: pdf("", pages=7), None, "no_text"),
    "no PDF": ("text.pdf", lambda: b"Not a PDF at all.", None, "file_corrupt"),
    "no zip": ("letter.docx", lambda: b"PK\x03\x04 and then nonsense", None, "file_corrupt"),
    "zip bomb": ("bomb.docx", zip_bomb, None, "archive_too_large"),
    "not UTF-8": ("latin.txt", lambda: "Grüße".encode("latin-1"), None, "invalid_encoding"),
    "only spaces": ("spaces.txt", lambda: b" \n\t \n", None, "no_text"),
}


@pytest.fixture(scope="module")
def submitted(client: Flotilla) -> dict[str, DocumentAccepted]:
    """Every bad file, sent at once; each into a collection of its own, since the same bytes
    are sent with several passwords."""
    accepted = {}
    for number, (what, (name, make, password, _)) in enumerate(FILES.items()):
        collection = client.create_collection(f"bad-{number}").name
        accepted[what] = client.upload(
            (name, io.BytesIO(make())), collection=collection, password=password
        )[0]
    return accepted


@pytest.mark.parametrize("what", FILES)
def test_it_ends_with_a_clear_error(
    client: Flotilla, submitted: dict[str, DocumentAccepted], what: str
) -> None:
    _, _, password, code = FILES[what]
    task = client.wait(submitted[what].task_id, timeout=PATIENCE)
    document = client.document(submitted[what].document_id)
    if code is None:
        assert task.status == TaskStatus.COMPLETED, task.error
        assert document.status == "ready"
    else:
        assert task.status == TaskStatus.FAILED
        assert task.error is not None
        assert task.error.code == code, task.error
        assert task.error.stage.startswith("document.")
        assert not task.error.retryable
        assert ADVICE.search(task.error.message), task.error.message
        assert document.status == "failed"
        assert document.error == task.error
    assert password is None or password not in task.model_dump_json()


def test_an_address_that_is_gone(client: Flotilla, site: str) -> None:
    accepted = client.ingest_url(f"{site}/gone.html")
    task = client.wait(accepted.task_id, timeout=PATIENCE)
    assert task.error is not None
    assert (task.error.stage, task.error.code) == ("document.fetch", "source_not_found")
    assert ADVICE.search(task.error.message), task.error.message


def test_an_address_that_never_ends(client: Flotilla, site: str) -> None:
    accepted = client.ingest_url(f"{site}/endless.txt")
    task = client.wait(accepted.task_id, timeout=PATIENCE)
    assert task.error is not None
    assert (task.error.stage, task.error.code) == ("document.fetch", "source_timeout")


def test_a_server_that_is_not_there_is_tried_again_before_it_fails(client: Flotilla) -> None:
    accepted = client.ingest_url("http://127.0.0.1:1/page.html")
    task = client.wait(accepted.task_id, timeout=PATIENCE)
    assert task.status == TaskStatus.FAILED
    assert task.error is not None
    assert task.error.code == "source_unavailable"
    assert task.attempt == 3


def test_the_fleet_goes_on(client: Flotilla, submitted: dict[str, DocumentAccepted]) -> None:
    for each in submitted.values():
        client.wait(each.task_id, timeout=PATIENCE)
    client.create_collection("after-bad")
    [accepted] = client.upload(("good.pdf", io.BytesIO(pdf())), collection="after-bad")
    assert client.wait(accepted.task_id, timeout=PATIENCE).status == TaskStatus.COMPLETED
    answer = client.ask("How much does the anchor weigh?", collections=["after-bad"])
    assert "two tonnes" in answer.text
    assert answer.citations[0].page_start == 1
