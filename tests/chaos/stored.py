"""What lies in Qdrant and in the blobs, compared with what the ledger says is there."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from qdrant_client import models

from tests.chaos.contents import Contents
from tests.chaos.expected import Expected
from tests.chaos.leftovers import leftovers
from tests.chaos.stack import Stack
from tests.chaos.verdict import Verdict

TIDY_SECONDS = 45.0
"""For what is cleaned up after the jobs' ends: superseded versions, failed and cancelled ones."""

PLACE = ["document_id", "version_id", "position", "live"]
"""Of a point's payload what tells where it belongs."""


@dataclass
class Differences:
    """What is not as the ledger says."""

    lost: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    duplicated: int = 0

    def twice(self, count: int, what: str) -> None:
        """Note what is there `count` times too often."""
        self.duplicated += count
        self.duplicates.append(what)


class Stored:
    """What a stack has stored of one collection.

    Args:
        stack: where to look.
        collection: at what.
    """

    def __init__(self, stack: Stack, collection: str) -> None:
        self._stack = stack
        self._collection = collection

    def judge(self, verdict: Verdict, expected: Mapping[str, Expected], cut: int) -> None:
        """Add to a verdict what is lost, false, there twice or left over, once it has had the time
        to be tidied.

        Args:
            verdict: that is added to.
            expected: what has to become of each source, by its name.
            cut: uploads that were sent once more, of each of which a file may be left.
        """
        deadline = time.monotonic() + TIDY_SECONDS
        while True:
            found = self._compare_points()
            left = leftovers(self._stack, self._collection, cut)
            tidy = not (found.lost or found.duplicates or left)
            if tidy or time.monotonic() > deadline:
                break
            time.sleep(1.0)
        verdict.lost += found.lost
        verdict.duplicated += found.duplicated
        verdict.duplicates += found.duplicates
        verdict.broken += left
        points = self.points(payload=True)
        Contents(self._stack, self._collection, points).judge(verdict, expected)

    def remains(self, document_id: str, version_ids: Sequence[str]) -> list[str]:
        """What is still there of a document of which nothing may be: points and blobs."""

        def look() -> list[str]:
            points = [p for p in self.points() if p["document_id"] == document_id]
            found = [f"{len(points)} points"] if points else []
            for version_id in version_ids:
                files = [
                    str(path.relative_to(self._stack.blobs))
                    for path in self._stack.blobs.glob(f"*/{version_id}/**/*")
                    if path.is_file()
                ]
                found += [f"blob {name}" for name in files[:3]]
            return found

        return vanished(look)

    def _compare_points(self) -> Differences:
        ledger = self._stack.ledger
        found = Differences()
        documents = ledger.rows(
            "SELECT d.id, d.source, d.status, d.live_version_id, v.chunks FROM documents d "
            "JOIN collections c ON c.id = d.collection_id "
            "LEFT JOIN versions v ON v.id = d.live_version_id "
            "WHERE c.name = :name AND d.deleted_at IS NULL",
            name=self._collection,
        )
        live = ledger.rows(
            "SELECT v.document_id, COUNT(*) FROM versions v "
            "JOIN documents d ON d.id = v.document_id JOIN collections c ON c.id = d.collection_id "
            "WHERE c.name = :name AND v.state = 'live' GROUP BY v.document_id HAVING COUNT(*) > 1",
            name=self._collection,
        )
        for document_id, times in live:
            found.twice(times - 1, f"document {document_id} has {times} live versions")
        for source, times in Counter(row[1] for row in documents).items():
            if times > 1:
                found.twice(times - 1, f"{source} is {times} documents")
        points = self.points()
        for document in documents:
            own = [point for point in points if point["document_id"] == document[0]]
            _compare_document(found, document, own)
        known = {row[0] for row in documents}
        orphans = [point for point in points if point["document_id"] not in known]
        if orphans:
            found.twice(len(orphans), f"{len(orphans)} points of documents that are not there")
        return found

    def points(self, payload: bool | list[str] = PLACE) -> list[dict[str, Any]]:
        """The payloads of the collection's points, hidden ones and all spaces' included; by default
        only what tells where they belong."""
        ids = self._stack.ledger.rows(
            "SELECT id FROM collections WHERE name = :name AND deleted_at IS NULL",
            name=self._collection,
        )
        match = models.MatchAny(any=[row[0] for row in ids])
        chosen = models.Filter(must=[models.FieldCondition(key="collection_id", match=match)])
        found: list[dict[str, Any]] = []
        for collection in self._stack.qdrant.get_collections().collections:
            following: Any = None
            while True:
                page, following = self._stack.qdrant.scroll(
                    collection.name,
                    scroll_filter=chosen,
                    limit=1000,
                    offset=following,
                    with_payload=payload,
                )
                found += [point.payload or {} for point in page]
                if following is None:
                    break
        return found


def _compare_document(
    found: Differences, document: Sequence[Any], own: Sequence[dict[str, Any]]
) -> None:
    """Compare one document's points with its row: id, source, status, live version, chunks."""
    document_id, source, status, version_id, chunks = document
    strays = [point for point in own if point["version_id"] != version_id]
    kept = [point for point in own if point["version_id"] == version_id]
    seen = [point for point in kept if point["live"]]
    if strays:
        shown = sum(point["live"] for point in strays)
        found.twice(
            len(strays),
            f"{source} ({document_id}, {status}): {len(strays)} points of versions that are not "
            f"live, {shown} of which are shown",
        )
    if version_id is None:
        return
    if len(kept) > chunks:
        found.twice(len(kept) - chunks, f"{source} has {len(kept)} points of {chunks} chunks")
    if len({point["position"] for point in seen}) != chunks:
        found.lost.append(
            f"{source} ({document_id}): {len(seen)} shown points of {chunks} chunks, "
            f"{len(kept)} in all"
        )


def vanished(look: Callable[[], list[str]], seconds: float = TIDY_SECONDS) -> list[str]:
    """What is still found when the time for tidying is over; nothing as soon as it is gone."""
    deadline = time.monotonic() + seconds
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(1.0)
    return found
