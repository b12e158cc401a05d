"""Pages over HTTP, out of the blobs that the document fleet leaves."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from flotilla.blobs import BlobStore, page_index_ref, pages_ref
from flotilla.errors import NotFound
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, now
from flotilla.models import PAGE_BREAK, Heading, Page
from flotilla.pages import StoredPages, read_page
from flotilla.settings import Settings
from tests.doubles.ledger_rows import add_document, add_version, set_document
from tests.integration.gateway.processes import Gateway

BOOK = [
    Page(
        number=number,
        text="" if number == 4 else f"Chapter {number}\nPage {number} says {number * 111} — 日本.",
        headings=(Heading(offset=0, level=1, title=f"Chapter {number}"),) if number % 2 else (),
    )
    for number in range(1, 8)
]
TEXT = PAGE_BREAK.join(page.text for page in BOOK)


@pytest.fixture
def database(gateway: Gateway) -> Iterator[Database]:
    database = Database(Settings(data=gateway.data).ledger_url)
    yield database
    database.close()


@pytest.fixture
def blobs(gateway: Gateway) -> BlobStore:
    return BlobStore(Settings(data=gateway.data).blobs_url)


def add_book(
    database: Database, blobs: BlobStore, pages: list[Page], size: int = 3, *, indexed: bool = True
) -> tuple[str, str]:
    """A document whose pages lie in several blobs; its id and its live version's."""
    document_id = add_document(database)
    version_id = add_version(database, document_id, "live")
    for part, first in enumerate(range(0, len(pages), size)):
        ref = pages_ref(DEFAULT_TENANT, version_id, part)
        blobs.put_values(ref, pages[first : first + size])
    if indexed:
        assert list(StoredPages(blobs, DEFAULT_TENANT, version_id).indexing()) == pages
    return document_id, version_id


@pytest.mark.parametrize("indexed", [True, False])
def test_every_page_stands_where_it_says(
    http: httpx.Client, database: Database, blobs: BlobStore, indexed: bool
) -> None:
    document_id, version_id = add_book(database, blobs, BOOK, indexed=indexed)
    listed, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        reply = http.get(f"/documents/{document_id}/pages", params=params).json()
        listed += reply["items"]
        cursor = reply["next_cursor"]
        if cursor is None:
            break
    assert [entry["number"] for entry in listed] == [1, 2, 3, 4, 5, 6, 7]
    for entry, page in zip(listed, BOOK, strict=True):
        found = http.get(f"/documents/{document_id}/pages/{entry['page']}").json()
        assert (found["number"], found["pages"], found["text"]) == (page.number, 7, page.text)
        assert found["version_id"] == version_id
        assert TEXT[found["start"] : found["end"]] == page.text
        assert (found["start"], found["end"]) == (entry["start"], entry["end"])
        assert found["characters"] == entry["characters"] == len(page.text)
        assert found["next_start"] is None
        for heading in found["headings"]:
            assert TEXT[heading["start"] :].startswith(heading["title"])
        assert len(found["headings"]) == len(page.headings)


def test_a_page_of_a_book_costs_its_own_blob_alone(
    http: httpx.Client, gateway: Gateway, database: Database, blobs: BlobStore
) -> None:
    document_id, version_id = add_book(database, blobs, BOOK)
    blobs.delete(pages_ref(DEFAULT_TENANT, version_id, 0))
    blobs.delete(pages_ref(DEFAULT_TENANT, version_id, 2))
    assert http.get(f"/documents/{document_id}/pages/5").json()["text"] == BOOK[4].text


def test_a_long_text_without_pages_is_read_in_parts(
    http: httpx.Client, database: Database, blobs: BlobStore
) -> None:
    text = "".join(f"Line {number} of a long text.\n" for number in range(20_000))
    document_id, _ = add_book(database, blobs, [Page(number=None, text=text)])
    address = f"/documents/{document_id}/pages/1"
    parts, start = [], 0
    while start is not None:
        part = http.get(address, params={"start": start}).json()
        assert (part["number"], part["pages"], part["characters"]) == (None, 1, len(text))
        assert part["start"] == start
        parts.append(part["text"])
        start = part["next_start"]
    assert len(parts) > 1
    assert "".join(parts) == text
    # Where a citation stands is all that a reader needs to know.
    place = text.index("Line 15000 ")
    part = http.get(address, params={"start": place, "limit": 10}).json()
    assert (part["text"], part["next_start"]) == ("Line 15000", place + 10)


def test_what_is_not_there_says_what_is(
    http: httpx.Client, database: Database, blobs: BlobStore
) -> None:
    document_id, _ = add_book(database, blobs, BOOK)
    reply = http.get(f"/documents/{document_id}/pages/8")
    assert (reply.status_code, reply.json()["code"]) == (404, "page_not_found")
    assert "7 pages" in reply.json()["detail"]
    for number in ("0", "-1", "two"):
        reply = http.get(f"/documents/{document_id}/pages/{number}")
        assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")
    off = http.get(f"/documents/{document_id}/pages/3", params={"start": 0})
    assert (off.status_code, off.json()["errors"][0]["field"]) == (422, "start")
    waiting = add_document(database, status="processing")
    reply = http.get(f"/documents/{waiting}/pages/1")
    assert (reply.status_code, reply.json()["code"]) == (404, "page_not_found")
    assert http.get(f"/documents/{waiting}/pages").json()["items"] == []
    set_document(database, document_id, deleted_at=now())
    for address in (f"/documents/{document_id}/pages/1", f"/documents/{document_id}/pages"):
        assert http.get(address).json()["code"] == "document_not_found"


def test_a_version_that_is_replaced_meanwhile_gives_way(
    database: Database, blobs: BlobStore, tmp_path: Path
) -> None:
    document_id, version_id = add_book(database, blobs, BOOK)
    looked = 0

    class Replaced(BlobStore):
        """The new version goes live, and the old one's blobs go, right after the first look."""

        def exists(self, ref: str) -> bool:
            nonlocal looked
            looked += 1
            if looked == 1:
                fresh = add_version(database, document_id, "live", number=2)
                blobs.put_values(
                    pages_ref(DEFAULT_TENANT, fresh, 0), [Page(number=1, text="The new one.")]
                )
                blobs.delete(f"{DEFAULT_TENANT}/{version_id}")
            return super().exists(ref) or ref == page_index_ref(DEFAULT_TENANT, version_id)

    store = Replaced(f"{blobs.root}")
    found = read_page(database, store, DEFAULT_TENANT, document_id, 1)
    assert (found.text, found.pages) == ("The new one.", 1)
    blobs.delete(DEFAULT_TENANT)
    with pytest.raises(NotFound):
        read_page(database, blobs, DEFAULT_TENANT, document_id, 1)
