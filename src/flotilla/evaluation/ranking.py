"""From the chunks that were found to ranks of what is judged: passages, pages or documents."""

from collections.abc import Iterable, Iterator, Sequence

from flotilla.evaluation.data_sets import PAGE_SIGN, Kind
from flotilla.evaluation.retrieval import Hit


def ranked(kind: Kind, hits: Sequence[Hit], found_as: dict[str, list[str]]) -> list[str]:
    """The judged items that the hits are of, best first and each once, at its best chunk's rank.

    A passage that was split counts by its best chunk. A chunk of two pages has both of them, one
    behind the other. A document without pages is its own page 1.

    Args:
        kind: what is judged.
        hits: best first.
        found_as: ids of sources by the name of their document.
    """
    return _once(_items(kind, hits, found_as))


def documents(items: Sequence[str]) -> list[str]:
    """The documents of pages, each once."""
    return _once(document_of(each) for each in items)


def document_of(item: str) -> str:
    """The document of a page."""
    return item.rpartition(PAGE_SIGN)[0]


def page_of(item: str) -> int:
    """A page's number."""
    return int(item.rpartition(PAGE_SIGN)[2])


def _items(kind: Kind, hits: Sequence[Hit], found_as: dict[str, list[str]]) -> Iterator[str]:
    for hit in hits:
        for source in found_as.get(hit.document, ()):
            if kind is not Kind.PAGES:
                yield source
                continue
            first = hit.page_start or 1
            for page in range(first, max(first, hit.page_end or first) + 1):
                yield f"{source}{PAGE_SIGN}{page}"


def _once(items: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(items))
