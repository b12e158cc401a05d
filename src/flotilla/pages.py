"""A document's pages as they are read again: where each stands, and its text.

Pages lie in blobs of a hundred or so. An index beside them says where each page stands in the
document's text and which blob holds it, so that one page of a book costs one blob at most.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from flotilla.blobs import BlobStore, page_index_ref, pages_ref
from flotilla.errors import DocumentNotFound, InvalidRequest, NotFound, PageNotFound
from flotilla.ledger import documents
from flotilla.ledger.database import Database
from flotilla.models import PAGE_BREAK, Page, Value
from flotilla.schemas import DocumentPage, PageEntry, PageHeading

MOST_CHARACTERS = 200_000
"""Characters of a page in one reply, unless fewer are asked for: about 100 printed pages."""

Found = TypeVar("Found")


class IndexedPage(Value):
    """Where a page stands: `start:end` of the document's text, as the page `place` (from 0) of
    the blob `part`. `number` is None for formats without pages."""

    number: int | None
    part: int
    place: int
    start: int
    end: int


class StoredPages:
    """The pages of one version among the blobs.

    Every method raises DependencyUnavailable where the blobs cannot be read, and NotFound where
    the version was removed in this moment.
    """

    def __init__(self, blobs: BlobStore, tenant_id: str, version_id: str) -> None:
        self._blobs = blobs
        self._tenant_id = tenant_id
        self.version_id = version_id

    def read(self) -> Iterator[Page]:
        """All pages in order."""
        for _, _, page in self._places():
            yield page

    def indexing(self) -> Iterator[Page]:
        """All pages in order; writes their index once the last one is taken."""
        entries: list[IndexedPage] = []
        for entry, page in self._entries():
            entries.append(entry)
            yield page
        ref = page_index_ref(self._tenant_id, self.version_id)
        self._blobs.put_values(ref, entries)

    def index(self) -> Iterator[IndexedPage]:
        """Where each page stands; found by reading them all where no index was written, which is
        so for what was ingested before there was one."""
        ref = page_index_ref(self._tenant_id, self.version_id)
        if self._blobs.exists(ref):
            yield from self._blobs.values(ref, IndexedPage)
        else:
            for entry, _ in self._entries():
                yield entry

    def page(self, entry: IndexedPage) -> Page:
        """The page of an entry of the index."""
        pages = self._blobs.values(self._ref(entry.part), Page)
        page = next(islice(pages, entry.place, None), None)
        if page is None:
            raise NotFound("The page is not among the document's blobs any more: ask again.")
        return page

    def _entries(self) -> Iterator[tuple[IndexedPage, Page]]:
        start = 0
        for part, place, page in self._places():
            end = start + len(page.text)
            yield (
                IndexedPage(number=page.number, part=part, place=place, start=start, end=end),
                page,
            )
            start = end + len(PAGE_BREAK)

    def _places(self) -> Iterator[tuple[int, int, Page]]:
        part = 0
        while self._blobs.exists(self._ref(part)):
            for place, page in enumerate(self._blobs.values(self._ref(part), Page)):
                yield part, place, page
            part += 1

    def _ref(self, part: int) -> str:
        return pages_ref(self._tenant_id, self.version_id, part)


def read_page(
    database: Database,
    blobs: BlobStore,
    tenant_id: str,
    document_id: str,
    number: int,
    *,
    start: int | None = None,
    limit: int = MOST_CHARACTERS,
) -> DocumentPage:
    """A page of the live version, counted from 1; a document without pages is its only page.

    Args:
        database: the ledger.
        blobs: where the pages lie.
        tenant_id: whose document it is.
        document_id: the document.
        number: which page.
        start: offset in the document's text to read from, the page's own start by default.
        limit: most characters to return.

    Raises:
        DocumentNotFound: the tenant has no such document.
        PageNotFound: the document has no such page, or no live version yet.
        InvalidRequest: `start` does not lie on the page.
        DependencyUnavailable: the ledger or the blobs are out of reach.
    """

    def read(stored: StoredPages) -> DocumentPage:
        total, entry = 0, None
        for each in stored.index():
            total += 1
            if total == number:
                entry = each
        if total == 0:
            raise NotFound("The document's pages are being replaced: ask again.")
        if entry is None:
            raise PageNotFound(_no_such_page(number, total))
        document = (document_id, stored.version_id)
        return _cut(document, number, total, entry, stored.page(entry), start, limit)

    found = _of_live_version(database, blobs, tenant_id, document_id, read)
    if found is None:
        raise PageNotFound(
            "No version of this document is live yet, so it has no pages to read: wait until it is "
            "ingested, or retry its task."
        )
    return found


def list_pages(
    database: Database, blobs: BlobStore, tenant_id: str, document_id: str, first: int, wanted: int
) -> list[PageEntry]:
    """The `wanted` pages of the live version from the `first` on, counted from 1; none while no
    version is live.

    Raises:
        DocumentNotFound: the tenant has no such document.
        DependencyUnavailable: the ledger or the blobs are out of reach.
    """

    def read(stored: StoredPages) -> list[PageEntry]:
        part: Iterable[IndexedPage] = islice(stored.index(), first - 1, first - 1 + wanted)
        return [
            PageEntry(
                page=page,
                number=entry.number,
                characters=entry.end - entry.start,
                start=entry.start,
                end=entry.end,
            )
            for page, entry in enumerate(part, first)
        ]

    return _of_live_version(database, blobs, tenant_id, document_id, read) or []


def _of_live_version(
    database: Database,
    blobs: BlobStore,
    tenant_id: str,
    document_id: str,
    read: Callable[[StoredPages], Found],
) -> Found | None:
    """What is read of the live version; of the next one where that took its place meanwhile."""
    tried: str | None = None
    while True:
        with database.reading() as connection:
            version_id = documents.live_version(connection, tenant_id, document_id)
        if version_id is None:
            return None
        try:
            return read(StoredPages(blobs, tenant_id, version_id))
        except (DocumentNotFound, PageNotFound):
            raise
        except NotFound:
            if version_id == tried:
                raise
            tried = version_id


def _cut(
    document: tuple[str, str],
    number: int,
    total: int,
    entry: IndexedPage,
    page: Page,
    start: int | None,
    limit: int,
) -> DocumentPage:
    first = entry.start if start is None else start
    if not entry.start <= first <= entry.end:
        raise InvalidRequest(
            f"The page is the characters {entry.start:,} to {entry.end:,} of the document's text: "
            "choose a start between them, or leave it out.",
            field="start",
        )
    last = min(first + limit, entry.end)
    document_id, version_id = document
    return DocumentPage(
        document_id=document_id,
        version_id=version_id,
        page=number,
        pages=total,
        number=entry.number,
        characters=entry.end - entry.start,
        text=page.text[first - entry.start : last - entry.start],
        start=first,
        end=last,
        next_start=last if last < entry.end else None,
        headings=[
            PageHeading(start=entry.start + each.offset, level=each.level, title=each.title)
            for each in page.headings
            if first <= entry.start + each.offset < max(last, first + 1)
        ],
    )


def _no_such_page(number: int, total: int) -> str:
    if total == 1:
        return f"The document has 1 page, and no page {number:,}: ask for page 1."
    return (
        f"The document has {total:,} pages, and no page {number:,}: ask for one of 1 to {total:,}."
    )
