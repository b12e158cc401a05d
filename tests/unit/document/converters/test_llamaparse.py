"""LlamaParse through its real client, against a server on localhost."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from flotilla.document.converters.llamaparse import (
    LlamaParse,
    ParseFailed,
    RemoteParse,
    page_of_markdown,
)
from flotilla.settings import LlamaParseSettings
from tests.doubles.llamacloud_server import KEY, LlamaCloudServer

pytest.importorskip("llama_cloud", reason="the extra `llamaparse` is not installed")

Service = Callable[..., LlamaParse]

TABLE = """\
# Harbour dues

Who moors **here** pays:

<table><thead><tr><th>Boat</th><th>Fee</th></tr></thead>
<tbody><tr><td>Dinghy</td><td>4<br>euros</td></tr><tr><td>Yacht</td><td>20</td></tr></tbody></table>

- by card
- in cash

![the quay](page_1_image_1.png)
"""


@pytest.fixture
def server() -> Iterator[LlamaCloudServer]:
    with LlamaCloudServer() as server:
        yield server


@pytest.fixture
def service() -> Iterator[Callable[..., LlamaParse]]:
    with ExitStack() as stack:

        def make(server: LlamaCloudServer, **options: object) -> LlamaParse:
            given = {"api_key": KEY, "base_url": server.url, "request_timeout": 5.0} | options
            return stack.enter_context(LlamaParse(LlamaParseSettings(**given)))

        yield make


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "dues.pdf"
    path.write_bytes(b"%PDF-1.4 of a kind")
    return path


def read(client: LlamaParse, document: Path) -> RemoteParse:
    return client.begin(client.upload(document, "dues.pdf"))


def test_a_document_is_sent_and_its_pages_come_back(
    service: Service, server: LlamaCloudServer, document: Path
) -> None:
    server.looks, server.markdown = 1, ["# One\n\nFirst.", None, "Third."]
    client = service(server, tier="agentic", version="2026-06-15")
    parse = read(client, document)
    assert server.files[parse.file] == document.read_bytes()
    asked = server.jobs[parse.job]["asked"]
    assert (asked["tier"], asked["version"], asked["file_id"]) == (
        "agentic",
        "2026-06-15",
        parse.file,
    )
    assert client.result(parse) is None
    parsed = client.result(parse)
    assert parsed is not None
    pages = parsed.pages
    assert parsed.failed == (2,)
    assert [(page.number, page.text) for page in pages] == [
        (1, "One\n\nFirst."),
        (2, ""),
        (3, "Third."),
    ]
    assert [heading.title for heading in pages[0].headings] == ["One"]
    assert server.keys == {f"Bearer {KEY}"}


def test_rows_of_tables_are_lines_and_their_cells_stay_on_them() -> None:
    page = page_of_markdown(TABLE, 3)
    assert page.number == 3
    assert "Boat | Fee\nDinghy | 4 euros\nYacht | 20" in page.text
    assert "Who moors here pays:" in page.text
    assert "- by card\n- in cash" in page.text
    assert "the quay" in page.text
    assert "png" not in page.text
    piped = page_of_markdown("| Boat | Fee |\n|---|---|\n| Yacht | 20 |\n", 1)
    assert piped.text == "Boat | Fee\nYacht | 20"


def test_what_a_page_hides_is_left_out() -> None:
    text = page_of_markdown("Shown.<script>x()</script>\n\n<!-- not this -->\n\nAnd this.", 1).text
    assert text == "Shown.\n\nAnd this."


@pytest.mark.parametrize(
    ("status", "passing", "said"),
    [
        (401, False, "LLAMA_CLOUD_API_KEY"),
        (402, False, "credits"),
        (403, False, "key"),
        (413, False, "too large"),
        (418, False, "418"),
        (429, True, "no more requests"),
        (500, True, "500"),
        (503, True, "503"),
    ],
)
def test_what_a_refusal_means(
    service: Service,
    server: LlamaCloudServer,
    document: Path,
    status: int,
    passing: bool,
    said: str,
) -> None:
    server.fail("upload", status, headers={"Retry-After": "7"})
    with pytest.raises(ParseFailed) as caught:
        service(server).upload(document, "dues.pdf")
    assert (caught.value.passing, said in caught.value.message) == (passing, True)
    assert caught.value.retry_after == (7.0 if passing else None)
    assert server.steps == ["upload"]  # the client itself asks once
    assert KEY not in caught.value.message


def test_a_server_that_does_not_reply_is_not_waited_for(
    service: Service, server: LlamaCloudServer, document: Path
) -> None:
    server.fail("create", 200, pause=60.0)
    client = service(server, request_timeout=0.3)
    file = client.upload(document, "dues.pdf")
    with pytest.raises(ParseFailed, match="in time") as caught:
        client.begin(file)
    assert caught.value.passing


def test_a_server_that_is_not_there(service: Service, document: Path) -> None:
    with LlamaCloudServer() as server:
        gone = service(server)
    with pytest.raises(ParseFailed) as caught:
        gone.upload(document, "dues.pdf")
    assert caught.value.passing


@pytest.mark.parametrize("ended", ["FAILED", "CANCELLED"])
def test_a_job_that_fails_there(
    service: Service, server: LlamaCloudServer, document: Path, ended: str
) -> None:
    server.ends_as = ended
    client = service(server)
    with pytest.raises(ParseFailed, match=ended.lower()) as caught:
        client.result(read(client, document))
    assert not caught.value.passing


@pytest.mark.parametrize("pages", [[], [""], [None, "<!-- nothing -->"]])
def test_pages_without_text_are_a_failure(
    service: Service, server: LlamaCloudServer, document: Path, pages: list[str | None]
) -> None:
    server.markdown = pages
    client = service(server)
    with pytest.raises(ParseFailed):
        client.result(read(client, document))


def test_nothing_of_the_document_is_left_there(
    service: Service, server: LlamaCloudServer, document: Path
) -> None:
    client = service(server)
    client.tidy(read(client, document), running=True)
    assert (server.files, server.jobs) == ({}, {})
    assert "cancel" in server.steps
    kept = service(server, keep=True)
    kept.tidy(read(kept, document), running=False)
    assert len(server.files) == len(server.jobs) == 1


def test_what_cannot_be_removed_there_is_no_failure(
    service: Service, server: LlamaCloudServer, document: Path
) -> None:
    client = service(server)
    parse = read(client, document)
    server.fail("delete", 500)
    client.tidy(parse, running=False)
    assert server.files == {}
