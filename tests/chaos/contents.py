"""What a collection's documents are, one by one: what the ledger and the API say of each, its bytes
in the blobs, and its text in the stored chunks and in the points."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flotilla.client.errors import ClientError
from flotilla.schemas import Document, DocumentChunk
from tests.chaos.expected import Expected, Fate
from tests.chaos.stack import Stack
from tests.chaos.submission import Refused, persevere
from tests.chaos.texts import compare
from tests.chaos.verdict import Verdict

PAGE_OF_CHUNKS = 100
PATIENCE = 60.0

STATUS = {Fate.ANSWERS: "ready", Fate.FAILS: "failed", Fate.CANCELLED: "failed"}
"""Of a document, by what had to become of it. One that never had a live version has failed, also
where it was cancelled."""

CARRIED = ("text", "start", "end", "page_start", "page_end", "heading_path")
"""What a stored chunk and its point have in common."""


class Row(NamedTuple):
    """A document's row, with that of its live version."""

    id: str
    name: str
    status: str
    live_version_id: str | None
    state: str | None
    number: int | None
    blob: str | None
    sha256: str | None
    chunks: int | None


class Contents:
    """The documents of one collection.

    Args:
        stack: where to look.
        collection: at what.
        points: the payloads of all of its points.
    """

    def __init__(self, stack: Stack, collection: str, points: Sequence[Mapping[str, Any]]) -> None:
        self._stack = stack
        self._collection = collection
        self._points: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for point in points:
            self._points[point["version_id"]].append(point)

    def judge(self, verdict: Verdict, expected: Mapping[str, Expected]) -> None:
        """Add to a verdict what is not as it has to be of each source, by its name."""
        rows = self._rows()
        for name, source in expected.items():
            own = [row for row in rows if row.name == name]
            if source.fate is Fate.DELETED:
                verdict.broken += [f"{name} was deleted, and is the document {r.id}" for r in own]
            elif not own:
                verdict.lost.append(f"{name} was accepted, and there is no document of it")
            for row in own:
                if source.fate is not Fate.DELETED:
                    self._judge_document(verdict, row, source)
        strange = [row for row in rows if row.name not in expected]
        verdict.broken += [f"{row.name} ({row.id}) was never accepted" for row in strange]

    def _rows(self) -> list[Row]:
        found = self._stack.ledger.rows(
            "SELECT d.id, d.name, d.status, d.live_version_id, v.state, v.number, v.blob, "
            "v.sha256, v.chunks FROM documents d JOIN collections c ON c.id = d.collection_id "
            "LEFT JOIN versions v ON v.id = d.live_version_id "
            "WHERE c.name = :name AND c.deleted_at IS NULL AND d.deleted_at IS NULL",
            name=self._collection,
        )
        return [Row(*row) for row in found]

    def _judge_document(self, verdict: Verdict, row: Row, source: Expected) -> None:
        name = f"{row.name} ({row.id})"
        verdict.broken += [f"{name} {fault}" for fault in self._false_state(row, source)]
        if source.fate is Fate.ANSWERS and row.live_version_id is not None:
            verdict.lost += [f"{name}: {fault}" for fault in self._lost_bytes(row, source)]
            self._judge_text(verdict, name, row, source)

    def _false_state(self, row: Row, source: Expected) -> list[str]:
        """What the ledger or the API says of a document, and is not so."""
        answers = source.fate is Fate.ANSWERS
        pairs: list[tuple[str, object, object]] = [
            ("status", row.status, STATUS[source.fate]),
            ("live version's state", row.state, "live" if answers else None),
        ]
        try:
            shown = persevere(lambda: self._stack.client.document(row.id), PATIENCE)
        except (Refused, ClientError) as error:
            return [f"is not shown by the API: {error}"]
        pairs += _shown(shown, row, source)
        return [f"has {what} {is_!r}, not {must!r}" for what, is_, must in pairs if is_ != must]

    def _lost_bytes(self, row: Row, source: Expected) -> list[str]:
        """Whether its source is in the blobs as it was sent."""
        sent = source.planned.sha256
        path = self._stack.blobs / str(row.blob)
        if row.blob is None or not path.is_file():
            return ["its source is not in the blobs"]
        faults = []
        if hashlib.sha256(path.read_bytes()).hexdigest() != sent:
            faults.append(f"its source in the blobs, {row.blob}, is not what was sent")
        if row.sha256 != sent:
            faults.append(f"the ledger says that its bytes are {row.sha256}, and {sent} were sent")
        return faults

    def _judge_text(self, verdict: Verdict, name: str, row: Row, source: Expected) -> None:
        """Each word once in the stored chunks, and the same chunks in the points."""
        try:
            chunks = persevere(lambda: self._chunks(row.id), PATIENCE)
        except (Refused, ClientError) as error:
            verdict.lost.append(f"{name}: its stored chunks cannot be read: {error}")
            return
        compared = compare(chunks, source.planned.text)
        verdict.lost += [f"{name}: there is missing {what}" for what in compared.missing]
        verdict.duplicated += len(compared.surplus)
        verdict.duplicates += [f"{name}: {what}" for what in compared.surplus]
        if len(chunks) != row.chunks:
            verdict.lost.append(f"{name}: {len(chunks)} stored chunks of {row.chunks} are read")
        points = self._points[str(row.live_version_id)]
        verdict.lost += [f"{name}: {fault}" for fault in false_points(chunks, points, source)]

    def _chunks(self, document_id: str) -> list[DocumentChunk]:
        return list(self._stack.client.chunks(document_id, limit=PAGE_OF_CHUNKS))


def _shown(shown: Document, row: Row, source: Expected) -> list[tuple[str, object, object]]:
    """What the API shows of a document, and what it has to."""
    pairs: list[tuple[str, object, object]] = [
        ("by the API the status", shown.status.value, STATUS[source.fate]),
        ("by the API the name", shown.name, row.name),
        ("by the API the version", shown.version, row.number),
    ]
    if source.fate is Fate.ANSWERS:
        size = source.planned.path.stat().st_size
        pairs += [
            ("by the API the sha256", shown.sha256, source.planned.sha256),
            ("by the API the size", shown.size, size),
            ("by the API so many chunks:", shown.chunks, row.chunks),
            ("by the API the number", shown.metadata.get("number"), source.planned.number),
            ("by the API the error", shown.error, None),
        ]
    elif source.fate is Fate.FAILS:
        code = shown.error.code if shown.error else None
        known = code if code in source.planned.fails else " or ".join(sorted(source.planned.fails))
        pairs.append(("by the API the error", code, known))
    return pairs


def false_points(
    chunks: Sequence[DocumentChunk], points: Sequence[Mapping[str, Any]], source: Expected
) -> list[str]:
    """What of a version's points is not as its stored chunks are. Whether all are there is asked
    elsewhere."""
    stored = {chunk.position: chunk.model_dump(mode="json") for chunk in chunks}
    faults = []
    for point in points:
        chunk = stored.get(point["position"])
        if chunk is None:
            faults.append(f"a point has the position {point['position']}, and no stored chunk")
            continue
        other = [field for field in CARRIED if point.get(field) != chunk[field]]
        if point["metadata"].get("number") != source.planned.number:
            other.append("metadata")
        if point["document_name"] != source.planned.name:
            other.append("document_name")
        if other:
            faults.append(f"point {point['position']} has another {' and '.join(other)}")
    return faults
